/* decisions: which decisions were made for whom, of routes that log them. Room: selection.
 *
 * Each loop collects its own as text (a lane) and hands them over once a second; a thread of the
 * log writes them to the store's series, so no selection waits for it and none fails by it. What
 * cannot be written waits, and at the bound what is newest is lost and counted. After a crash the
 * last second or two are missing. What is older than `keep_ms` goes, and the oldest hours go when
 * all together are larger than `max_bytes`.
 *
 *   decision/<namespace>/<two hex digits of the unit's mark>   at: of the oldest in it
 *
 * A record holds decisions of many units, each a line of JSON, oldest first. */
#ifndef PADDOCK_SELECTION_DECISIONS_H
#define PADDOCK_SELECTION_DECISIONS_H

#include "selection/selector.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECISION_DAYS_MAX 30 /* that may be kept */

struct decisions_config {
    struct store *store;
    const struct clock *clock;
    int64_t keep_ms;    /* [7 days] at most DECISION_DAYS_MAX */
    uint64_t max_bytes; /* [1 GiB] of text in the store */
    size_t waiting_max; /* [32 MiB] of text that waits for the store */
};

struct decisions;

struct decisions *decisions_open(const struct decisions_config *config, struct err *e) MUST_CHECK;
/* Write what waits, as long as the store takes it; lanes are freed. NULL is allowed. */
void decisions_close(struct decisions *log);

/* What one thread has collected. Threads: one owner (a loop). */
struct decision_lane;
struct decision_lane *decision_lane_new(struct decisions *log) __attribute__((returns_nonnull));
void decision_lane_free(struct decision_lane *lane); /* hands over; NULL is allowed */
/* Note a decision if its route logs it. */
void decision_lane_add(struct decision_lane *lane, const struct selection_answer *a,
                       const char *ns);
/* Hand over what there is. Once a second. */
void decision_lane_flush(struct decision_lane *lane);

struct decisions_stats {
    uint64_t written, lost; /* since the start */
    uint64_t bytes;         /* in the store */
};
void decisions_stats(struct decisions *log, struct decisions_stats *out); /* [any] */

/* One decision as it was noted: a JSON object, and what lists need of it. */
struct logged_decision {
    const char *json;
    size_t len;
    int64_t at_ms;
};
/* The decisions of a unit with from <= at < to (to 0: open), newest first, until `each` says false.
 * `route` NULL: of all. Waits for the store: not on a loop. */
struct decision_query {
    const char *ns, *unit, *route;
    int64_t from, to;
    bool (*each)(void *ctx, const struct logged_decision *d); /* [store] */
    void *ctx;
};
bool decisions_read(struct store *store, const struct decision_query *q, struct err *e) MUST_CHECK;

#endif
