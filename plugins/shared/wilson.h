/* wilson: the interval of a ratio that was seen k times in n. Plugin code. Threads: pure, [any]. */
#ifndef PADDOCK_PLUGINS_WILSON_H
#define PADDOCK_PLUGINS_WILSON_H

#include <math.h>

/* The end of Wilson's interval at `z` deviations: below the ratio for a negative z, above for a
 * positive one. Without observations 0 or 1. */
static inline double wilson(double k, double n, double z)
{
    if (!(n > 0))
        return z < 0 ? 0 : 1;
    double ratio = fmin(fmax(k / n, 0), 1), square = z * z;
    double mid = ratio + square / (2 * n);
    double reach = z * sqrt(ratio * (1 - ratio) / n + square / (4 * n * n));
    return fmin(fmax((mid + reach) / (1 + square / n), 0), 1);
}

#endif
