#include "api/selection_fields.h"

#include <stddef.h>

#define REF(member) offsetof(struct selection_body, member)
#define TEXT(name_, max_, doc_)                                                              \
    {                                                                                        \
        .name = #name_, .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = REF(name_), \
        .min = 1, .max = max_, .doc = doc_                                                   \
    }
#define QUESTION                                                                                   \
    TEXT(route, 193, "The route asked. Either this, or model_name, or what is to match."),         \
        TEXT(model_name, 128, "The route of this name."),                                          \
        TEXT(sport, 128, "Models of this sport; no route is needed."),                             \
        TEXT(type, 128, "Models of this type."),                                                   \
        TEXT(deployment_target, 128, "Only models deployed there."),                               \
        {.name = "labels",                                                                         \
         .type = FIELD_OBJECT,                                                                     \
         .flags = FIELD_NULLABLE,                                                                  \
         .offset = REF(labels),                                                                    \
         .max = 65536,                                                                             \
         .doc = "Models with these labels."},                                                      \
        TEXT(strategy, 128, "Instead of the route's."),                                            \
    {                                                                                              \
        .name = "explain", .type = FIELD_BOOL, .offset = REF(explain), .doc = "Adds `candidates`." \
    }

const struct field SELECTION_FIELDS[] = {
    QUESTION,
    {.name = "context",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(context),
     .max = 262144,
     .doc = "What is known of who asks; the route's unit is a member of it. At most 256 members."},
    TEXT(previous_decision_id, 512, "Keeps the unit where this decision put it, if it may stay."),
    {0},
};

const struct field SELECTION_BATCH_FIELDS[] = {
    QUESTION,
    {.name = "contexts",
     .type = FIELD_ANY,
     .flags = FIELD_REQUIRED,
     .offset = REF(contexts),
     .max = 1 << 20,
     .doc = "1 to 1,000 contexts, answered in this order."},
    {0},
};

#undef REF
#define REF(member) offsetof(struct explain_body, member)

const struct field EXPLAIN_FIELDS[] = {
    {.name = "route",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(route),
     .min = 1,
     .max = 193,
     .doc = "The route that was asked, as it was called then."},
    {.name = "context",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(context),
     .max = 262144,
     .doc = "What was known of who asked; the route's unit is a member of it."},
    {.name = "at",
     .type = FIELD_TIME,
     .flags = FIELD_REQUIRED,
     .offset = REF(at),
     .doc = "When that was."},
    {0},
};
