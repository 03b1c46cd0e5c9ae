/* grid: the buckets of the OpenTelemetry exponential histogram at scale 7. Room: stats.
 * Threads: [any], pure.
 *
 * Bucket i covers (2^(i/128), 2^((i+1)/128)], upper edge included, for every sign of i. A coarser
 * scale s has base 2^(1/2^s); its bucket is the scale-7 bucket shifted right by 7 - s, so scales
 * nest and no conversion loses anything. Prometheus native histograms call the same bucket i + 1.
 *
 * Source: OpenTelemetry metrics data model, "ExponentialHistogram"; Prometheus native histograms.
 */
#ifndef PADDOCK_STATS_GRID_H
#define PADDOCK_STATS_GRID_H

#include <stdint.h>
#include <string.h>

#define GRID_SCALE   7       /* of the index below; the finest scale we keep */
#define GRID_LOWEST  0x1p-20 /* the domain of sketches: above this, ... */
#define GRID_HIGHEST 0x1p44  /* ... up to this; that is 64 octaves, */
#define GRID_OCTAVES 64
#define GRID_FIRST   (-20 * 128) /* scale-7 indexes -2560 .. 5631 */
#define GRID_CELLS   (GRID_OCTAVES * 128)

/* What to add to a value's bits so that bit 45 and up are its cell; see grid.c. */
extern const uint64_t grid_words[256];
/* Fraction bits (of 52) of the largest double not above 2^(k/128). */
extern const uint64_t grid_edges[128];

/* Cell of a finite, positive double: its scale-7 bucket, numbered from the domain's lower end. In
 * the domain 0 .. GRID_CELLS - 1, below it negative, above it larger. Exact: no rounding at any
 * edge. Whatever else a double can be (zero, subnormal, negative, infinite, NaN) also gives a
 * number outside 0 .. GRID_CELLS - 1, so one unsigned comparison sorts it all out. */
static inline int32_t grid_cell(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (int32_t)((int64_t)(bits + grid_words[(bits >> 44) & 255]) >> 45);
}

/* The same as OpenTelemetry's bucket index at scale 7. */
static inline int32_t grid_index(double value)
{
    return grid_cell(value) + GRID_FIRST;
}

/* The upper edge of bucket `index` at `scale` (0..7), that is the lower edge of index + 1: the
 * largest double that belongs to the bucket. `index` within the domain, one below it allowed. */
double grid_upper_edge(int32_t index, int scale);

/* The value at `fraction` (0..1, on the log scale) of bucket `index`: 2^((index + fraction) /
 * 2^scale). */
double grid_interpolate(int32_t index, double fraction, int scale);

/* Guaranteed relative error of a value interpolated within its bucket: 2^(1/2^scale) - 1, which is
 * 0.00543 at scale 7, 0.0109 at 6, 0.0219 at 5. */
double grid_error_bound_ratio(int scale);

/* Buckets nearest to a factor of 1 + tolerance (> -1): 18 at scale 7 for 0.10, where the true
 * factor is 2^(18/128) = 1.102. */
int32_t grid_shift(double tolerance, int scale);

#endif
