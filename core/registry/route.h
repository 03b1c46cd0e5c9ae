/* route: the traffic of one question, and which arms share it. Room: registry. Threads: immutable,
 * [any].
 *
 * Its shares come from its running experiment, else its flag, else its strategy; what is said here
 * are the ranges of its own weights. Each registered model has a route of its name, whether stored
 * or not: until somebody changes it, its stable alone serves. */
#ifndef PADDOCK_REGISTRY_ROUTE_H
#define PADDOCK_REGISTRY_ROUTE_H

#include "base/bucket.h"
#include "registry/documents.h"
#include "registry/model.h"

#define ROUTE_SHADOWS_MAX  8
#define ROUTE_FALLBACK_MAX 16
#define ROUTE_LABELS_MAX   16

#define STRATEGY_WEIGHTED "weighted" /* the one that needs no plugin */

struct model_route {
    struct document_head head; /* id is the route */
    const char *match;         /* JSON object */
    const char *arms;          /* JSON object, name to reference; NULL: all that match */
    const char *flag;          /* NULL: none */
    const char *strategy;      /* NULL: none: the stable serves */
    const char *params;        /* JSON object; `weights` are the route's own */
    const char *unit;          /* the member of the context that is the unit */
    const char *on_missing_unit;
    const char *fallback; /* JSON array of references */
    const char *shadows;  /* JSON array of {"model_id","share_ratio"} */
    int64_t ttl_ms;
    const char *decision_log;
    bool killed;
    const char *salt; /* NULL: the id */
    int64_t hash_version;
    const char *allocation; /* JSON array of {"from","to","arm"}; computed */
};

extern const struct field ROUTE_FIELDS[];

static inline const struct model_route *route_of(const struct document *d)
{
    return d->fields;
}

static inline const char *route_salt(const struct model_route *r)
{
    return r->salt ? r->salt : r->head.id;
}

enum decision_log { LOG_OFF, LOG_EXPOSURES, LOG_ALL };

struct route_arm {
    const char *name, *reference;
};
struct route_label {
    const char *key, *value;
};
struct route_shadow {
    const char *reference;
    uint32_t buckets; /* of BUCKETS */
};

/* A route made ready: its texts read. It is the document's `derived`. */
struct route_plan {
    const char *model_name, *sport, *type; /* of match; NULL: any */
    const struct route_label *labels;
    const struct route_arm *arms; /* as given, else those of the weights, else none */
    const struct share *shares;   /* of the route's own weights; arms index `arms` */
    const char *const *fallback;  /* references */
    const struct route_shadow *shadows;
    uint8_t label_count, arm_count, fallback_count, shadow_count;
    uint16_t share_count;
    bool arms_given;
    bool fail_without_unit; /* on_missing_unit is "error" */
    enum decision_log log;
};

/* Read a route's texts into `out` (NULL: tell the bytes it takes). */
size_t route_plan_make(const struct model_route *r, void *out);
static inline const struct route_plan *route_plan_of(const struct document *d)
{
    return d->derived;
}

/* The number of the arm of this name, ARMS_MAX if there is none. */
uint32_t route_arm_called(const struct route_plan *p, const char *name);

/* The route that a registered model has without anybody having stored one. */
void route_of_name(struct model_route *out, const char *ns, const char *name);

/* The model that a reference of the route leads to: `@alias` is of the route's name. NULL: none. */
const struct model *route_model(const struct view *v, const char *ns, const struct route_plan *p,
                                const char *reference);
/* Does anybody get this model from a route? Not while it is in development, and never again once it
 * is retired. A former stable may be named by its id, unless it is held: what a rollback has taken
 * out serves nobody. */
static inline bool route_serves(const struct model *m)
{
    return m && (model_in_service(m) || (m->status == STATUS_DEPRECATED && !m->held));
}

/* For its type's hooks: does what is to be change who gets which share? Does a running experiment
 * own these, so that it is refused (true, and `e`)? */
bool route_moves_shares(const struct document_write *w);
bool route_owned(const struct document_write *w, const char *id, struct err *e);

/* Decide: what PATCH would do to whom, changing nothing. */
bool route_preview(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
