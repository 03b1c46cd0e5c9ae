#include "registry/renaming.h"

#include "base/json.h"
#include "registry/experiment.h"
#include "registry/field_diff.h"
#include "registry/route.h"
#include "registry/test_case.h"
#include "registry/webhook.h"

#include <string.h>

#define TEXT_MAX 262144 /* of one field; the greatest of a route has 65,536 characters */

struct renaming {
    const struct decision *d;
    const char *from, *to;
    struct err *e;
    bool ok;
};

/* ---- texts ---- */

/* `from@alias`, and `from` itself where whole names stand. */
static const char *renamed(const struct renaming *r, const char *text, bool names)
{
    size_t len = strlen(r->from);
    if (strncmp(text, r->from, len) != 0 || (text[len] != '@' && !(names && !text[len])))
        return text;
    return arena_printf(r->d->c->arena, "%s%s", r->to, text + len);
}

/* The value with every name in it renamed, those of members included: weights may go by them. */
static json_t *value_renamed(const struct renaming *r, const json_t *value, bool names)
{
    json_t *made, *item;
    const char *key;
    size_t i;
    if (json_is_string(value))
        return json_string(renamed(r, json_string_value(value), names));
    if (json_is_array(value)) {
        made = json_array();
        json_array_foreach((json_t *)value, i, item)
            json_array_append_new(made, value_renamed(r, item, names));
        return made;
    }
    if (!json_is_object(value))
        return json_incref((json_t *)value);
    made = json_object();
    json_object_foreach((json_t *)value, key, item)
        json_object_set_new(made, renamed(r, key, false), value_renamed(r, item, names));
    return made;
}

/* As it was, the same pointer, where nothing of it is renamed. */
static const char *text_renamed(struct renaming *r, const char *text, bool names)
{
    json_t *value = text ? json_read(text, strlen(text), NULL) : NULL;
    json_t *made = value ? value_renamed(r, value, names) : NULL;
    if (made && !json_equal(value, made)) {
        struct bytes b = BYTES_INIT(TEXT_MAX);
        json_put_value(&b, made);
        if (b.full)
            r->ok = fail(r->e, &ERR_INVALID, "what names '%.200s' would be too long", r->from);
        else
            text = arena_copy(r->d->c->arena, b.data, b.len);
        bytes_release(&b);
    }
    json_decref(made);
    json_decref(value);
    return text;
}

/* ---- documents ---- */

static struct document_write write_of(const struct renaming *r, const struct document_type *type,
                                      const struct document *before, void *want)
{
    return (struct document_write){
        .type = type, .c = r->d->c, .h = r->d->h, .out = r->d->out, .before = before, .want = want};
}

static bool room_left(struct renaming *r)
{
    if (r->d->out->n + 64 > CHANGES_MAX)
        r->ok = fail(r->e, &TOO_MANY_CHANGES,
                     "too much names '%.200s' and would go with it; delete some first", r->from);
    return r->ok;
}

static bool webhook_follows(const struct entity *entity, void *ctx)
{
    struct renaming *r = ctx;
    const struct document *d = document_of(entity);
    struct webhook want = *webhook_of(d);
    want.model_names = text_renamed(r, want.model_names, true);
    if (want.model_names == webhook_of(d)->model_names || !room_left(r))
        return r->ok;
    struct document_write w = write_of(r, &WEBHOOK_TYPE, d, &want);
    r->ok = document_put(&w, "webhook.updated", NULL, r->e) != NULL;
    return r->ok;
}

static bool experiment_follows(const struct entity *entity, void *ctx)
{
    struct renaming *r = ctx;
    const struct document *d = document_of(entity);
    struct experiment want = *experiment_of(d);
    if (strcmp(want.route, r->from) != 0 || !room_left(r))
        return r->ok;
    want.route = r->to;
    struct document_write w = write_of(r, &EXPERIMENT_TYPE, d, &want);
    r->ok = document_put(&w, "experiment.updated", NULL, r->e) != NULL;
    return r->ok;
}

/* The route of the name goes on as that of the new one. */
static bool route_moves(struct renaming *r, struct document_write *w)
{
    struct model_route *want = w->want;
    if (view_document(r->d->h->view, &ROUTE_TYPE, r->d->c->ns, r->to))
        return fail(r->e, &ROUTE_EXISTS,
                    "a route '%.200s' is stored already: delete it, or choose another name", r->to);
    want->salt = route_salt(route_of(w->before));
    want->head.id = r->to;
    if (!document_move(w, "route.renamed", r->e))
        return false;
    view_each_of(r->d->h->view, ENTITY_EXPERIMENT, r->d->c->ns, experiment_follows, r);
    return r->ok;
}

static void route_texts(struct renaming *r, struct model_route *want, bool by_name)
{
    if (by_name)
        want->match = text_renamed(r, want->match, true);
    want->arms = text_renamed(r, want->arms, false);
    want->params = text_renamed(r, want->params, false);
    want->fallback = text_renamed(r, want->fallback, false);
    want->shadows = text_renamed(r, want->shadows, false);
    want->allocation = text_renamed(r, want->allocation, false);
}

static bool route_follows(const struct entity *entity, void *ctx)
{
    struct renaming *r = ctx;
    const struct document *d = document_of(entity);
    const char *name = route_plan_of(d)->model_name;
    bool by_name = name && strcmp(name, r->from) == 0;
    bool own = by_name && strcmp(entity->id, r->from) == 0;
    struct model_route want = *route_of(d);
    route_texts(r, &want, by_name);
    struct document_write w = write_of(r, &ROUTE_TYPE, d, &want);
    if (fields_diff(ROUTE_FIELDS, d->fields, &want) == 0 || !room_left(r))
        return r->ok;
    if (route_moves_shares(&w) && route_owned(&w, entity->id, r->e))
        r->ok = false;
    else
        r->ok = own ? route_moves(r, &w) : document_put(&w, "route.updated", NULL, r->e) != NULL;
    return r->ok;
}

bool renaming_follow(const struct decision *d, const char *from, const char *to, struct err *e)
{
    const struct view *v = d->h->view;
    struct renaming r = {d, from, to, e, true};
    if (!test_cases_rename(d->c, d->h, d->out, from, to, e))
        return false;
    view_each_of(v, ENTITY_ROUTE, d->c->ns, route_follows, &r);
    if (r.ok)
        view_each_of(v, ENTITY_WEBHOOK, d->c->ns, webhook_follows, &r);
    return r.ok;
}

bool renaming_end(const struct decision *d, const char *name, struct err *e)
{
    const struct document *route = view_document(d->h->view, &ROUTE_TYPE, d->c->ns, name);
    const char *of = route ? route_plan_of(route)->model_name : NULL;
    if (!test_cases_remove(d->c, d->h, d->out, name, NULL, e))
        return false;
    if (!of || strcmp(of, name) != 0)
        return true;
    const struct document_write w = {
        .type = &ROUTE_TYPE, .c = d->c, .h = d->h, .out = d->out, .before = route};
    if (route_owned(&w, name, e))
        return false;
    changes_put(d->out, d->c->arena, ROUTE_TYPE.deleted, &route->entity, NULL, NULL);
    return true;
}
