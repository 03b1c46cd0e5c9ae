/* selection_fields: bodies of the operations of selection. Room: api. Threads: constants. */
#ifndef PADDOCK_API_SELECTION_FIELDS_H
#define PADDOCK_API_SELECTION_FIELDS_H

#include "base/field.h"

#include <stdbool.h>
#include <stdint.h>

#define SELECTION_BATCH_MAX 1000

struct selection_body {
    const char *route, *model_name, *sport, *type, *deployment_target;
    const char *labels, *context, *contexts; /* JSON; read from the body itself */
    const char *strategy, *previous_decision_id;
    bool explain;
};
extern const struct field SELECTION_FIELDS[];
extern const struct field SELECTION_BATCH_FIELDS[];

struct explain_body {
    const char *route;
    const char *context; /* JSON object; NULL: {} */
    int64_t at;
};
extern const struct field EXPLAIN_FIELDS[];

#endif
