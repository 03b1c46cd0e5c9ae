/* What bandits lose while they learn: regret on arms that succeed in 5, 6 and 7 %.
 *
 *   regret [DECISIONS [REPEATS]]        100000 and 40 without
 *
 * Columns: the outcome of a decision is known at once, after 1,000 and after 10,000 decisions; and
 * after 1,000 while the best arm falls from 7 % to 3 % half-way. Weights are asked for every 100
 * decisions. `z` is the largest deviation of the shares drawn from the propensities logged, over
 * all repeats together. */
#include "support/regret.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
    const char *name, *strategy, *config;
} BANDITS[] = {
    {"all the same", "weighted", "{}"},
    {"epsilon_greedy 0.1", "epsilon_greedy", "{}"},
    {"epsilon_greedy cooling", "epsilon_greedy", "{\"epsilon\":0.3,\"cool_outcomes\":3000}"},
    {"thompson, no floor", "thompson", "{\"floor_ratio\":0}"},
    {"thompson", "thompson", "{}"},
    {"thompson, half-life 6931", "thompson", "{\"half_life_outcomes\":6931}"},
};

static const struct {
    uint32_t delay;
    double later[REGRET_ARMS];
} WORLDS[] = {{0, {0}}, {1000, {0}}, {10000, {0}}, {1000, {0.05, 0.06, 0.03}}};

#define N_WORLDS (sizeof WORLDS / sizeof *WORLDS)

struct cell {
    double mean, error, z;
};

static struct cell measure(size_t bandit, size_t world, uint32_t decisions, uint64_t repeats)
{
    double sum = 0, squares = 0;
    struct regret_result all = {.regret = 0};
    for (uint64_t i = 0; i < repeats; i++) {
        struct regret_setup setup = {.strategy = BANDITS[bandit].strategy,
                                     .config = BANDITS[bandit].config,
                                     .success = {0.05, 0.06, 0.07},
                                     .decisions = decisions,
                                     .delay = WORLDS[world].delay,
                                     .every = 100,
                                     .seed = 1 + i};
        for (size_t k = 0; k < REGRET_ARMS; k++)
            setup.later[k] = WORLDS[world].later[k];
        struct regret_result r = regret_run(&setup);
        sum += r.regret;
        squares += r.regret * r.regret;
        for (size_t k = 0; k < REGRET_ARMS; k++) {
            all.drawn[k] += r.drawn[k];
            all.wanted[k] += r.wanted[k];
            all.spread[k] = hypot(all.spread[k], r.spread[k]);
        }
    }
    double n = (double)repeats, mean = sum / n;
    return (struct cell){mean, n > 1 ? sqrt((squares / n - mean * mean) / (n - 1)) : 0,
                         regret_propensity_z(&all)};
}

int main(int argc, char **argv)
{
    uint32_t decisions = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    uint64_t repeats = argc > 2 ? strtoull(argv[2], NULL, 10) : 40;
    if (decisions < 1000 || repeats < 1) {
        fprintf(stderr, "usage: regret [DECISIONS [REPEATS]]\n");
        return 2;
    }
    printf("%-26s %16s %16s %16s %16s %6s\n", "lost successes", "delay 0", "delay 1000",
           "delay 10000", "best one falls", "z");
    for (size_t b = 0; b < sizeof BANDITS / sizeof *BANDITS; b++) {
        double z = 0;
        printf("%-26s", BANDITS[b].name);
        for (size_t w = 0; w < N_WORLDS; w++) {
            struct cell c = measure(b, w, decisions, repeats);
            printf(" %9.0f +-%4.0f", c.mean, c.error);
            z = fmax(z, c.z);
        }
        printf(" %6.2f\n", z);
        fflush(stdout);
    }
    return 0;
}
