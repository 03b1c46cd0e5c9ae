/* token: the pieces of JSON text, read strictly (RFC 8259). Room: telemetry. Threads: pure, [any].
 *
 * Each function reads at `p` and returns where it stopped, or NULL if the text is malformed there.
 * The text ends at `end`, where a byte below 0x20 must be readable (a NUL, a line feed). */
#ifndef PADDOCK_TELEMETRY_TOKEN_H
#define PADDOCK_TELEMETRY_TOKEN_H

#include "base/bytes.h"

#include <stddef.h>

/* Text that is borrowed: from the input, or from a scratch buffer. */
struct span {
    const char *text;
    size_t len;
};

#define TOKEN_DEPTH_MAX 64 /* nesting, as for every other body */

const char *token_skip_space(const char *p, const char *end);

static inline const char *token_space(const char *p, const char *end)
{
    return (unsigned char)*p <= ' ' ? token_skip_space(p, end) : p;
}

/* A string, `p` behind its opening quote. The value is valid UTF-8 without NUL. A string with
 * escapes is decoded to the end of `scratch`, which the caller empties before each record. */
const char *token_string(const char *p, const char *end, struct span *value, struct bytes *scratch);
/* The same, when the string is not plain ASCII; `start` is its beginning. */
const char *token_string_slow(const char *start, const char *end, struct span *value,
                              struct bytes *scratch);

/* Any value, checked but not kept; at most `depth` levels of nesting. Equal keys of one object are
 * not noticed. */
const char *token_skip(const char *p, const char *end, int depth, struct bytes *scratch);

/* "a string", "an object" ...: what kind of value begins at `p`, for messages. */
const char *token_kind(const char *p);

#endif
