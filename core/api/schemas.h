/* schemas: the named parts of the OpenAPI document. Room: api. Threads: constants. */
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

/* What is in an object that a table only calls an object. Ends with a row without a table. */
struct member_shape {
    const struct field *table;
    const char *member, *shape;
};
extern const struct member_shape MEMBER_SHAPES[];

/* What bodies are called: NameBody, and NamePatch where they are merge patches. Ends likewise. */
struct body_name {
    const struct field *table;
    const char *name;
};
extern const struct body_name BODY_NAMES[];

/* What the groups of operations are about. Ends with a row without a tag. */
struct tag_doc {
    const char *tag, *doc;
};
extern const struct tag_doc TAG_DOCS[];

#endif
