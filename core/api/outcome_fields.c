#include "api/outcome_fields.h"

#include "base/ids.h"
#include "selection/outcomes.h"

#include <stddef.h>

#define SCORES_MAX  16
#define REF(member) offsetof(struct outcome_body, member)

static void check_scores(const json_t *value, const char *pointer, struct faults *f)
{
    const char *name;
    json_t *score;
    char below[300];
    if (json_object_size(value) == 0 || json_object_size(value) > SCORES_MAX)
        fault_add(f, &ERR_INVALID, pointer, "must have 1 to %d scores", SCORES_MAX);
    json_object_foreach((json_t *)value, name, score) {
        pointer_join(below, sizeof below, pointer, name);
        if (!token_printable(name, OUTCOME_NAME_MAX))
            fault_add(f, &ERR_INVALID, below, "its name must be 1 to %d printable characters",
                      OUTCOME_NAME_MAX);
        if (!json_is_number(score))
            fault_add(f, &ERR_INVALID, below, "must be a number");
    }
}

const struct field OUTCOME_FIELDS[] = {
    {.name = "decision_id",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(decision_id),
     .min = 1,
     .max = 512,
     .doc = "Of the selection that it came of."},
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(model_id),
     .min = 1,
     .max = 400,
     .doc = "The shadow that is scored; left out for who served."},
    {.name = "scores",
     .type = FIELD_OBJECT,
     .flags = FIELD_REQUIRED,
     .offset = REF(scores),
     .max = 8192,
     .check_json = check_scores,
     .doc = "1 to 16 names with a number each, such as reward. No latency: inference records carry "
            "it."},
    {.name = "at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = REF(at),
     .doc = "When it was so; now unless given."},
    {0},
};
