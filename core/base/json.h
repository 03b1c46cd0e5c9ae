/* json: strict reading and careful writing of JSON. Room: base. Threads: [any], no shared state.
 * Reading is jansson's (RFC 8259; duplicate keys, NaN, trailing text, bad UTF-8 refused). Writing
 * goes straight into a `struct bytes`. */
#ifndef PADDOCK_BASE_JSON_H
#define PADDOCK_BASE_JSON_H

#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parse a whole document of any type; nesting at most 64. On failure ERR_MALFORMED_JSON with line
 * and column. The caller owns the result (json_decref). */
json_t *json_read(const char *text, size_t len, struct err *e) MUST_CHECK;

/* Append a JSON string literal of `text` (quotes included), escaping as RFC 8259 requires. */
void json_put_string(struct bytes *b, const char *text);
void json_put_stringn(struct bytes *b, const char *text, size_t len);
/* Append the shortest decimal that reads back as the same double; "null" if not finite. */
void json_put_number(struct bytes *b, double value);
/* Append a quoted RFC 3339 time; 0 gives null. */
void json_put_time(struct bytes *b, int64_t wall_ms);
/* Append a compact serialization of any jansson value (keys in insertion order). */
void json_put_value(struct bytes *b, const json_t *value);

/* Helpers that write `"key":` and the value, with a leading comma unless the buffer ends in
 * '{', '[' or is empty. NULL text gives null. */
void json_key(struct bytes *b, const char *key);
void json_kv_string(struct bytes *b, const char *key, const char *text);
void json_kv_int(struct bytes *b, const char *key, int64_t n);
void json_kv_number(struct bytes *b, const char *key, double value);
void json_kv_bool(struct bytes *b, const char *key, bool value);
void json_kv_time(struct bytes *b, const char *key, int64_t wall_ms);
void json_kv_raw(struct bytes *b, const char *key, const char *json); /* NULL gives null */

/* JSON merge patch (RFC 7396): a new reference to the patched value; neither input changes. */
json_t *json_merge(const json_t *target, const json_t *patch);

#endif
