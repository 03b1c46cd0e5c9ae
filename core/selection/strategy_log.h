/* strategy_log: outcomes on their way to strategies. Room: selection. Threads: follower [writer of
 * outcomes], the rest [strategies] and, before it starts, [main]; one lock.
 *
 * It follows the log of outcomes and keeps those of routes that a strategy weighs until what was
 * learned from them is kept, so that a process that died can be told again. An outcome's offset is
 * its position in the log and its place among those of the same position, so it is the same in each
 * life of the server. What is not kept yet is read from the log at the next start. */
#ifndef PADDOCK_SELECTION_STRATEGY_LOG_H
#define PADDOCK_SELECTION_STRATEGY_LOG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "selection/outcomes.h"
#include "store/nodes.h"

#define STRATEGY_LOG_MAX                                                       \
    500000 /* outcomes that wait, of all routes; past it the oldest of a route \
              that is not told go, and are counted */

struct strategy_log;

/* Reads from the store up to where each route's state is kept; it may be read by the follower then.
 */
struct strategy_log *strategy_log_open(struct store *store, struct err *e) MUST_CHECK;
void strategy_log_free(struct strategy_log *log); /* NULL is allowed */
struct outcome_follower strategy_log_follower(struct strategy_log *log);

struct logged_outcome {
    uint64_t offset, model_uid;
    const char *decision_id, *name;
    double value, propensity;
    int64_t at_ms;
};
struct logged_outcomes {
    const struct logged_outcome *list; /* oldest first */
    size_t n;
    uint64_t upto; /* there are no others up to this offset */
};
/* Those of a route behind `after`, at most `max`, in the arena. */
void strategy_log_read(struct strategy_log *log, uint64_t route_uid, uint64_t after, size_t max,
                       struct arena *a, struct logged_outcomes *out);
/* The route's state is kept with everything up to `offset`. */
void strategy_log_kept(struct strategy_log *log, uint64_t route_uid, uint64_t offset);
/* From now on those of these routes (sorted) alone are wanted; others' are forgotten. */
void strategy_log_want(struct strategy_log *log, const uint64_t *route_uids, size_t n);
/* How often it had to begin anew. */
uint64_t strategy_log_life(struct strategy_log *log);
/* Whose offsets they are: of all nodes that share the store, or of this one. */
void strategy_space(struct store *store, char out[STORE_SPACE_SIZE]);
/* Is this what the node with that space kept? */
bool strategy_space_is(const json_t *kept, const char *space);
uint64_t strategy_log_lost(struct strategy_log *log);

#endif
