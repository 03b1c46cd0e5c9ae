/* trend: does a short series rise or fall, and how fast? Room: stats. Threads: [any]; O(n^2), so
 * for series of up to TREND_POINTS_MAX points.
 *
 * Mann-Kendall decides, Theil-Sen measures; both look at all pairs and shrug off outliers.
 * Mann-Kendall assumes points that are independent of each other: neighbours that move together
 * make it fire too often, so ask for a small p (0.001) and for a slope that matters, and whiten
 * what comes night by night. Sources: Mann 1945, Kendall 1975 (variance with ties; tau-b); Sen 1968
 * (slope and interval); Wang and Swail 2001 (prewhitening). */
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
    double tau;      /* Kendall's tau-b of places and values, -1..1; 0 if all values are equal */
    double slope;    /* Theil-Sen: median of the pairs' slopes, in values per unit of x */
    struct interval slope_interval;
};

/* Judge `n` (capped at TREND_POINTS_MAX: the last ones) values at places `x`, strictly ascending;
 * NULL: 0, 1, 2, ... `level` is the coverage of the slope's interval. With n < 2 there is no slope
 * (NaN), s is 0 and p is 1. */
void trend_test(const double *x, const double *values, size_t n, double level, struct trend *out);

/* The same for values at equal distances that depend on their neighbours: s to tau are those of
 * x_t - phi x_(t-1), phi being the lag-1 autocorrelation of what the slope leaves; slope and
 * interval stay those of the values. (To put the slope back in whole before the test, as
 * "trend-free prewhitening" does, brings the false alarms back: 31 % instead of 5 % at phi 0.5.) */
void trend_test_whitened(const double *values, size_t n, double level, struct trend *out);

#endif
