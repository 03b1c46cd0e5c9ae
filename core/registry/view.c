#include "registry/view.h"

#include "registry/experiment.h"
#include "registry/health.h"
#include "registry/token.h"

#include <string.h>

static int order_text(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b); /* shared texts are mostly the same pointer */
}

static int order_id(const struct index_key *key, const struct entity *e)
{
    int ns = order_text(key->ns, e->ns);
    return ns ? ns : strcmp(key->first, e->id);
}

static int order_name(const struct index_key *key, const struct entity *e)
{
    int ns = order_text(key->ns, e->ns);
    return ns ? ns : order_text(key->first, model_of(e)->name);
}

static int order_age(const struct index_key *key, const struct entity *e)
{
    int name = order_name(key, e);
    return name ? name : key->uid < e->uid ? -1 : key->uid > e->uid;
}

static int order_version(const struct index_key *key, const struct entity *e)
{
    int name = order_name(key, e);
    return name ? name : strcmp(key->second, model_of(e)->version);
}

static int order_token_key(const struct index_key *key, const struct entity *e)
{
    return strcmp(key->first, token_of(document_of(e))->key);
}

static int order_running(const struct index_key *key, const struct entity *e)
{
    int ns = order_text(key->ns, e->ns);
    int route = ns ? ns : strcmp(key->first, experiment_of(document_of(e))->route);
    return route ? route : strcmp(key->second, e->id);
}

static int order_uid(const struct index_key *key, const struct entity *e)
{
    if (key->uid != e->uid)
        return key->uid < e->uid ? -1 : 1;
    return (int)key->kind - (int)e->kind;
}

index_order *view_order(int index)
{
    switch (index) {
    case INDEX_VERSIONS: return order_age;
    case INDEX_NUMBERS: return order_version;
    case INDEX_TOKEN_KEYS: return order_token_key;
    case INDEX_RUNNING: return order_running;
    case INDEX_UIDS: return order_uid;
    default: return order_id; /* each kind has its index by id */
    }
}

struct index_key view_key(enum view_index index, const struct entity *e)
{
    struct index_key key = {.ns = e->ns, .first = e->id, .uid = e->uid, .kind = e->kind};
    if (index == INDEX_VERSIONS || index == INDEX_NUMBERS) {
        key.first = model_of(e)->name;
        key.second = model_of(e)->version;
    } else if (index == INDEX_TOKEN_KEYS) {
        key.first = token_of(document_of(e))->key;
    } else if (index == INDEX_RUNNING) {
        key.first = experiment_of(document_of(e))->route;
        key.second = e->id;
    }
    return key;
}

bool view_indexed(enum view_index index, const struct entity *e)
{
    switch (index) {
    case INDEX_RUNNING: return experiment_runs(experiment_of(document_of(e)));
    case INDEX_SERVING: return model_in_service(model_of(e));
    default: return true;
    }
}

uint64_t view_seq(const struct view *v)
{
    return v->seq;
}

uint64_t view_number(const struct view *v)
{
    return v->number;
}

const struct entity *view_get(const struct view *v, enum entity_kind kind, const char *ns,
                              const char *id)
{
    struct index_key key = {.ns = ns, .first = id};
    return directory_find(v->index[kind], order_id, &key);
}

const struct model *view_model(const struct view *v, const char *ns, const char *model_id)
{
    const struct entity *e = view_get(v, ENTITY_MODEL, ns, model_id);
    return e ? model_of(e) : NULL;
}

const char *view_name_of(const struct view *v, const struct entity *e)
{
    const struct model *m = NULL;
    if (e->kind == ENTITY_MODEL)
        m = model_of(e);
    else if (e->kind == ENTITY_HEALTH)
        m = view_model(v, e->ns, e->id);
    else if (DOCUMENT_TYPES[e->kind])
        return document_owner(v, DOCUMENT_TYPES[e->kind], e->ns, document_of(e)->fields);
    else
        return e->id;
    return m ? m->name : NULL;
}

const char *view_owner(const struct view *v, const struct entity *e)
{
    const char *name = view_name_of(v, e);
    return name ? name : e->id;
}

const struct registered_model *view_registered_model(const struct view *v, const char *ns,
                                                     const char *name)
{
    const struct entity *e = view_get(v, ENTITY_REGISTERED_MODEL, ns, name);
    return e ? registered_model_of(e) : NULL;
}

const struct model *view_version(const struct view *v, const char *ns, const char *name,
                                 const char *version)
{
    struct index_key key = {.ns = ns, .first = name, .second = version};
    const struct entity *e = directory_find(v->index[INDEX_NUMBERS], order_version, &key);
    return e ? model_of(e) : NULL;
}

size_t view_count(const struct view *v, enum entity_kind kind)
{
    return v->index[kind]->total;
}

void view_versions(const struct view *v, const char *ns, const char *name,
                   bool (*fn)(const struct model *m, void *ctx), void *ctx)
{
    const struct directory *d = v->index[INDEX_VERSIONS];
    struct index_key key = {.ns = ns, .first = name};
    struct position p = directory_seek(d, order_age, &key);
    for (; position_valid(d, p); position_next(d, &p)) {
        const struct entity *e = directory_at(d, p);
        if (order_name(&key, e) != 0 || !fn(model_of(e), ctx))
            return;
    }
}

void view_versions_back(const struct view *v, const char *ns, const char *name,
                        bool (*fn)(const struct model *m, void *ctx), void *ctx)
{
    const struct directory *d = v->index[INDEX_VERSIONS];
    struct index_key key = {.ns = ns, .first = name, .uid = UINT64_MAX};
    struct position p = directory_seek(d, order_age, &key);
    while (position_back(d, &p)) {
        const struct entity *e = directory_at(d, p);
        if (order_name(&key, e) != 0 || !fn(model_of(e), ctx))
            return;
    }
}

void view_each(const struct view *v, enum entity_kind kind,
               bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    const struct directory *d = v->index[kind];
    for (struct position p = {0}; position_valid(d, p); position_next(d, &p))
        if (!fn(directory_at(d, p), ctx))
            return;
}

static void each_from(const struct directory *d, const char *ns, const char *id,
                      bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    struct index_key key = {.ns = ns, .first = id};
    struct position p = directory_seek(d, order_id, &key);
    for (; position_valid(d, p); position_next(d, &p)) {
        const struct entity *e = directory_at(d, p);
        if (order_text(ns, e->ns) != 0 || !fn(e, ctx))
            return;
    }
}

void view_each_of(const struct view *v, enum entity_kind kind, const char *ns,
                  bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    each_from(v->index[kind], ns, "", fn, ctx);
}

void view_each_from(const struct view *v, enum entity_kind kind, const char *ns, const char *id,
                    bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    each_from(v->index[kind], ns, id, fn, ctx);
}

void view_each_serving(const struct view *v, const char *ns,
                       bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    each_from(v->index[INDEX_SERVING], ns, "", fn, ctx);
}

const struct entity *view_by_uid(const struct view *v, enum entity_kind kind, uint64_t uid)
{
    struct index_key key = {.uid = uid, .kind = kind};
    return directory_find(v->index[INDEX_UIDS], order_uid, &key);
}

const struct entity *view_by_uid_of(const struct view *v, enum entity_kind kind, const char *ns,
                                    uint64_t uid)
{
    const struct entity *e = view_by_uid(v, kind, uid);
    return e && order_text(ns, e->ns) == 0 ? e : NULL;
}
