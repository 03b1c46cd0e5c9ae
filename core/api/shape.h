/* shape: a short notation for JSON Schema, for answers that no field table describes. Room: api.
 * Threads: pure.
 *
 *   s string   t date-time   i integer   n number   b boolean   any anything
 *   (a|b|c) one of these strings      [x] array      {k:x m~:y} object, ~ marks a member that may
 * be missing
 *   {*:x} object of any names         @Name another schema         a trailing ? allows null */
#ifndef PADDOCK_API_SHAPE_H
#define PADDOCK_API_SHAPE_H

#include "base/bytes.h"

/* Append the schema that `shape` stands for. The notation is checked by a test; what is wrong in it
 * aborts. */
void shape_schema(const char *shape, struct bytes *out);

#endif
