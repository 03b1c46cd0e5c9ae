/* latencies: how long answers took, each one kept. Room: tests. Threads: one owner. */
#ifndef PADDOCK_TESTS_LATENCIES_H
#define PADDOCK_TESTS_LATENCIES_H

#include "support/pauses.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed: none. No memory, or more than forty million, ends the program. */
struct latencies {
    struct latency *list;
    size_t count;
};

/* One that ended at `end_ns` of CLOCK_MONOTONIC. */
void latencies_add(struct latencies *l, int64_t latency_ns, int64_t end_ns);
/* Before the questions below. */
void latencies_sort(struct latencies *l);
/* The `q` quantile (0..1, nearest rank) in ms; 0 if there is none. */
double latencies_ms(const struct latencies *l, double q);
/* Take out those during which a processor stood still: a latency is the server's only while the
 * machine runs. Returns how many. `pauses` has ended. */
size_t latencies_leave_out(struct latencies *l, const struct pauses *pauses);
void latencies_free(struct latencies *l);

#endif
