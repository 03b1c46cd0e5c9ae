/* snapshot: what a query needs of a model, copied out under its lock in some microseconds and
 * looked at after. Room: telemetry. Threads: one owner. */
#ifndef PADDOCK_TELEMETRY_SNAPSHOT_H
#define PADDOCK_TELEMETRY_SNAPSHOT_H

#include "telemetry/live.h"

#include <stdbool.h>

/* One encoded tally. */
struct piece {
    int64_t start;  /* of its slot */
    size_t at, len; /* in `data` */
};

struct snapshot {
    struct bytes data;
    struct piece *pieces; /* of the window */
    size_t n, cap;
    struct tally lifetime;       /* scale 0 */
    struct ring_sample *samples; /* the ring, oldest first */
    uint32_t n_samples, capacity;
    struct words errors, names;
};

enum snapshot_want {
    WANT_LIFETIME = 1,
    WANT_RING = 2,
    WANT_WORDS = 4,
    WANT_OWN = 8, /* the lifetime is what this node counted; no slots (from = to) */
};

void snapshot_init(struct snapshot *s);
void snapshot_release(struct snapshot *s);
/* Copy the slots of `tier` that start within from..to (exclusive), open tallies included. False:
 * ERR_MEMORY past the bound, or damage. */
bool snapshot_take(struct snapshot *s, struct live *l, enum tier tier, int64_t from, int64_t to,
                   unsigned want, struct err *e) MUST_CHECK;
/* Add an encoded tally from elsewhere. */
bool snapshot_add(struct snapshot *s, int64_t start, const void *bytes, size_t len);
/* Sort the pieces by time. */
void snapshot_sort(struct snapshot *s);
/* Add the pieces i.. that start before `to` to `sum`; returns the index of the first that does not,
 * or -1 and `e` if one is damaged. */
long snapshot_sum(const struct snapshot *s, size_t i, int64_t to, struct tally *sum, struct err *e);

#endif
