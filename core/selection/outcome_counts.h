/* outcome_counts: the counters of outcomes, and their file. Room: selection, private to outcomes.
 * Threads: one owner (or an outer lock). */
#ifndef PADDOCK_SELECTION_OUTCOME_COUNTS_H
#define PADDOCK_SELECTION_OUTCOME_COUNTS_H

#include "base/bytes.h"
#include "base/map.h"
#include "selection/outcomes.h"

#define OUTCOME_COUNTS_MAX 100000 /* past it new ones are not counted, old ones go on */

struct outcome_counts {
    struct map *map;
    uint64_t left_out; /* outcomes without a counter of theirs */
};

void outcome_counts_init(struct outcome_counts *c);
void outcome_counts_release(struct outcome_counts *c);
void outcome_counts_add(struct outcome_counts *c, const struct outcome *o, int64_t now_ms);

void outcome_counts_each(const struct outcome_counts *c, uint64_t route_uid,
                         void (*fn)(void *ctx, const struct outcome_count *count), void *ctx);

/* All of them as bytes, and back: what was there makes way, or (`add`) is added to. False: damaged,
 * or there is no room. Counters without an outcome since `oldest_ms` are left out and forgotten. */
bool outcome_counts_encode(struct outcome_counts *c, uint64_t position, int64_t oldest_ms,
                           struct bytes *out) MUST_CHECK;
bool outcome_counts_decode(struct outcome_counts *c, const void *data, size_t len, bool add,
                           uint64_t *position) MUST_CHECK;

/* Replace the file by what is counted up to `position`; counters without an outcome since
 * `oldest_ms` are left out and forgotten. */
bool outcome_counts_save(struct outcome_counts *c, const char *path, uint64_t position,
                         int64_t oldest_ms, struct err *e) MUST_CHECK;
/* Read it; none is an empty one at position 0. */
bool outcome_counts_load(struct outcome_counts *c, const char *path, uint64_t *position,
                         struct err *e) MUST_CHECK;

#endif
