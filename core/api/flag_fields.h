/* flag_fields: bodies of the operations on flags that are no commands. Room: api. Threads:
 * constants. */
#ifndef PADDOCK_API_FLAG_FIELDS_H
#define PADDOCK_API_FLAG_FIELDS_H

#include "base/field.h"

#include <stdbool.h>
#include <stdint.h>

struct evaluation {
    const char *context; /* JSON object; NULL: {} */
    bool explain;
    int64_t at; /* 0: now */
};
extern const struct field EVALUATION_FIELDS[];

#endif
