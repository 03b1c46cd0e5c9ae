/* random: repeatable numbers for tests (SplitMix64). The state is a plain integer: the seed. */
#ifndef PADDOCK_TESTS_RANDOM_H
#define PADDOCK_TESTS_RANDOM_H

#include <math.h>
#include <stdint.h>

static inline uint64_t random_u64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* In (0, 1). */
static inline double random_uniform(uint64_t *state)
{
    return ((double)(random_u64(state) >> 11) + 0.5) * 0x1p-53;
}

/* Standard normal (Box and Muller). */
static inline double random_normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(random_uniform(state)));
    return radius * cos(2 * M_PI * random_uniform(state));
}

/* A latency in ms: lognormal, median 20, sigma 0.6. */
static inline double random_latency(uint64_t *state)
{
    return 20 * exp(0.6 * random_normal(state));
}

/* How many of n trials of probability p < 1 succeed, by the gaps between successes, which are
 * geometric: as many steps as successes. */
static inline uint64_t random_hits(uint64_t *state, uint64_t n, double p)
{
    uint64_t hits = 0;
    for (double at = 0; p > 0;) {
        at += floor(log(random_uniform(state)) / log1p(-p)) + 1;
        if (at > (double)n)
            break;
        hits++;
    }
    return hits;
}

#endif
