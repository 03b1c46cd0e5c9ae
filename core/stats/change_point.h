/* change_point: where did a short series change its level? Room: stats. Threads: [any], pure.
 *
 * Describes what stats/nightly.h found; it is no alarm (looked at each night it would cry wolf).
 * Places by the energy statistic of E-divisive (Matteson and James 2014): of all splits, with all
 * ends of the right part, the one that is largest; significance by Welch's t test instead of
 * permutations, so that the same series always gives the same answer (as Hunter does, Fleming and
 * Kolaczkowski 2023); then again within both parts. O(n^2) a level. */
#ifndef PADDOCK_STATS_CHANGE_POINT_H
#define PADDOCK_STATS_CHANGE_POINT_H

#include <stdbool.h>
#include <stddef.h>

#define CHANGE_POINTS_MAX   16
#define CHANGE_POINT_VALUES 365 /* of a longer series the newest count */
#define CHANGE_POINT_SIDE   3   /* values on each side of one, at least */

struct change_point {
    size_t at;            /* index of the first value after it */
    double before, after; /* means from the last one to it, and from it to the next one */
    double p;             /* Welch, of these two parts */
};

struct change_point_rules {
    double p;         /* default 1e-4 */
    double magnitude; /* |after - before| / |before| at least; default 0 */
};

/* Up to CHANGE_POINTS_MAX change points of `n` finite values, ascending; returns how many. */
size_t change_points(const double *values, size_t n, const struct change_point_rules *rules,
                     struct change_point *out);

/* Is the series rather a straight line than a level with one step? By the sum of squares that each
 * leaves at its best. A slow ramp looks like a row of steps to change_points(): ask this first. */
bool rather_a_line(const double *values, size_t n);

#endif
