/* strategy: one instance of a strategy in this process, as the plugin sees it. Room: worker.
 * Threads: [main] */
#ifndef PADDOCK_WORKER_STRATEGY_H
#define PADDOCK_WORKER_STRATEGY_H

#include "base/bytes.h"
#include "base/err.h"

#include <paddock/plugin.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define STRATEGY_PARTS_MAX 16
#define STRATEGY_PART_NAME 64         /* bytes, its end included */
#define STRATEGY_STATE_MAX (1u << 20) /* bytes of a saved state */

struct strategy_part {
    char name[STRATEGY_PART_NAME];
    double value;
};

/* The parts of one candidate's score. */
struct strategy_parts {
    size_t n;
    struct strategy_part list[STRATEGY_PARTS_MAX];
};

struct strategy {
    paddock_strategy pub; /* first */
    const paddock_strategy_ops *ops;
    struct bytes saved;
    size_t n;                     /* candidates of the weigh() under way; 0: none is */
    struct strategy_parts *parts; /* n of the turn under way or last */
    struct err wrong;             /* how the plugin used the host wrongly, the first time */
};

/* Make one and open() it. `config` (checked and filled in) and `route` are borrowed until
 * strategy_end(). False if open() says that it is unusable; nothing is to be ended then. */
bool strategy_begin(struct strategy *s, const paddock_plugin *plugin, const char *route,
                    const json_t *config, uint64_t seed, int64_t now_ms, struct err *e) MUST_CHECK;
void strategy_end(struct strategy *s);

/* One turn at `pub.now_ms`: tick(), then weigh(). `w` has room for n + 1. All weights are 0 if it
 * gave no answer. False (ERR_INVALID) if it broke a rule: weights that are no numbers or negative,
 * that add up to infinity, or are more than asked for; parts of nobody. */
bool strategy_turn(struct strategy *s, const paddock_candidate *const *candidates, size_t n,
                   paddock_weight *w, struct err *e) MUST_CHECK;

/* Its state is in `saved`. False if it has none, or save() failed, or the state is too large. */
bool strategy_save(struct strategy *s, struct err *e) MUST_CHECK;

#endif
