/* difference: how far apart are two means, or two proportions? Room: stats. Threads: [any], pure.
 *
 * Each gives the estimate, its interval and a two-sided p-value for "no difference", for one look
 * at a time chosen in advance. `level` is the interval's coverage, such as 0.95. Where the data
 * allow no statement (too few values) the interval is -inf..+inf and p is 1. */
#ifndef PADDOCK_STATS_DIFFERENCE_H
#define PADDOCK_STATS_DIFFERENCE_H

#include "stats/interval.h"

#include <stdint.h>

struct difference {
    double estimate;
    struct interval interval;
    double p;
};

/* What is known of a sample: its size, mean and variance (divisor n - 1, not negative). */
struct sample {
    double n, mean, variance;
};

/* mean(a) - mean(b) of independent samples, by Welch (1947): unequal variances, degrees of freedom
 * of Satterthwaite. Needs two values in each. Without any variance the interval is the estimate
 * and p is 1 or 0. */
struct difference mean_difference(const struct sample *a, const struct sample *b, double level);

/* The mean of differences of pairs, by Student's t (1908). */
struct difference paired_difference(const struct sample *differences, double level);

/* a - b of two single values whose spread is known from `past` values of the same kind: Student's t
 * with the error s sqrt(2). Needs two past values. */
struct difference single_difference(double a, double b, const struct sample *past, double level);

/* k1/n1 - k2/n2 of independent samples (k <= n). Interval: Newcombe 1998, method 10 (a square and
 * add of Wilson's). p: pooled z where each expected count is 5 at least, else Fisher's exact test
 * (two-sided by the sum of the tables that are not likelier). */
struct difference proportion_difference(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2,
                                        double level);

/* Fisher's exact test of the table k1 of n1 against k2 of n2; two-sided. O(rarest margin). */
double fisher_exact(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2);

/* Pairs judged twice, right or wrong: `b` are right only in the first judgement, `c` only in the
 * second, of `n` pairs. McNemar 1947. */
struct mcnemar {
    double p_exact;           /* binomial: b of b + c at 1/2, two-sided */
    double p_corrected;       /* chi-square of (|b - c| - 1)^2 / (b + c), Edwards 1948 */
    double difference;        /* (b - c) / n, of the two rates of being right */
    struct interval interval; /* of that, by Agresti and Min 2005: half a pair added to each cell */
};
struct mcnemar mcnemar(uint64_t b, uint64_t c, uint64_t n, double level);

#endif
