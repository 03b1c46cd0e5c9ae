#include "registry/registered_model.h"

#include "api/call.h"
#include "api/page_cursor.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/submit.h"
#include "api/timeline.h"
#include "api/work.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/query.h"

#include <string.h>

/* --- list --- */

static size_t names_that_fit(const struct registered_model_page *page)
{
    size_t n = 0, bytes = 0;
    while (n < page->n && (n == 0 || bytes + page->items[n]->entity.json_len <= PAGE_BYTES))
        bytes += page->items[n++]->entity.json_len;
    return n;
}

static bool names_page(struct work *w, const struct view *v)
{
    struct registered_model_query q = *(const struct registered_model_query *)w->args;
    struct registered_model_page page;
    q.ns = w->ns;
    q.grants = w->grants;
    if (!query_registered_models(v, &q, w->arena, &page, &w->err))
        return false;
    size_t fit = names_that_fit(&page);
    if (fit < page.n) {
        q.limit = fit;
        if (!query_registered_models(v, &q, w->arena, &page, &w->err))
            return false;
    }
    items_begin(&w->out);
    for (size_t i = 0; i < page.n; i++)
        items_add(&w->out, page.items[i]->entity.json, page.items[i]->entity.json_len);
    items_end(&w->out, page.total,
              page.next ? page_cursor_make(w->arena, q.descending ? "-name" : "name", page.next)
                        : NULL);
    return true;
}

static bool names_render(struct work *w)
{
    bool ok = names_page(w, view_enter(w->reader));
    view_leave(w->reader);
    return ok;
}

void registered_models_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct registered_model_query *q = arena_zero(c.arena, sizeof *q);
    const char *order = c.q.sort ? c.q.sort : "name";
    *q = (struct registered_model_query){
        .ns = c.ns, .q = c.q.q, .descending = *order == '-', .limit = (size_t)c.q.limit};
    if (!call_labels(&c, &q->labels, &q->n_labels, &e) ||
        !page_cursor_read(c.arena, c.q.cursor, order, &q->after, &e)) {
        request_fail(rq, &e);
        return;
    }
    size_t names = view_count(view_enter(c.reader), ENTITY_REGISTERED_MODEL);
    view_leave(c.reader);
    work_answer(&c, names > c.api->list_on_loop_max, names_render, q);
}

/* --- one --- */

/* The registered model of the path, or NULL with `e`. Inside a view. */
static const struct registered_model *find(const struct call *c, const struct view *v,
                                           struct err *e)
{
    const char *name = request_param(c->rq, "name");
    const struct registered_model *rm = view_registered_model(v, c->ns, name);
    if (!rm)
        fail(e, &REGISTERED_MODEL_NOT_FOUND, "no registered model with name '%.200s'", name);
    return rm;
}

void registered_model_get(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (c.q.at) {
        timeline_answer_at(&c);
        return;
    }
    const struct registered_model *rm = find(&c, view_enter(c.reader), &e);
    if (rm)
        request_reply_entity(rq, 200, rm->entity.revision, rm->entity.json, rm->entity.json_len);
    view_leave(c.reader);
    if (!rm)
        request_fail(rq, &e);
}

/* --- aliases --- */

static void put_alias(struct bytes *b, const char *alias, const char *model_id)
{
    bytes_text(b, b->len && b->data[b->len - 1] == '}' ? ",{" : "{");
    json_kv_string(b, "alias", alias);
    json_kv_string(b, "model_id", model_id);
    bytes_char(b, '}');
}

/* They lie in the order of their names. */
static bool put_aliases(struct call *c, const struct registered_model *rm, struct items_page *page,
                        struct bytes *b)
{
    items_begin(b);
    for (size_t i = 0; i < rm->n_aliases; i++) {
        const struct alias *one = &rm->aliases[page->descending ? rm->n_aliases - 1 - i : i];
        if (items_page_takes(page, b, one->alias))
            put_alias(b, one->alias, one->model_id);
    }
    items_page_end(b, page, c->arena);
    return true;
}

void aliases_list(struct request *rq)
{
    struct call c;
    struct err e;
    struct items_page page;
    struct bytes b = BYTES_INIT(REPLY_MAX);
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const struct view *v = view_enter(c.reader);
    const struct registered_model *rm = find(&c, v, &e);
    bool ok = rm && items_page_open(&page, &c.q, "aliases", "alias", c.arena, &e) &&
              put_aliases(&c, rm, &page, &b);
    view_leave(c.reader);
    if (ok)
        request_reply_json(rq, 200, &b);
    else
        request_fail(rq, &e);
}

/* The model an alias leads to; the built-in ones are references and nothing else. */
static const char *alias_target(struct call *c, const struct view *v,
                                const struct registered_model *rm, const char *alias, struct err *e)
{
    for (size_t i = 0; i < rm->n_aliases; i++)
        if (strcmp(rm->aliases[i].alias, alias) == 0)
            return rm->aliases[i].model_id;
    const char *reference = arena_printf(c->arena, "%s@%s", rm->entity.id, alias);
    const struct model *m = view_resolve(v, c->ns, reference, e);
    return m ? m->entity.id : NULL;
}

void alias_get(struct request *rq)
{
    struct call c;
    struct err e;
    int64_t revision = 0;
    struct bytes b = BYTES_INIT(4096);
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *alias = request_param(rq, "alias"), *model_id = NULL;
    const struct view *v = view_enter(c.reader);
    const struct registered_model *rm = find(&c, v, &e);
    if (rm && (model_id = alias_target(&c, v, rm, alias, &e))) {
        put_alias(&b, alias, model_id);
        revision = rm->entity.revision;
    }
    view_leave(c.reader);
    if (model_id)
        request_reply_entity(rq, 200, revision, b.data, b.len);
    else
        request_fail(rq, &e);
    bytes_release(&b);
}

/* --- changes --- */

static void submit_name(struct request *rq,
                        bool (*decide)(struct command *, struct head *, struct changes *,
                                       struct err *),
                        const char *id2)
{
    submit(rq, &(struct wish){.decide = decide,
                              .id = request_param(rq, "name"),
                              .id2 = id2,
                              .kind = ENTITY_REGISTERED_MODEL});
}

void registered_model_post(struct request *rq)
{
    submit(rq, &(struct wish){.decide = registered_model_create, .kind = ENTITY_REGISTERED_MODEL});
}

void registered_model_change(struct request *rq)
{
    submit_name(rq, registered_model_patch, NULL);
}

void registered_model_remove(struct request *rq)
{
    submit_name(rq, registered_model_delete, NULL);
}

void registered_model_rollback(struct request *rq)
{
    submit_name(rq, name_rollback, NULL);
}

void alias_set(struct request *rq)
{
    submit_name(rq, alias_put, request_param(rq, "alias"));
}

void alias_remove(struct request *rq)
{
    submit_name(rq, alias_delete, request_param(rq, "alias"));
}
