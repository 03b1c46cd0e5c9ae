/* run_fields: what one asks of validation. Room: api. Threads: constants. */
#ifndef PADDOCK_API_RUN_FIELDS_H
#define PADDOCK_API_RUN_FIELDS_H

#include "base/field.h"

#include <stdbool.h>
#include <stdint.h>

/* POST ~/validation/run */
struct run_body {
    const char *model_id, *types, *test_ids, *baseline_model_id, *labels;
    bool trial;
    int64_t wait_ms;
};
extern const struct field RUN_BODY_FIELDS[];

#endif
