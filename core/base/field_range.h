/* field_range: the bounds of a field's value or length, as decoding checks and the schema shows
 * them. Room: base, only for field_*.c. Threads: pure. */
#ifndef PADDOCK_BASE_FIELD_RANGE_H
#define PADDOCK_BASE_FIELD_RANGE_H

#include "base/field.h"

#include <math.h>

#define FIELD_TEXT_MAX   65536 /* bytes of a text whose field names no maximum */
#define FIELD_ITEMS_MAX  1000  /* of FIELD_STRINGS */
#define FIELD_ITEM_CHARS 1024  /* of one of them */

/* -INFINITY and INFINITY where the field names none. */
static inline double field_min(const struct field *f)
{
    return f->min == 0 && f->max == 0 ? -INFINITY : f->min;
}

static inline double field_max(const struct field *f)
{
    return f->max == 0 ? INFINITY : f->max;
}

#endif
