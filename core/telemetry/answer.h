/* answer: what a query is told, out of what was collected for it. Room: telemetry, private.
 * Threads: one owner. */
#ifndef PADDOCK_TELEMETRY_ANSWER_H
#define PADDOCK_TELEMETRY_ANSWER_H

#include "telemetry/internal.h"
#include "telemetry/snapshot.h"

/* A query under way. */
struct asking {
    struct telemetry *telemetry;
    uint64_t uid;
    const struct metrics_query *query;
    /* The window it really gets: slot edges of a tier; `to` may lie ahead of `now`. */
    enum tier tier;
    int64_t now, from, to;
    struct snapshot snapshot; /* what was collected */
    struct tally sum;         /* all of the window */
};

/* Fill `out`, whose texts go to the arena. False: a slot is damaged, or there is no memory. */
bool answer(struct asking *q, struct arena *a, struct metrics *out, struct err *e) MUST_CHECK;

#endif
