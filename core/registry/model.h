/* model: one deployable version, and its lifecycle. Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_MODEL_H
#define PADDOCK_REGISTRY_MODEL_H

#include "base/field.h"
#include "registry/entity.h"
#include "registry/scan.h"

#include <stdbool.h>
#include <stdint.h>

enum model_status {
    STATUS_DEVELOPMENT,
    STATUS_CANARY,
    STATUS_STABLE,
    STATUS_DEPRECATED,
    STATUS_RETIRED,
    STATUS_COUNT
};
const char *status_name(enum model_status s);
/* -1 if `text` is none. */
int status_parse(const char *text);
/* May a model go from one to the other by POST .../status? One table, also served by /types. */
bool status_may(enum model_status from, enum model_status to);

/* The fields that lists filter and sort by, and decisions need; the rest lives in `entity.json`.
 * What a pass over many models reads comes first. */
struct model {
    struct entity entity; /* id is the model_id */
    enum model_status status;
    bool held;
    bool promoted; /* it has left development once: its frozen fields stay as they are */
    const char *name, *type, *sport, *deployment_target; /* interned; the last two may be NULL */
    uint32_t labels_at, aliases_at;           /* places in entity.json; aliases 0: none */
    uint32_t description_at, description_len; /* of the literal with its quotes */
    uint64_t version_key;                     /* version_prefix() of the version */
    int64_t created_at, updated_at;           /* ms */
    int64_t status_changed_at;
    int64_t promoted_at; /* when it last became stable; 0: never. Unique within a name */
    const char *version;
    const char *source_digest, *training_run_id, *baseline_model_id; /* may be NULL */
};

static inline const struct model *model_of(const struct entity *e)
{
    return (const struct model *)(const void *)e;
}

/* Is it in service? Nights test such models, and selections look for them. */
static inline bool model_in_service(const struct model *m)
{
    return m->status == STATUS_STABLE || m->status == STATUS_CANARY;
}

struct entity *model_parse(const char *ns, const char *id, uint64_t uid, const char *json,
                           size_t len, struct intern *names, struct err *e);
/* Has it ever left development? From then on its frozen fields stay as they are. */
static inline bool model_left_development(const struct model *m)
{
    return m->promoted || m->status != STATUS_DEVELOPMENT;
}
/* The description (a string literal) and the labels (an object) inside the model's text. */
struct slice model_description(const struct model *m);
struct slice model_labels(const struct model *m);
/* Does it carry this alias, given as a JSON literal with its quotes? */
bool model_has_alias(const struct model *m, const char *literal);

/* The table of the model's fields: decoding of bodies, encoding, OpenAPI. Its C side is
 * `struct model_fields` (model_fields.h), a wide struct used only while a command decides. */
extern const struct field MODEL_FIELDS[];
/* Body of POST .../status, POST .../hold. */
extern const struct field STATUS_FIELDS[];
extern const struct field HOLD_FIELDS[];

#endif
