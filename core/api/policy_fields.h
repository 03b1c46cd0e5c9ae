/* policy_fields: bodies of the operations on policies. Room: api. Threads: constants. */
#ifndef PADDOCK_API_POLICY_FIELDS_H
#define PADDOCK_API_POLICY_FIELDS_H

#include "base/field.h"

struct policy_draft {
    const char *kind, *source;
    const char *input; /* JSON object, or NULL */
};
extern const struct field POLICY_DRAFT_FIELDS[];

#endif
