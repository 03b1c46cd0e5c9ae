#include "telemetry/series.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void series_key(const char *space, int tier, uint64_t uid, char out[SERIES_KEY_SIZE])
{
    snprintf(out, SERIES_KEY_SIZE, "telemetry%s/%s/%" PRIu64, space,
             tier < 0 ? "model" : TIERS[tier].series, uid);
}

uint64_t series_key_uid(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? strtoull(slash + 1, NULL, 10) : 0;
}

/* --- waiting --- */

/* --- slots --- */

const void *slot_row_make(struct arena *a, const void *bytes, size_t len, size_t *row_len)
{
    uint32_t checksum = checksum32(bytes, len);
    *row_len = sizeof checksum + len;
    char *row = arena_zero(a, *row_len);
    memcpy(row, &checksum, sizeof checksum);
    memcpy(row + sizeof checksum, bytes, len);
    return row;
}

const void *slot_row_open(const void *row, size_t row_len, size_t *len)
{
    uint32_t checksum;
    if (row_len < sizeof checksum)
        return NULL;
    memcpy(&checksum, row, sizeof checksum);
    *len = row_len - sizeof checksum;
    const char *bytes = (const char *)row + sizeof checksum;
    return checksum32(bytes, *len) == checksum ? bytes : NULL;
}
