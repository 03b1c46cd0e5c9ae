/* moments: count, mean, minimum, maximum and variance of a stream of numbers. Room: stats.
 * Threads: one owner.
 *
 * Sources: Welford 1962 for one value; Chan, Golub, LeVeque 1979 for merging. Any finite values.
 * Other than a sketch, the last digits may depend on the order of values and merges. */
#ifndef PADDOCK_STATS_MOMENTS_H
#define PADDOCK_STATS_MOMENTS_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

/* All zero is the empty state. */
struct moments {
    uint64_t count;
    double mean, min, max; /* meaningless while count is 0 */
    double squares;        /* sum of squared deviations from the mean */
};

/* Count a finite value. */
void moments_add(struct moments *m, double value);
void moments_merge(struct moments *dst, const struct moments *src);
/* Sample variance (divisor count - 1); 0 for one value, NaN for none. */
double moments_variance(const struct moments *m);

#define MOMENTS_ENCODED_SIZE 45

/* Append MOMENTS_ENCODED_SIZE bytes: version (1), count, mean, min, max, squares (8 bytes each,
 * little-endian), checksum32() of these. False if `out` is full. */
bool moments_encode(const struct moments *m, struct bytes *out) MUST_CHECK;
/* Read them back; ERR_CORRUPT if they are not what moments_encode() wrote (`m` is then empty). */
bool moments_decode(struct moments *m, const void *data, size_t len, struct err *e) MUST_CHECK;

#endif
