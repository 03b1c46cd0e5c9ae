/* interval: confidence intervals for one look at the data. Room: stats. Threads: [any], pure.
 *
 * `level` is the coverage, such as 0.95, two-sided. These hold for a look at a time chosen in
 * advance; for judging again and again use stats/eprocess.h. */
#ifndef PADDOCK_STATS_INTERVAL_H
#define PADDOCK_STATS_INTERVAL_H

#include "stats/sketch.h"

struct interval {
    double lo, hi;
};

/* A proportion of k in n (k <= n), by Wilson's score (1927). [0, 1] for n = 0. */
struct interval wilson_interval(uint64_t k, uint64_t n, double level);

/* The ratio (k1 / n1) / (k2 / n2) of two proportions, by Koopman's score (1984), right down to
 * counts of zero: lo is 0 if k1 is 0, hi is +inf if k2 is 0. [0, +inf] if an n is 0 or both k are.
 */
struct interval ratio_interval(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level);

/* Ranks of the order statistics that enclose quantile q of n values, whatever their distribution:
 * `*lower` is 0 and `*upper` n + 1 where n is too small for a limit on that side (an upper one at
 * level 0.95 takes 72 values for p95, 368 for p99, 3,688 for p99.9). Exact binomial; normal where
 * n q (1 - q) > 10,000. */
void quantile_ranks(uint64_t n, double q, double level, uint64_t *lower, uint64_t *upper);

/* The same in values: outer edges of the buckets of these two ranks; 0 and +inf for a missing
 * limit. */
struct interval quantile_interval(const struct sketch *s, double q, double level);

#endif
