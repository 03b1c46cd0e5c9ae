/* json_match: what a test demands of a JSON value, written as JSON itself.
 *
 * Objects: a subset, members that are not named may be there. Arrays: the same length, unless the
 * first item is "<has>": then some item matches each of the others. Numbers: equal as doubles.
 * Strings: equal, but
 *   <any> anything   <absent> no such member   <number>   <string>   <array N> N items
 *   <time> RFC 3339, UTC, milliseconds         <*text*> a string that contains text
 */
#ifndef PADDOCK_TESTS_SUPPORT_JSON_MATCH_H
#define PADDOCK_TESTS_SUPPORT_JSON_MATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* False: `where` is a pointer to the first difference. `got` may be NULL. */
bool json_match(const json_t *want, const json_t *got, char *where, size_t size);
/* Is `pattern` equal to `text`, or contained in it if written *pattern*? */
bool text_match(const char *pattern, const char *text);
/* The member at a pointer such as /items/0/model_id (no escapes), or NULL. */
const json_t *json_at(const json_t *value, const char *pointer);

#endif
