#include "api/policy_fields.h"

#include <stddef.h>

#define REF(member) offsetof(struct policy_draft, member)

static const char *const KINDS[] = {"rollout", "severity", NULL};

const struct field POLICY_DRAFT_FIELDS[] = {
    {.name = "kind",
     .type = FIELD_ENUM,
     .flags = FIELD_REQUIRED,
     .offset = REF(kind),
     .choices = KINDS,
     .doc = "What it answers: who gets what, or how bad a regression is."},
    {.name = "source",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(source),
     .min = 1,
     .max = 65536,
     .doc = "The Lua text, at most 64 KiB."},
    {.name = "input",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(input),
     .max = 262144,
     .doc = "Ask it as well. rollout: context, params, variants (the first is the default), at; "
            "severity: the members of r."},
    {0},
};
