#include "telemetry/tier.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Each slot is a whole number of slots of the tier before. One slot more than the window has, for
 * the one that is open. */
const struct tier_form TIERS[TIER_COUNT] = {
    [TIER_5S] = {"5s", 5 * SECOND, 13, 7, MINUTE},     [TIER_MINUTE] = {"1m", MINUTE, 61, 7, HOUR},
    [TIER_QUARTER] = {"15m", 15 * MINUTE, 97, 6, DAY}, [TIER_HOUR] = {"1h", HOUR, 169, 5, 7 * DAY},
    [TIER_6H] = {"6h", 6 * HOUR, 0, 5, INT64_MAX},
};

int64_t tier_oldest(enum tier tier, int64_t now, int64_t retention_ms)
{
    const struct tier_form *t = &TIERS[tier];
    if (t->slots)
        return slot_start(tier, now) - (t->slots - 1) * t->slot_ms;
    int64_t oldest = now - retention_ms;
    return oldest > 0 ? slot_start(tier, oldest) : 0;
}
