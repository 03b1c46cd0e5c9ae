/* tally: what is counted in one slot of time: latencies, failures by type, scores. Room: telemetry.
 * Threads: one owner (or an outer lock).
 *
 * Error types and score names are numbers of the model's dictionary (telemetry/words.h); the number
 * KIND_OTHER collects what came after the dictionary was full. */
#ifndef PADDOCK_TELEMETRY_TALLY_H
#define PADDOCK_TELEMETRY_TALLY_H

#include "base/bytes.h"
#include "base/err.h"
#include "stats/moments.h"
#include "stats/sketch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KINDS_MAX  64 /* error types of a model, and score names */
#define KIND_OTHER KINDS_MAX

struct tally {
    struct sketch latency; /* its count is that of all records */
    uint64_t failure, skewed, mismatched;
    uint32_t n_errors, n_scores; /* lengths of the arrays */
    uint64_t *errors;
    struct moments *scores;
};

void tally_init(struct tally *t, int scale);
void tally_release(struct tally *t);
/* Empty it, keep the memory. */
void tally_clear(struct tally *t);

void tally_add_error(struct tally *t, uint32_t kind);
void tally_add_score(struct tally *t, uint32_t name, double value);

/* Add `src`, of the same or a finer scale. */
void tally_merge(struct tally *dst, const struct tally *src);

#define TALLY_ENCODED_MAX (128 * 1024)
/* Append the compact form: version, varints of the counts, the scores, then the sketch
 * (stats/codec.h). */
bool tally_encode(const struct tally *t, struct bytes *out) MUST_CHECK;
/* An encoded tally, with what its kinds are in the dictionary it is added to; NULL: the same. */
struct tally_kinds {
    uint8_t errors[KINDS_MAX + 1], names[KINDS_MAX + 1];
};
struct tally_bytes {
    const void *data;
    size_t len;
    const struct tally_kinds *kinds;
};
bool tally_merge_kinds(struct tally *dst, const struct tally_bytes *b, struct err *e) MUST_CHECK;
/* Add an encoded tally of the same or a finer scale. ERR_CORRUPT if it is none; `dst` may then hold
 * part of it. */
bool tally_merge_bytes(struct tally *dst, const void *data, size_t len, struct err *e) MUST_CHECK;

size_t tally_memory(const struct tally *t);

#endif
