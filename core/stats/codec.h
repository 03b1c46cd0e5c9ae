/* codec: the compact form of a sketch, for slots that are sealed. Room: stats. Threads: [any].
 *
 * The form is canonical: equal sketches give equal bytes, and only those bytes are accepted back.
 *
 *   u8      0xE1: magic E, version 1
 *   u8      flags: bit 0 = the counters outside the domain follow; other bits 0
 *   u8      scale, 0..7
 *   varint  count; if 0, the checksum follows at once
 *   varint  zero, underflow, overflow           (only with flag bit 0, and then not all 0)
 *   varint  sum, low 64 bits; varint sum, high 64 bits    (unit 2^-20)
 *   f64     min; f64 max                        (little-endian IEEE)
 *   varint  span: cells from the first to the last that is not empty; 0 if all are
 *   varint  zig-zag of the first one's OpenTelemetry index          (only if span > 0)
 *   varint  tokens, see stats/tokens.h
 *   u32     checksum32() of everything before, little-endian
 *
 * Varints are LEB128 in their shortest form. Sizes for lognormal latencies at scale 7: 0.13 kB for
 * 100 values, 0.47 kB for 1,000, 1.6 kB for 1,000,000. */
#ifndef PADDOCK_STATS_CODEC_H
#define PADDOCK_STATS_CODEC_H

#include "base/bytes.h"
#include "base/err.h"
#include "stats/sketch.h"

/* No encoded sketch is larger: a sensible `max` for the buffer. */
#define SKETCH_ENCODED_MAX (96 * 1024)

/* Append the encoding of `s` to `out`. False if `out` is full (then nothing was appended). */
bool sketch_encode(const struct sketch *s, struct bytes *out) MUST_CHECK;

/* Make `s` (not initialised before the call) of exactly `len` bytes. On failure (ERR_CORRUPT) `s`
 * is an empty sketch that holds no memory. */
bool sketch_decode(struct sketch *s, const void *data, size_t len, struct err *e) MUST_CHECK;

/* Add an encoded sketch of the same or a finer scale straight to `dst`: as decode and merge,
 * without the sketch between. On failure `dst` is as before: ERR_CORRUPT for bytes that no
 * sketch_encode() wrote, ERR_INVALID for a coarser scale or a total above SKETCH_COUNT_MAX. */
bool sketch_merge_bytes(struct sketch *dst, const void *data, size_t len, struct err *e) MUST_CHECK;

/* What can be read without the buckets. */
struct sketch_summary {
    int scale;
    uint64_t count;
    double min, max, sum; /* min and max NaN, sum 0 if count is 0 */
};

/* Check the frame (magic, version, checksum, header) and give the summary; the buckets are not
 * read. */
bool sketch_peek(struct sketch_summary *out, const void *data, size_t len, struct err *e)
    MUST_CHECK;

#endif
