#include "registry/registered_model_fields.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/command.h"
#include "registry/model_fields.h"
#include "registry/severity.h"

#include <math.h>
#include <stddef.h>

static const char *test_type_fault(const char *text)
{
    return *text ? NULL : "must not be empty";
}

static const struct field SLO_FIELDS[] = {
    {.name = "latency_p95_ms",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct slo, latency_p95_ms),
     .max = 86400000},
    {.name = "latency_p99_ms",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct slo, latency_p99_ms),
     .max = 86400000},
    {.name = "error_rate_ratio",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct slo, error_rate_ratio),
     .max = 1},
    {.name = "min_inferences_per_minute",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct slo, min_inferences_per_minute),
     .max = 1e12},
    {0},
};

static const struct field GATE_RULE_FIELDS[] = {
    {.name = "require_types",
     .type = FIELD_STRINGS,
     .offset = offsetof(struct gate_rule, require_types),
     .max = 32,
     .check = test_type_fault,
     .doc = "Test types that must have passed."},
    {.name = "max_age_seconds",
     .type = FIELD_INT,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct gate_rule, max_age_seconds),
     .max = 315360000,
     .doc = "How old the evidence may be; null: any age."},
    {.name = "max_severity",
     .type = FIELD_ENUM,
     .offset = offsetof(struct gate_rule, max_severity),
     .choices = SEVERITY_NAMES,
     .doc = "The worst regression that may pass."},
    {.name = "require_experiment",
     .type = FIELD_BOOL,
     .offset = offsetof(struct gate_rule, require_experiment),
     .doc = "Must have won an experiment."},
    {0},
};

static const struct field GATES_FIELDS[] = {
    {.name = "canary",
     .type = FIELD_NESTED,
     .offset = offsetof(struct gates, canary),
     .sub = GATE_RULE_FIELDS},
    {.name = "stable",
     .type = FIELD_NESTED,
     .offset = offsetof(struct gates, stable),
     .sub = GATE_RULE_FIELDS},
    {0},
};

static const struct field NIGHTLY_FIELDS[] = {
    {.name = "enabled", .type = FIELD_BOOL, .offset = offsetof(struct nightly, enabled)},
    {.name = "hour_utc",
     .type = FIELD_INT,
     .offset = offsetof(struct nightly, hour_utc),
     .max = 23,
     .doc = "When it begins; by default the configured hour."},
    {.name = "end_hour_utc",
     .type = FIELD_INT,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct nightly, end_hour_utc),
     .max = 23,
     .doc = "null: no end."},
    {0},
};

#define REF(member) offsetof(struct registered_model_fields, member)

const struct field REGISTERED_MODEL_FIELDS[] = {
    {.name = "namespace",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED,
     .offset = REF(ns),
     .max = 128,
     .doc = "The namespace it lives in."},
    {.name = "name",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(name),
     .min = 1,
     .max = MODEL_NAME_CHARS,
     .check = model_name_fault,
     .doc = "Unique in the namespace; another name in a PATCH renames it with all its versions."},
    {.name = "description",
     .type = FIELD_STRING,
     .offset = REF(description),
     .max = 65536,
     .check = text64k_fault,
     .doc = "For people; at most 64 KiB."},
    FIELD_LABELS(REF(labels)),
    {.name = "aliases",
     .type = FIELD_OBJECT,
     .flags = FIELD_SERVER,
     .offset = REF(aliases),
     .doc = "Each alias and the model it points at."},
    {.name = "versions",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(versions),
     .max = 9007199254740992.0,
     .doc = "How many models have this name."},
    {.name = "last_version_number",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(last_version_number),
     .max = 9007199254740992.0,
     .doc = "The greatest whole number that was ever a version of it."},
    {.name = "stable_model_id",
     .type = FIELD_STRING,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(stable_model_id),
     .doc = "@stable: the stable version promoted last."},
    {.name = "previous_stable_model_id",
     .type = FIELD_STRING,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(previous_stable_model_id),
     .doc = "@previous: the newest former stable that is deprecated and not held."},
    {.name = "slo",
     .type = FIELD_NESTED,
     .offset = REF(slo),
     .sub = SLO_FIELDS,
     .doc = "Thresholds of its health; null: the configured ones."},
    {.name = "gate",
     .type = FIELD_NESTED,
     .offset = REF(gate),
     .sub = GATES_FIELDS,
     .doc = "What promotions demand."},
    {.name = "nightly",
     .type = FIELD_NESTED,
     .offset = REF(nightly),
     .sub = NIGHTLY_FIELDS,
     .doc = "When its versions are tested each night."},
    {.name = "created_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = REF(created_at),
     .doc = "When it was registered."},
    {.name = "updated_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = REF(updated_at),
     .doc = "When it last changed."},
    {.name = "revision",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(revision),
     .min = 1,
     .max = 9007199254740992.0,
     .doc = "Grows by one with each change; also the ETag."},
    {0},
};

void registered_model_fields_init(struct registered_model_fields *f, const char *ns,
                                  const struct rules *rules)
{
    struct gate_rule rule = {
        .require_types = "[]", .max_age_seconds = INT64_MIN, .max_severity = "medium"};
    if (rules) {
        rule.max_age_seconds = rules->gate_max_age_seconds;
        rule.max_severity = rules->gate_max_severity ? rules->gate_max_severity : rule.max_severity;
    }
    *f = (struct registered_model_fields){
        .ns = ns,
        .description = "",
        .labels = "{}",
        .aliases = "{}",
        .slo = {NAN, NAN, NAN, NAN},
        .gate = {rule, rule},
        .nightly = {true, rules ? rules->nightly_hour_utc : 2, INT64_MIN},
    };
}

bool registered_model_fields_read(const struct registered_model *r, struct arena *a,
                                  struct registered_model_fields *out, struct err *e)
{
    registered_model_fields_init(out, r->entity.ns, NULL);
    return fields_read_stored(REGISTERED_MODEL_FIELDS, r->entity.json, r->entity.json_len,
                              "registered model", out, a, e);
}

struct entity *registered_model_fields_write(const struct registered_model_fields *f, uint64_t uid,
                                             struct intern *names, struct err *e)
{
    struct bytes b = BYTES_INIT(ENTITY_TEXT_MAX + ENTITY_TEXT_ROOM);
    struct entity *made = NULL;
    fields_encode_object(REGISTERED_MODEL_FIELDS, f, false, &b);
    if (b.full)
        fail(e, &ERR_INVALID, "the registered model would have more than %zu bytes as JSON", b.max);
    else
        made = registered_model_parse(f->ns, f->name, uid, b.data, b.len, names, e);
    bytes_release(&b);
    return made;
}
