/* tokens: the body of an encoded sketch (stats/codec.h). Room: stats. Threads: [any], pure.
 *
 * Each token is a varint, by its low bits:
 *
 *     ...0   the next bucket counts token / 2 values
 *     ..01   token / 4 empty buckets, then one that counts 1 value
 *     ..11   token / 4 empty buckets; a token ...0 with a count of 2 or more follows
 *
 * A body begins with a token ...0, does not end with ..11, and no number in it is 0. */
#ifndef PADDOCK_STATS_TOKENS_H
#define PADDOCK_STATS_TOKENS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Initialise p, end, span and total; leave the rest 0. */
struct tokens {
    const uint8_t *p, *end;
    uint32_t span;  /* cells that the tokens must cover */
    uint64_t total; /* what the counts must add up to */
    uint32_t cell;  /* progress */
    uint64_t seen;
    bool open; /* the last token was ..11 */
    bool bad;
};

/* Read a varint (LEB128, shortest form, 64 bits). Returns what follows it, or NULL. */
const uint8_t *varint_read(const uint8_t *p, const uint8_t *end, uint64_t *out) MUST_CHECK;

/* The next count and its cell, 0 .. span - 1; false at the end or at a fault. */
bool tokens_next(struct tokens *t, uint32_t *cell, uint64_t *count) MUST_CHECK;
/* After the last token: was the body right in every respect? */
bool tokens_done(const struct tokens *t) MUST_CHECK;

/* All at once, fast: counts[cell] += count * times for cells 0 .. span - 1. False if something is
 * wrong, with some of it added; the same call with the negated `times` then takes that back. */
bool tokens_add(struct tokens *t, uint32_t *counts, uint32_t times) MUST_CHECK;

#endif
