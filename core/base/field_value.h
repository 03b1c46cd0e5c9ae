/* field_value: what the files field_*.c share to decode one value. Room: base, only for them.
 * Threads: pure. */
#ifndef PADDOCK_BASE_FIELD_VALUE_H
#define PADDOCK_BASE_FIELD_VALUE_H

#include "base/field.h"

#include <stdbool.h>

#define FIELD_POINTER_MAX 512

/* What one call of decoding carries around. */
struct field_decoding {
    enum decode_mode mode;
    struct arena *arena;
    struct faults *faults;
};

/* One value on its way: where it stands in the input and where it goes. */
struct field_place {
    const struct field *field;
    const char *pointer;
    void *to;
};

/* Add a fault at the place; false. */
#define FIELD_REFUSE(d, p, ...) fault_add((d)->faults, &ERR_INVALID, (p)->pointer, __VA_ARGS__)

/* Decode one value into `p->to`. (field_value.c) */
bool field_value_decode(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value);
/* Accept the value that `p->to` holds already, or any if it holds none: FIELD_FIXED in a patch. */
bool field_value_repeat(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value);
/* Decode an object whose table begins at `p->field`; `seen` may be NULL. (field_decode.c) */
bool field_table_decode(const struct field_decoding *d, const struct field_place *p,
                        const json_t *object, struct field_seen *seen);

#endif
