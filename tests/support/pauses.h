/* pauses: when a processor of this machine stood still. Room: tests. Threads: one caller, and one
 * of its own for each processor.
 *
 * A virtual machine's processors are stopped for milliseconds whenever its host gives theirs to
 * somebody else, above all when they are busy. Whoever measures a latency's tail there measures the
 * host. A thread on each processor wakes up four times a millisecond, ahead of every ordinary
 * thread: when it is late by half a millisecond, the processor stood still. (Or the kernel was in
 * one long piece of work that it does not interrupt: half a millisecond is long for that.) */
#ifndef PADDOCK_TESTS_PAUSES_H
#define PADDOCK_TESTS_PAUSES_H

#include <stdbool.h>
#include <stdint.h>

struct pauses;

/* Begin to watch. NULL where that is not allowed (real-time priority takes privileges). */
struct pauses *pauses_watch(void);
/* End the watch; the pauses seen stay. */
void pauses_end(struct pauses *p);
/* After pauses_end(): each lasts longer by this part of itself, for what piled up in it and is
 * answered only after it. */
void pauses_widen(struct pauses *p, double by);
/* After pauses_end(): did a processor stand still between two times of CLOCK_MONOTONIC, in ns? */
bool pauses_met(const struct pauses *p, int64_t from_ns, int64_t to_ns);
/* NULL is allowed. */
void pauses_free(struct pauses *p);

#endif
