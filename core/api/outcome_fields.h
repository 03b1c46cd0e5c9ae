/* outcome_fields: one outcome, as clients send it. Room: api. Threads: constants. */
#ifndef PADDOCK_API_OUTCOME_FIELDS_H
#define PADDOCK_API_OUTCOME_FIELDS_H

#include "base/field.h"

#include <stdint.h>

struct outcome_body {
    const char *decision_id, *model_id;
    const char *scores; /* JSON object */
    int64_t at;         /* 0: now */
};
extern const struct field OUTCOME_FIELDS[];

#endif
