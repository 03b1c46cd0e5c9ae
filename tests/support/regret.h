/* regret: a bandit before arms whose success we know. Needs the room worker. Threads: one owner.
 *
 * Each decision draws a unit's bucket by hash, as the server does; the strategy's weights become
 * ranges of buckets. The reward of a decision arrives `delay` decisions later; every `every`
 * decisions the strategy is told of what arrived and asked anew. */
#ifndef PADDOCK_TESTS_REGRET_H
#define PADDOCK_TESTS_REGRET_H

#include <stddef.h>
#include <stdint.h>

#define REGRET_ARMS 3

struct regret_setup {
    const char *strategy;                            /* a bundled one */
    const char *config;                              /* JSON */
    double success[REGRET_ARMS], later[REGRET_ARMS]; /* from the half on; all 0: as before */
    uint32_t decisions, delay, every;
    uint64_t seed;
};

struct regret_result {
    double regret;               /* successes lost against always taking the best */
    uint32_t drawn[REGRET_ARMS]; /* decisions */
    double wanted[REGRET_ARMS];  /* sum of the propensities logged */
    double spread[REGRET_ARMS];  /* its standard deviation, were draws independent of them */
};

/* Fails the test when the plugin does. */
struct regret_result regret_run(const struct regret_setup *setup);

/* |drawn - wanted| in standard deviations, the largest of the arms. */
double regret_propensity_z(const struct regret_result *r);

#endif
