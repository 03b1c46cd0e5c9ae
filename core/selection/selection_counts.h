/* selection_counts: how often who was selected by which route and why, who was named as a shadow,
 * and what came back of that. Room: selection.
 *
 * Each loop counts for itself (a tally) and adds it to what all share once a second, so asking
 * takes no lock. The number of counters is bounded: beyond it decisions are counted by reason
 * alone, under no route and no model. */
#ifndef PADDOCK_SELECTION_SELECTION_COUNTS_H
#define PADDOCK_SELECTION_SELECTION_COUNTS_H

#include "selection/selector.h"

#include <stdint.h>

#define SELECTION_COUNTS_MAX 10000 /* routes x models x reasons */

struct selection_counts;
struct selection_counts *selection_counts_new(void) __attribute__((returns_nonnull));
void selection_counts_free(struct selection_counts *c); /* NULL is allowed */

/* Threads: one owner (a loop). */
struct selection_tally;
struct selection_tally *selection_tally_new(void) __attribute__((returns_nonnull));
void selection_tally_free(struct selection_tally *t); /* NULL is allowed */
void selection_tally_add(struct selection_tally *t, const struct selection_answer *a,
                         const char *ns);
/* A record or a score came of a shadow that a decision had named. Texts as of a selection_count. */
struct selection_count;
void selection_tally_report(struct selection_tally *t, const struct selection_count *of);
/* Add to what all share, and begin anew. */
void selection_tally_flush(struct selection_tally *t, struct selection_counts *c);

enum selection_counted {
    COUNTED_SERVED,
    COUNTED_SHADOW, /* named in a decision */
    COUNTED_REPORT, /* records and scores of such decisions that came of it */
};

/* Who has been asked about. Texts are "" where there is none. */
struct selection_count {
    enum selection_counted what;
    uint64_t route_uid, model_uid; /* 0: a route that nobody stored; of those too many to tell */
    const char *ns, *route, *model_id, *name;
    enum selection_reason reason; /* of those served */
    uint64_t count;
};
/* [any] Under a lock, so be quick. */
void selection_counts_each(struct selection_counts *c,
                           void (*fn)(void *ctx, const struct selection_count *count), void *ctx);

#endif
