/* tier: the grids of time on which records are counted. Room: telemetry. Threads: constants. */
#ifndef PADDOCK_TELEMETRY_TIER_H
#define PADDOCK_TELEMETRY_TIER_H

#include <stdint.h>

enum tier {
    TIER_5S, /* in memory only, since this start */
    TIER_MINUTE,
    TIER_QUARTER, /* 15 minutes */
    TIER_HOUR,
    TIER_6H, /* as far as the retention goes, on disk */
    TIER_COUNT,
};

struct tier_form {
    const char *series; /* "1m": its part of the series' keys */
    int64_t slot_ms;
    int64_t slots;     /* kept, the open one included; 0: by retention */
    int scale;         /* of its sketches */
    int64_t window_ms; /* serves windows up to this */
};

extern const struct tier_form TIERS[TIER_COUNT];

static inline int64_t slot_start(enum tier tier, int64_t ms)
{
    return ms - ms % TIERS[tier].slot_ms;
}

/* The first slot that a tier still covers at `now`. */
int64_t tier_oldest(enum tier tier, int64_t now, int64_t retention_ms);

#endif
