#include "registry/decide.h"

#include <stddef.h>

static const char *const STATUSES[] = {"development", "canary",  "stable",
                                       "deprecated",  "retired", NULL};

const struct field STATUS_FIELDS[] = {
    {.name = "status",
     .type = FIELD_ENUM,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct status_body, status),
     .choices = STATUSES,
     .doc = "Where to."},
    FIELD_REASON(offsetof(struct status_body, reason)),
    {.name = "supersede",
     .type = FIELD_BOOL,
     .offset = offsetof(struct status_body, supersede),
     .doc = "To stable: move the name's other stables to deprecated in the same change; default "
            "true."},
    {.name = "force",
     .type = FIELD_BOOL,
     .offset = offsetof(struct status_body, force),
     .doc =
         "Pass the gate whatever it says, with a reason; marked for ever. A hold is not passed."},
    {0},
};

const struct field HOLD_FIELDS[] = {
    {.name = "reason",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct hold_body, reason),
     .max = 1024,
     .doc = "Why it is held; required here or in the header Paddock-Reason."},
    {0},
};

const struct field ALIAS_FIELDS[] = {
    {.name = "alias",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED,
     .offset = offsetof(struct alias_body, alias),
     .max = 128,
     .doc = "The alias of the path; may be left out."},
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct alias_body, model_id),
     .min = 1,
     .max = 400,
     .doc = "The version it points at: an id, or name@alias."},
    {0},
};

const struct field ROLLBACK_FIELDS[] = {
    {.name = "to",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct rollback_body, to),
     .min = 1,
     .max = 400,
     .doc = "A former stable that is deprecated and not held; null: @previous."},
    FIELD_REASON(offsetof(struct rollback_body, reason)),
    {.name = "dry_run",
     .type = FIELD_BOOL,
     .offset = offsetof(struct rollback_body, dry_run),
     .doc = "Say what would happen and change nothing."},
    {0},
};
