/* discovery: many tests at once. Room: stats. Threads: [any], pure.
 *
 * Benjamini and Hochberg 1995: of the tests that are called significant at adjusted p <= q, a
 * share of q is false on average, if the tests are independent or positively dependent. */
#ifndef PADDOCK_STATS_DISCOVERY_H
#define PADDOCK_STATS_DISCOVERY_H

#include <stddef.h>

/* Write to `adjusted` (may be `p` itself) the smallest false discovery rate at which each of the
 * `n` tests is significant. NaN is no test: it stays NaN and does not count. */
void discovery_adjust(const double *p, size_t n, double *adjusted);

/* The coverage at which the intervals of the significant tests keep their promise all together
 * (false coverage rate q, Benjamini and Yekutieli 2005): 1 - q r / m for r of m tests significant.
 * At this level a symmetric interval leaves out 0 exactly for these. With r = 0 that of r = 1. */
double discovery_level(const double *adjusted, size_t n, double q);

#endif
