#include "api/flag_fields.h"

#include "selection/flag_trial.h"

#include <stddef.h>

#define REF(member) offsetof(struct evaluation, member)

const struct field EVALUATION_FIELDS[] = {
    {.name = "context",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(context),
     .max = 262144,
     .doc = "What is known of who asks; `targetingKey` is the unit. At most 256 members."},
    {.name = "explain",
     .type = FIELD_BOOL,
     .offset = REF(explain),
     .doc = "Adds `trace`: every helper that the policy called, with what it gave."},
    {.name = "at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = REF(at),
     .doc = "What the policy takes for now."},
    {0},
};

#undef REF
#define REF(member) offsetof(struct simulation, member)

const struct field SIMULATION_FIELDS[] = {
    {.name = "population",
     .type = FIELD_INT,
     .offset = REF(population),
     .min = 0,
     .max = TRIAL_POPULATION_MAX,
     .doc =
         "Units `user-0` ... that are asked for, with the contexts in turn; 0: each context once. "
         "100,000 where there are no contexts, else 0."},
    {.name = "contexts",
     .type = FIELD_ANY,
     .offset = REF(contexts),
     .max = 524288,
     .doc = "Up to 10,000 contexts."},
    {.name = "draft",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(draft),
     .max = 524288,
     .doc = "A merge patch of the flag; null: the flag as it is."},
    {.name = "draft_policy_source",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(draft_policy_source),
     .min = 1,
     .max = 65536,
     .doc = "Lua that the flag's policy would be."},
    {.name = "at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = REF(at),
     .doc = "What the policy takes for now."},
    {0},
};
