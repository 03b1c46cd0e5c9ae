/* schemas: the named schemas of the OpenAPI document. Room: api. Threads: constants. */
#ifndef PADDOCK_API_SCHEMAS_H
#define PADDOCK_API_SCHEMAS_H

#include "base/field.h"

struct schema {
    const char *name;
    const char *doc;
    const struct field *table; /* its members, or NULL */
    const char *shape;         /* with `table`: further members; see shape.h */
    const char *list_of;       /* a page of these */
};

/* Ends with a row without a name. */
extern const struct schema SCHEMAS[];

#endif
