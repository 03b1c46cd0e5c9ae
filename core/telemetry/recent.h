/* recent: exact quantiles of a ring's samples. Room: telemetry. Threads: pure, [any]. */
#ifndef PADDOCK_TELEMETRY_RECENT_H
#define PADDOCK_TELEMETRY_RECENT_H

#include "telemetry/ring.h"

#include <stddef.h>
#include <stdint.h>

#define RECENT_QUANTILES_MAX 24

/* Summary of the samples whose time is within from..to seconds (exclusive). */
struct recent {
    uint64_t n;
    double min, max, sum;
};
void recent_summary(const struct ring_sample *samples, size_t n, uint32_t from, uint32_t to,
                    struct recent *out);
/* Nearest-rank quantiles of the same samples; `count` of them, as recent_summary() told (> 0). */
void recent_quantiles(const struct ring_sample *samples, size_t n, uint32_t from, uint32_t to,
                      uint64_t count, const double *qs, size_t k, double *out);

#endif
