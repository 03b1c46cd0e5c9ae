#include "api/run_fields.h"

#include "registry/document.h"
#include "registry/model_fields.h"

#include <stddef.h>

#define REF(member) offsetof(struct run_body, member)

const struct field RUN_BODY_FIELDS[] = {
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(model_id),
     .min = 1,
     .max = 400,
     .doc = "The model, by id or name@alias."},
    {.name = "types",
     .type = FIELD_STRINGS,
     .offset = REF(types),
     .max = 100,
     .check = identifier_fault,
     .doc = "Only tests of these types; empty: all."},
    {.name = "test_ids",
     .type = FIELD_STRINGS,
     .offset = REF(test_ids),
     .max = 1000,
     .check = identifier_fault,
     .doc = "Only these tests, whatever triggers them; empty: all that a run by hand triggers."},
    {.name = "baseline_model_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(baseline_model_id),
     .min = 1,
     .max = 400,
     .doc = "Compare with this model's newest passed run; null: by the order of precedence."},
    {.name = "trial",
     .type = FIELD_BOOL,
     .offset = REF(trial),
     .doc = "It counts for nothing: no gate, baseline, history or alert."},
    {.name = "labels",
     .type = FIELD_OBJECT,
     .offset = REF(labels),
     .max = 65536,
     .check_json = labels_check,
     .doc = "Kept with the run."},
    {.name = "wait_ms",
     .type = FIELD_INT,
     .offset = REF(wait_ms),
     .max = 60000,
     .doc = "Answer when it has ended, or after this time."},
    {0},
};
