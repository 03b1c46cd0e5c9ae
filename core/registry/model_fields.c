#include "registry/model_fields.h"

#include "base/bytes.h"
#include "base/ids.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define REF(member)   offsetof(struct model_fields, member)
#define SET_BY_SERVER (FIELD_SERVER | FIELD_NULLABLE)

static const char *const STATUSES[] = {"development", "canary",  "stable",
                                       "deprecated",  "retired", NULL};

const struct field MODEL_FIELDS[] = {
    {.name = "namespace",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED,
     .offset = REF(ns),
     .max = 128,
     .doc = "The namespace it lives in."},
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED | FIELD_NULLABLE | FIELD_FILLED,
     .offset = REF(model_id),
     .min = 1,
     .max = MODEL_ID_CHARS,
     .check = model_id_fault,
     .doc = "Unique in the namespace; by default name:version."},
    {.name = "name",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED | FIELD_REQUIRED,
     .offset = REF(name),
     .min = 1,
     .max = MODEL_NAME_CHARS,
     .check = model_name_fault,
     .doc = "The registered model it is a version of."},
    {.name = "version",
     .type = FIELD_STRING,
     .flags = FIELD_FROZEN | FIELD_NULLABLE | FIELD_FILLED,
     .offset = REF(version),
     .min = 1,
     .max = MODEL_VERSION_CHARS,
     .check = model_version_fault,
     .doc = "Unique in the name; by default the name's next whole number."},
    {.name = "type",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(type),
     .min = 1,
     .max = 64,
     .doc = "One of the model types that /types lists."},
    {.name = "sport",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(sport),
     .max = 128,
     .doc = "Free text to select by."},
    {.name = "status",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(status),
     .choices = STATUSES,
     .doc = "Where it stands in the lifecycle."},
    {.name = "deployment_target",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(deployment_target),
     .max = 128,
     .doc = "Where it runs: free text to select by."},
    {.name = "endpoint",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(endpoint),
     .max = 2048,
     .doc = "Where clients send traffic."},
    {.name = "description",
     .type = FIELD_STRING,
     .offset = REF(description),
     .max = 65536,
     .check = text64k_fault,
     .doc = "For people; at most 64 KiB."},
    FIELD_LABELS(REF(labels)),
    {.name = "source",
     .type = FIELD_STRING,
     .flags = FIELD_FROZEN | FIELD_NULLABLE,
     .offset = REF(source),
     .max = 2048,
     .doc = "Where the artifact lies."},
    {.name = "source_digest",
     .type = FIELD_STRING,
     .flags = FIELD_FROZEN | FIELD_NULLABLE,
     .offset = REF(source_digest),
     .max = 256,
     .doc = "What it hashes to, for example sha256:..."},
    {.name = "training_run_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(training_run_id),
     .max = 256,
     .doc = "The run that made it, in the tracker's words."},
    {.name = "training_metrics",
     .type = FIELD_OBJECT,
     .offset = REF(training_metrics),
     .max = 65536,
     .check_json = metrics_check,
     .doc = "Up to 64 named numbers."},
    {.name = "signature",
     .type = FIELD_ANY,
     .flags = FIELD_FROZEN | FIELD_NULLABLE,
     .offset = REF(signature),
     .max = 65536,
     .doc = "Inputs and outputs: free JSON, at most 64 KiB."},
    {.name = "runtime",
     .type = FIELD_OBJECT,
     .flags = FIELD_FROZEN | FIELD_NULLABLE,
     .offset = REF(runtime),
     .max = 65536,
     .check_json = runtime_check,
     .doc = "How tests reach it: kind openinference, exec or xgboost, and that kind's members."},
    {.name = "aliases",
     .type = FIELD_STRINGS,
     .flags = FIELD_SERVER,
     .offset = REF(aliases),
     .doc = "Aliases of the name that point at it."},
    {.name = "baseline_model_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(baseline_model_id),
     .min = 1,
     .max = 400,
     .doc = "What it is compared with: an id, or name@alias, stored as the id it leads to."},
    {.name = "hold",
     .type = FIELD_OBJECT,
     .flags = SET_BY_SERVER,
     .offset = REF(hold),
     .doc = "Why, when and by whom it is held back from promotion."},
    {.name = "created_by",
     .type = FIELD_OBJECT,
     .flags = FIELD_SERVER,
     .offset = REF(created_by),
     .doc = "Who registered it."},
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
    {.name = "status_changed_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = REF(status_changed_at),
     .doc = "When its status last changed."},
    {.name = "promoted_at",
     .type = FIELD_TIME,
     .flags = SET_BY_SERVER,
     .offset = REF(promoted_at),
     .doc =
         "When it last became stable; unique within the name, by which @stable and @previous go."},
    {.name = "promotion",
     .type = FIELD_OBJECT,
     .flags = SET_BY_SERVER,
     .offset = REF(promotion),
     .doc = "Its last promotion: to, at, evidence, actor, and whether it or an earlier one was "
            "forced."},
    {.name = "experiment_attempts",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(experiment_attempts),
     .max = 1e9,
     .doc = "How often an experiment began with it as a treatment; each next one has a smaller "
            "budget."},
    {.name = "revision",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(revision),
     .min = 1,
     .max = 9007199254740992.0,
     .doc = "Grows by one with each change; also the ETag."},
    {0},
};

void model_fields_init(struct model_fields *f, const char *ns)
{
    *f = (struct model_fields){.ns = ns,
                               .status = status_name(STATUS_DEVELOPMENT),
                               .description = "",
                               .labels = "{}",
                               .training_metrics = "{}",
                               .aliases = "[]",
                               .created_by = "{}"};
}

bool model_fields_read(const struct model *m, struct arena *a, struct model_fields *out,
                       struct err *e)
{
    model_fields_init(out, m->entity.ns);
    return fields_read_stored(MODEL_FIELDS, m->entity.json, m->entity.json_len, "model", out, a, e);
}

struct entity *model_fields_write(const struct model_fields *f, uint64_t uid, struct intern *names,
                                  struct err *e)
{
    struct bytes b = BYTES_INIT(ENTITY_TEXT_MAX + ENTITY_TEXT_ROOM);
    struct entity *made = NULL;
    fields_encode_object(MODEL_FIELDS, f, false, &b);
    if (b.full)
        fail(e, &ERR_INVALID, "the model would have more than %zu bytes as JSON", b.max);
    else
        made = model_parse(f->ns, f->model_id, uid, b.data, b.len, names, e);
    bytes_release(&b);
    return made;
}
