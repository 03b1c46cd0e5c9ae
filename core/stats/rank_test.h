/* rank_test: does one sample tend to be larger than another? Room: stats. Threads: [any], pure.
 *
 * Mann and Whitney 1947. Asks about ranks, so outliers and odd distributions do no harm; it is
 * blind to a change of spread alone. Assumes independent values. */
#ifndef PADDOCK_STATS_RANK_TEST_H
#define PADDOCK_STATS_RANK_TEST_H

#include <stdbool.h>
#include <stddef.h>

#define RANK_TEST_EXACT_MIN 8   /* exact if the smaller sample is this small ... */
#define RANK_TEST_EXACT_MAX 500 /* ... the other no larger than this, and no two values equal */

struct rank_test {
    double u;           /* pairs in which x is the larger, ties counting half */
    double superiority; /* u / (nx ny): P(X > Y) + P(X = Y) / 2; 1/2: no difference */
    double p;           /* two-sided */
    bool exact;
};

/* Compare `nx` values with `ny` (finite; NaN is not allowed). As scipy.stats.mannwhitneyu() by
 * default: exact for small samples without ties (SciPy sets no upper bound to the larger one), else
 * normal with correction for ties and continuity. An empty sample: superiority NaN, p 1. */
struct rank_test rank_test(const double *x, size_t nx, const double *y, size_t ny);

#endif
