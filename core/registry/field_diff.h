/* field_diff: what differs between two structs of one field table. Room: registry. Threads: pure,
 * [any]. */
#ifndef PADDOCK_REGISTRY_FIELD_DIFF_H
#define PADDOCK_REGISTRY_FIELD_DIFF_H

#include "base/field.h"

#include <stdbool.h>
#include <stdint.h>

/* Bit i is set if the values of table[i] differ. JSON values compare as JSON does: the order of an
 * object's members means nothing. */
uint64_t fields_diff(const struct field *table, const void *a, const void *b);
/* Bit i is set if table[i] has one of these flags. */
uint64_t fields_flagged(const struct field *table, unsigned flags);
/* The bit of a field by name; 0 if there is none. */
uint64_t field_bit(const struct field *table, const char *name);
/* Copy the values of the fields whose bits are set (texts are shared, not copied). */
void fields_copy(const struct field *table, uint64_t which, void *to, const void *from);

#endif
