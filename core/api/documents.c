#include "api/documents.h"

#include "api/call.h"
#include "api/items.h"
#include "api/page_cursor.h"
#include "api/submit.h"
#include "api/work.h"
#include "registry/alert.h"
#include "registry/document.h"
#include "registry/experiment.h"
#include "registry/flag.h"
#include "registry/query_documents.h"

#include <string.h>

static const struct document_type *type_of(const struct request *rq)
{
    return request_route(rq)->data;
}

/* The member whose value is not stored but known to the table of uses; NULL: none. */
static const char *use_member(enum entity_kind kind)
{
    return kind == ENTITY_TOKEN  ? "\"last_used_at\":null"
           : kind == ENTITY_FLAG ? "\"last_evaluated_at\":null"
                                 : NULL;
}

/* Its place, which is the last of this text: what comes before may hold anything. */
static const char *place_of(const char *json, const char *member)
{
    const char *at = NULL, *next = json;
    while ((next = strstr(next, member)))
        at = next++;
    return at;
}

/* The text that clients see: most kinds have it ready. */
static const char *shown(struct api *api, struct arena *a, const struct document *d, size_t *len)
{
    const char *json = d->entity.json, *member = use_member(d->entity.kind);
    int64_t at = member ? token_usage_last(api->usage, d->entity.uid) : 0;
    const char *place = at ? place_of(json, member) : NULL;
    *len = d->entity.json_len;
    if (!place)
        return json;
    char time[TIME_TEXT_SIZE];
    time_format(at, time);
    size_t name = strlen(member) - 4;
    const char *text = arena_printf(a, "%.*s%.*s\"%s\"%s", (int)(place - json), json, (int)name,
                                    member, time, place + name + 4);
    *len = strlen(text);
    return text;
}

/* --- list --- */

struct listing {
    struct document_query query;
    const char *order; /* "-created_at" */
    bool stale;        /* only flags that are */
};

static const struct field *field_of(const struct document_type *t, const char *name)
{
    for (const struct field *f = t->fields; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* A comma list of choices; NULL, or the one that is none. */
static const char *no_choice(const struct field *f, const char *values, struct arena *a)
{
    while (*values) {
        size_t n = strcspn(values, ",");
        const char *const *choice = f->choices;
        while (*choice && (strlen(*choice) != n || memcmp(*choice, values, n) != 0))
            choice++;
        if (!*choice)
            return arena_printf(a, "%.*s", (int)n, values);
        values += n + (values[n] == ',');
    }
    return NULL;
}

static bool filter_valid(struct call *c, const struct field *f, const char *values, struct err *e)
{
    const char *wrong = f->type == FIELD_ENUM ? no_choice(f, values, c->arena) : NULL;
    if (!wrong)
        return true;
    struct bytes list = BYTES_INIT(4096);
    for (const char *const *choice = f->choices; *choice; choice++)
        bytes_printf(&list, "%s'%s'", choice == f->choices ? "" : ", ", *choice);
    call_fault(c->arena, f->name, e, "must be one of %s, or a comma list of them, got '%.100s'",
               list.data, wrong);
    bytes_release(&list);
    return false;
}

static bool read_filters(struct call *c, struct document_query *q, struct err *e)
{
    size_t n = 0, i = 0;
    const char *name, *value;
    while (request_query_at(c->rq, n, &name, &value))
        n++;
    struct document_filter *list = arena_zero(c->arena, (n + 1) * sizeof *list);
    for (; i < n && request_query_at(c->rq, i, &name, &value); i++) {
        const struct field *f = field_of(q->type, name);
        if (f && !filter_valid(c, f, value, e))
            return false;
        if (f)
            list[q->n_filters++] = (struct document_filter){f, value};
    }
    q->filters = list;
    return true;
}

static bool read_order(struct call *c, struct listing *l, struct err *e)
{
    struct document_query *q = &l->query;
    l->order = c->q.sort ? c->q.sort : q->type->id_name;
    q->descending = *l->order == '-';
    const char *field = l->order + q->descending;
    q->sort = strcmp(field, "created_at") == 0   ? DOCUMENTS_BY_CREATED
              : strcmp(field, "updated_at") == 0 ? DOCUMENTS_BY_UPDATED
                                                 : DOCUMENTS_BY_ID;
    return q->sort != DOCUMENTS_BY_ID || strcmp(field, q->type->id_name) == 0 ||
           call_fault(c->arena, "sort", e,
                      "must be %s, created_at or updated_at, or -<one of them>", q->type->id_name);
}

static size_t items_that_fit(const struct document_page *page)
{
    size_t n = 0, bytes = 0;
    while (n < page->n && (n == 0 || bytes + page->items[n]->entity.json_len <= PAGE_BYTES))
        bytes += page->items[n++]->entity.json_len;
    return n;
}

/* Who looks, at what. */
struct looking {
    const struct work *w;
    const struct view *v;
    bool stale;
    int64_t now_ms;
};

static bool is_wanted(const struct document *d, void *ctx)
{
    const struct looking *l = ctx;
    const struct work *w = l->w;
    if (w->grants && !grants_allow(w->grants, d->entity.ns, view_owner(l->v, &d->entity),
                                   ACTION_BIT(ACTION_READ)))
        return false;
    return !l->stale ||
           flag_is_stale(flag_of(d), token_usage_last(w->api->usage, d->entity.uid), l->now_ms);
}

static bool page_render(struct work *w, const struct view *v)
{
    const struct listing *l = w->args;
    struct document_query q = l->query;
    struct document_page page;
    q.ns = w->ns;
    struct looking looking = {w, v, l->stale, clock_wall_ms(w->api->clock)};
    q.may_see = w->grants || l->stale ? is_wanted : NULL;
    q.ctx = &looking;
    if (!query_documents(v, &q, w->arena, &page, &w->err))
        return false;
    size_t fit = items_that_fit(&page);
    if (fit < page.n) {
        q.limit = fit;
        if (!query_documents(v, &q, w->arena, &page, &w->err))
            return false;
    }
    items_begin(&w->out);
    for (size_t i = 0; i < page.n; i++) {
        size_t len;
        const char *text = shown(w->api, w->arena, page.items[i], &len);
        items_add(&w->out, text, len);
    }
    items_end(&w->out, page.total,
              page.next ? page_cursor_make(w->arena, l->order, page.next) : NULL);
    return true;
}

static bool list_render(struct work *w)
{
    bool ok = page_render(w, view_enter(w->reader));
    view_leave(w->reader);
    return ok;
}

void document_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct listing *l = arena_zero(c.arena, sizeof *l);
    l->query = (struct document_query){.type = type_of(rq), .ns = c.ns, .limit = (size_t)c.q.limit};
    l->stale = c.q.stale && strcmp(c.q.stale, "true") == 0;
    if (!read_filters(&c, &l->query, &e) || !read_order(&c, l, &e) ||
        !call_labels(&c, &l->query.labels, &l->query.n_labels, &e) ||
        !page_cursor_read(c.arena, c.q.cursor, l->order, &l->query.after, &e)) {
        request_fail(rq, &e);
        return;
    }
    size_t n = view_count(view_enter(c.reader), l->query.type->kind);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, list_render, l);
}

