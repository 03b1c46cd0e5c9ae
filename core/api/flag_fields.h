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

struct simulation {
    int64_t population;   /* -1: not given */
    const char *contexts; /* JSON array */
    const char *draft;    /* JSON object; NULL: none */
    const char *draft_policy_source;
    int64_t at; /* 0: now */
};
extern const struct field SIMULATION_FIELDS[];

#endif
