/* scan: read our own compact JSON text without building a tree. Room: registry. Threads: pure,
 * [any].
 *
 * Entities keep their canonical text; loading 100,000 of them, searching descriptions and matching
 * labels look at single members of it, which this does without an allocation. The text is the one
 * json.h writes (no white space); anything else is damage and is reported, never guessed at. */
#ifndef PADDOCK_REGISTRY_SCAN_H
#define PADDOCK_REGISTRY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of a text, not NUL-terminated. */
struct slice {
    const char *at; /* NULL: not there */
    size_t len;
};

struct scan {
    const char *at, *end;
    char closer; /* '}' or ']' */
    bool first, bad;
};

/* Begin reading an object or an array; a text that is none is `bad` at the first step. */
struct scan scan_open(struct slice text, char opener);
/* The next member: its key as written between the quotes (still escaped), and its value. False at
 * the end or at damage: scan_ended() tells which. */
bool scan_member(struct scan *s, struct slice *key, struct slice *value);
/* The next item of an array. */
bool scan_item(struct scan *s, struct slice *value);
/* Did the scan reach the closing bracket, with nothing after it? */
bool scan_ended(const struct scan *s);

/* Find the members called names[0..n-1] (plain ASCII) of an object; those it lacks get at = NULL.
 * Fastest when the names come in the text's order. False if the text is damaged. */
bool scan_pick(struct slice object, const char *const *names, size_t n, struct slice *out);

/* The JSON value that begins at `at`; {NULL, 0} at damage. */
struct slice scan_value(const char *at, const char *end);
static inline bool slice_is_string(struct slice s)
{
    return s.at && s.len >= 2 && s.at[0] == '"';
}
bool slice_is(struct slice s, const char *text);
/* Write a string literal's characters, unescaped and NUL-terminated, to `out`, which has room for
 * literal.len - 1 bytes at least. Returns the length. */
size_t slice_unescape(struct slice literal, char *out);
/* A literal of decimal digits with an optional sign. */
bool slice_int(struct slice s, int64_t *out);

#endif
