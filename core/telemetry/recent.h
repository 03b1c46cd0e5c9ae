/* recent: exact statistics of a ring's samples. Room: telemetry. Threads: pure, [any]. */
#ifndef PADDOCK_TELEMETRY_RECENT_H
#define PADDOCK_TELEMETRY_RECENT_H

#include "telemetry/ring.h"

#include <stddef.h>
#include <stdint.h>

#define RECENT_QUANTILES_MAX 24

struct recent {
    size_t n;
    double min, max, sum;
    double quantiles[RECENT_QUANTILES_MAX]; /* nearest rank; undefined if n is 0 */
};

/* How many samples have a time within from..to seconds (exclusive)? */
size_t recent_count(const struct ring_sample *samples, size_t n, uint32_t from, uint32_t to);
/* Keep only those, in their order; returns how many. */
size_t recent_filter(struct ring_sample *samples, size_t n, uint32_t from, uint32_t to);
/* Look at all samples: `k` quantiles of them and the rest. */
void recent_look(const struct ring_sample *samples, size_t n, const double *qs, size_t k,
                 struct recent *out);

#endif
