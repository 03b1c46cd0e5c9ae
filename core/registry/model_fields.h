/* model_fields: a model with all its fields, while a command decides about it. Room: registry.
 * Threads: pure, [any].
 *
 * The C side of MODEL_FIELDS. A decision reads one from the model's text, changes it, and writes a
 * new model from it; nobody keeps one. */
#ifndef PADDOCK_REGISTRY_MODEL_FIELDS_H
#define PADDOCK_REGISTRY_MODEL_FIELDS_H

#include "base/arena.h"
#include "registry/model.h"

#include <stdint.h>

#define MODEL_ID_CHARS      193
#define MODEL_NAME_CHARS    128
#define MODEL_VERSION_CHARS 64
/* Bytes of any entity's canonical text as far as clients fill it, and what the server may add to
 * it: status, hold, aliases. A full model can still be held or rolled back. */
#define ENTITY_TEXT_MAX  ((size_t)2 << 20)
#define ENTITY_TEXT_ROOM ((size_t)512 << 10)

struct model_fields {
    const char *ns, *model_id, *name, *version, *type, *sport, *status, *deployment_target,
        *endpoint, *description;
    const char *labels; /* JSON object */
    const char *source, *source_digest, *training_run_id;
    const char *training_metrics;    /* JSON object */
    const char *signature, *runtime; /* JSON or NULL */
    const char *aliases;             /* JSON array of strings */
    const char *baseline_model_id;
    const char *hold;       /* {"reason","at","by"} or NULL */
    const char *created_by; /* {"kind","id"} */
    int64_t created_at, updated_at, status_changed_at, promoted_at;
    const char *promotion;       /* {"to","at","evidence","forced","actor"} or NULL */
    int64_t experiment_attempts; /* counted here, for experiments may be deleted */
    int64_t revision;
};

/* The values of what a client does not give. */
void model_fields_init(struct model_fields *f, const char *ns);
/* All fields of a model; texts go to `a`. False only if memory runs out or the text is damaged. */
bool model_fields_read(const struct model *m, struct arena *a, struct model_fields *out,
                       struct err *e) MUST_CHECK;
/* A new model from its fields. NULL and `e` when its text would be longer than
 * ENTITY_TEXT_MAX + ENTITY_TEXT_ROOM. */
struct entity *model_fields_write(const struct model_fields *f, uint64_t uid, struct intern *names,
                                  struct err *e) MUST_CHECK;

/* --- checks that tables use: NULL if good, else what is wrong --- */
const char *model_id_fault(const char *text);
const char *model_name_fault(const char *text);
const char *model_version_fault(const char *text);
const char *text64k_fault(const char *text); /* descriptions: at most 64 KiB */
/* A row of a table of fields: the labels, a JSON text at `offset_`. */
#define FIELD_LABELS(offset_)                                                               \
    {                                                                                       \
        .name = "labels", .type = FIELD_OBJECT, .offset = offset_, .max = ENTITY_TEXT_MAX,  \
        .check_json = labels_check, .doc = "Up to 256 pairs of key and text, to filter by." \
    }
void labels_check(const json_t *value, const char *pointer, struct faults *f);
void metrics_check(const json_t *value, const char *pointer, struct faults *f);
void runtime_check(const json_t *value, const char *pointer, struct faults *f);
/* A runtime that starts a program, as JSON text: it must lie below one of `dirs`. */
void runtime_check_program(const char *runtime, const char *const *dirs, struct faults *f);

#endif
