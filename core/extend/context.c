#include "extend/context.h"

#include "extend/policy.h"

#include <stdio.h>

#define STR_(x) #x
#define STR(x)  STR_(x)

const char *context_wrong(const json_t *context)
{
    return json_is_object(context) && json_object_size(context) <= CONTEXT_FIELDS_MAX
               ? NULL
               : "must be an object of at most " STR(CONTEXT_FIELDS_MAX) " members";
}

bool context_unit_good(const json_t *context)
{
    const json_t *unit = json_object_get(context, "targetingKey");
    return !unit || json_is_null(unit) || json_is_string(unit) || json_is_integer(unit);
}

bool context_check(const json_t *context, const char *pointer, struct faults *f)
{
    char member[64];
    const char *wrong = context_wrong(context);
    if (wrong)
        return fault_add(f, &ERR_INVALID, pointer, "%s", wrong);
    if (context_unit_good(context))
        return true;
    snprintf(member, sizeof member, "%.40s/targetingKey", pointer);
    return fault_add(f, &ERR_INVALID, member, "must be a text or a whole number");
}