/* --- one --- */

void document_get(struct request *rq)
{
    struct call c;
    const struct document_type *t = type_of(rq);
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *id = request_param(rq, t->id_name);
    bool implied;
    const struct document *d = document_find(view_enter(c.reader), t, c.ns, id, c.arena, &implied);
    if (d) {
        size_t len;
        const char *text = shown(c.api, c.arena, d, &len);
        request_reply_entity(rq, 200, d->entity.revision, text, len);
    }
    view_leave(c.reader);
    if (!d)
        request_problem(rq, t->not_found, "no %s with id '%.200s'", t->noun, id);
}

/* --- changes --- */

static void submit_one(struct request *rq, bool (*decide)(struct command *c, struct head *h,
                                                          struct changes *out, struct err *e))
{
    const struct document_type *t = type_of(rq);
    submit(rq,
           &(struct wish){
               .decide = decide, .id = request_param(rq, t->id_name), .kind = t->kind, .args = t});
}

void document_post(struct request *rq)
{
    const struct document_type *t = type_of(rq);
    submit(rq, &(struct wish){.decide = document_create, .kind = t->kind, .args = t});
}

void document_put_one(struct request *rq)
{
    submit_one(rq, document_replace);
}

void document_change(struct request *rq)
{
    submit_one(rq, document_patch);
}

void document_remove(struct request *rq)
{
    submit_one(rq, document_delete);
}

void alert_acknowledge_post(struct request *rq)
{
    submit_one(rq, alert_acknowledge);
}

void experiment_start_post(struct request *rq)
{
    submit_one(rq, experiment_start);
}

void experiment_pause_post(struct request *rq)
{
    submit_one(rq, experiment_pause);
}

void experiment_stop_post(struct request *rq)
{
    submit_one(rq, experiment_stop);
}

void experiment_rollback_post(struct request *rq)
{
    submit_one(rq, experiment_roll_back);
}

void experiment_promote_post(struct request *rq)
{
    submit_one(rq, experiment_promote);
}
