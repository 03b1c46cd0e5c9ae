#include "validation/regression.h"

#include "base/json.h"

#include <math.h>

#define REF(member) offsetof(struct regression, member)

const struct field REGRESSION_FIELDS[] = {
    {.name = "test_id", .type = FIELD_STRING, .offset = REF(test_id)},
    {.name = "measurement", .type = FIELD_STRING, .offset = REF(measurement)},
    {.name = "baseline", .type = FIELD_NUMBER, .offset = REF(baseline)},
    {.name = "candidate", .type = FIELD_NUMBER, .offset = REF(candidate)},
    {.name = "delta",
     .type = FIELD_NUMBER,
     .offset = REF(delta),
     .doc = "Candidate less baseline; with better `target`, of the distances from it."},
    {.name = "delta_ratio",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = REF(delta_ratio),
     .doc = "As a share of the baseline's size; null if that is 0."},
    {.name = "p_value",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = REF(p_value),
     .max = 1,
     .doc = "Two-sided, adjusted for all comparisons of the run; null without samples."},
    {.name = "severity", .type = FIELD_ENUM, .offset = REF(severity), .choices = SEVERITY_NAMES},
    {.name = "policy", .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = REF(policy)},
    {.name = "reason", .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = REF(reason)},
    {0},
};

void regression_encode(const struct regression *r, struct bytes *out)
{
    bytes_char(out, '{');
    fields_encode(REGRESSION_FIELDS, r, false, out);
    json_key(out, "confidence");
    if (isnan(r->confidence.lo) || isnan(r->confidence.hi)) {
        bytes_text(out, "null");
    } else {
        bytes_char(out, '[');
        json_put_number(out, r->confidence.lo);
        bytes_char(out, ',');
        json_put_number(out, r->confidence.hi);
        bytes_char(out, ']');
    }
    bytes_char(out, '}');
}

bool regression_decode(const json_t *object, struct arena *a, struct regression *out, struct err *e)
{
    *out = (struct regression){.test_id = "",
                               .measurement = "",
                               .target = NAN,
                               .delta_ratio = NAN,
                               .confidence = {NAN, NAN},
                               .p_value = NAN,
                               .severity = SEVERITY_NAMES[SEVERITY_NONE]};
    if (!fields_decode_stored(REGRESSION_FIELDS, object, "regression", out, a, e))
        return false;
    const json_t *pair = json_object_get(object, "confidence");
    const json_t *lo = json_array_get(pair, 0), *hi = json_array_get(pair, 1);
    if (json_is_number(lo) && json_is_number(hi))
        out->confidence = (struct interval){json_number_value(lo), json_number_value(hi)};
    return true;
}
