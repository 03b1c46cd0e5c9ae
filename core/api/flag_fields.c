#include "api/flag_fields.h"

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
