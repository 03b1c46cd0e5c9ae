/* trend: does a short series rise or fall, and how fast? Room: stats. Threads: [any]; O(n^2), so
 * for series of up to TREND_POINTS_MAX points.
 *
 * Mann-Kendall decides, Theil-Sen measures; both look at all pairs and shrug off outliers.
 * Mann-Kendall assumes points that are independent of each other: neighbours that move together
 * make it fire too often, so ask for a small p (0.001) and for a slope that matters. Sources: Mann
 * 1945, Kendall 1975 (variance with ties); Sen 1968 (slope and interval). */
#ifndef PADDOCK_STATS_TREND_H
#define PADDOCK_STATS_TREND_H

#include "stats/interval.h"

#include <stddef.h>

#define TREND_POINTS_MAX 512

struct trend {
    double s;        /* rising pairs minus falling pairs */
    double variance; /* of s if there is no trend, ties taken into account */
    double z;        /* with continuity correction; > 0: rising. 0 if variance is 0 */
    double p;        /* two-sided; 1 if variance is 0 */
    double slope;    /* Theil-Sen: median of the pairs' slopes, in values per unit of x */
    struct interval slope_interval;
};

/* Judge `n` (capped at TREND_POINTS_MAX: the last ones) values at places `x`, strictly ascending;
 * NULL: 0, 1, 2, ... `level` is the coverage of the slope's interval. With n < 2 there is no slope
 * (NaN), s is 0 and p is 1. */
void trend_test(const double *x, const double *values, size_t n, double level, struct trend *out);

#endif
