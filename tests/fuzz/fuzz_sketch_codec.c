/* The sketch codec: any bytes are refused and leave the sketch they were to be merged into as it
 * was, or they are exactly what the encoder writes for what was read. Each input is tried as it is
 * and with its checksum put right, which no fuzzer would hit upon. */
#include "base/hash.h"
#include "stats/codec.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_encoding(const struct sketch *s, const void *data, size_t len)
{
    struct bytes out = BYTES_INIT(SKETCH_ENCODED_MAX);
    require(sketch_encode(s, &out));
    require(out.len == len && memcmp(out.data, data, len) == 0);
    bytes_release(&out);
}

static void query(const struct sketch *s)
{
    double lo, hi, last = 0;
    for (double q = 0; q <= 1; q += 0.25) {
        const double value = sketch_quantile(s, q);
        sketch_rank_bounds(s, q, &lo, &hi);
        require(s->count == 0 || (lo <= value && value <= hi && value >= last));
        require(!isnan(sketch_quantile_promql(s, q)) || s->count == 0);
        last = value;
    }
    uint64_t total = s->zero + s->underflow + s->overflow, count;
    uint32_t cursor = 0;
    int32_t index;
    while (sketch_next(s, &cursor, &index, &count))
        total += count;
    require(total == s->count);
}

/* Merge into a sketch of `scale` that holds something already. */
static void merge(const struct sketch *decoded, const void *data, size_t len, int scale)
{
    struct sketch direct, merged;
    sketch_init(&direct, scale);
    sketch_init(&merged, scale);
    for (double value = 10; value < 40; value *= 1.7) {
        sketch_add(&direct, value);
        sketch_add(&merged, value);
    }
    const bool expected = decoded && sketch_merge(&direct, decoded);
    require(sketch_merge_bytes(&merged, data, len, NULL) == expected);
    struct bytes out = BYTES_INIT(SKETCH_ENCODED_MAX);
    require(sketch_encode(&direct, &out));
    require_encoding(&merged, out.data, out.len);
    bytes_release(&out);
    sketch_release(&direct);
    sketch_release(&merged);
}

static void try(const void *data, size_t len)
{
    struct sketch s;
    struct sketch_summary summary;
    const bool good = sketch_decode(&s, data, len, NULL);
    if (good) {
        require_encoding(&s, data, len);
        require(sketch_peek(&summary, data, len, NULL) && summary.count == s.count);
        query(&s);
    } else {
        require(s.count == 0 && s.pages == 0);
    }
    merge(good ? &s : NULL, data, len, len % 4 ? 7 : 5);
    sketch_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try(data, len);
    if (len < 4)
        return 0;
    uint8_t *sealed = malloc(len);
    require(sealed != NULL);
    memcpy(sealed, data, len);
    const uint32_t sum = checksum32(data, len - 4);
    for (int i = 0; i < 4; i++)
        sealed[len - 4 + (size_t)i] = (uint8_t)(sum >> (8 * i));
    try(sealed, len);
    free(sealed);
    return 0;
}
