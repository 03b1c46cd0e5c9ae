/* strategy_case: a bundled strategy in the test's own process. Needs the room worker. */
#ifndef PADDOCK_TESTS_STRATEGY_CASE_H
#define PADDOCK_TESTS_STRATEGY_CASE_H

#include "worker/strategy.h"

#define CASE_START_MS INT64_C(1767225600000)

struct strategy_case {
    struct strategy s;
    json_t *config;
    paddock_weight w[1025]; /* of the last turn */
};

/* False: open() refused. `config` is checked against the strategy's fields first, and must fit. */
bool case_open(struct strategy_case *c, const char *strategy, const char *config);
void case_close(struct strategy_case *c);

/* One turn `later_ms` after the one before. */
void case_turn(struct strategy_case *c, const paddock_candidate *candidates, size_t n,
               int64_t later_ms);
/* `n` outcomes of the score "reward" for one candidate. */
void case_reward(struct strategy_case *c, const char *model_id, double value, size_t n);
/* The share of candidate i in the last turn of n. */
double case_share(const struct strategy_case *c, size_t n, size_t i);
/* A part of candidate i's score in the last turn; NAN if it has none. */
double case_part(const struct strategy_case *c, size_t i, const char *name);

#endif
