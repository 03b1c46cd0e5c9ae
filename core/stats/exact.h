/* exact: quantiles of a plain array. Room: stats. Threads: [any], pure but for the array.
 *
 * Nearest rank: the q-quantile of n values is the max(1, ceil(q n))-th smallest. */
#ifndef PADDOCK_STATS_EXACT_H
#define PADDOCK_STATS_EXACT_H

#include <stddef.h>
#include <stdint.h>

#define EXACT_QUANTILES_MAX 32

/* The rank 1..n of quantile q (clamped to [0, 1]) among n >= 1 values; 0 if n is 0. A product such
 * as 0.07 * 100, which doubles make a hair too large, is taken as the whole number it stands for.
 */
uint64_t nearest_rank(double q, uint64_t n);

/* The q-quantile of `n` values (no NaN among them). Reorders the array. NaN if n is 0. */
double exact_quantile(double *values, size_t n, double q);

/* `k` <= EXACT_QUANTILES_MAX quantiles at once, in any order of `qs`, by selection: each part of
 * the array is partitioned only as far as some quantile needs it. O(n log k) typically, O(n log n)
 * for the worst input. Reorders the array. */
void exact_quantiles(double *values, size_t n, const double *qs, double *out, size_t k);

#endif
