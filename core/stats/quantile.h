/* quantile: what a sketch can be asked. Room: stats. Threads: [any] while nobody writes the sketch.
 *
 * The rank of quantile q among n values is max(1, ceil(q n)) (nearest rank). Rank 1 is the exact
 * minimum, rank n the exact maximum; between, the value is interpolated on the log scale inside the
 * bucket that holds the rank, and clamped to [min, max]. It differs from the true order statistic
 * by at most grid_error_bound_ratio(scale). */
#ifndef PADDOCK_STATS_QUANTILE_H
#define PADDOCK_STATS_QUANTILE_H

#include "stats/sketch.h"

/* q is clamped to [0, 1]. NaN if the sketch is empty. */
double sketch_quantile(const struct sketch *s, double q);

/* The value that histogram_quantile(q, ...) of Prometheus 3 gives for the same native histogram,
 * with 2^-20 as zero threshold and no negative buckets: rank q n counted from below for q < 0.5, (1
 * - q) n from above otherwise, log interpolation, no clamping (linear only inside the zero bucket).
 * Like there, -inf for q < 0, +inf for q > 1, NaN if empty. Overflow counts as one bucket above
 * 2^44. */
double sketch_quantile_promql(const struct sketch *s, double q);

/* Edges [*lo, *hi] between which the true quantile certainly lies: those of its bucket, clamped to
 * [min, max]. Both NaN if empty. */
void sketch_rank_bounds(const struct sketch *s, double q, double *lo, double *hi);
/* The same for a rank 1..count (clamped to it). */
void sketch_edges_of_rank(const struct sketch *s, uint64_t rank, double *lo, double *hi);

/* Index of the bucket that holds quantile q; one below the domain's first index for zero and
 * underflow, one above its last for overflow. The sketch must not be empty. */
int32_t sketch_quantile_index(const struct sketch *s, double q);

/* Values in buckets above `index` (of the sketch's scale), overflow included: exactly the number of
 * values > grid_upper_edge(index, scale). */
uint64_t sketch_count_above(const struct sketch *s, int32_t index);

/* The classic cumulative bucket `le = bound`: how many values are <= bound. Exact when `bound` is a
 * bucket edge (every power of two is), or >= max, or < min; otherwise the values of the bucket that
 * `bound` cuts are left out, that is, the count is exact for the next lower edge. */
uint64_t sketch_count_at_or_below(const struct sketch *s, double bound);

/* 0.00543 at scale 7, 0.0109 at 6, 0.0219 at 5: the `error_bound_ratio` of our answers. */
static inline double sketch_error_bound_ratio(int scale)
{
    return grid_error_bound_ratio(scale);
}

#endif
