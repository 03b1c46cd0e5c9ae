#include "api/call.h"
#include "api/page_cursor.h"
#include "api/handlers.h"
#include "api/health.h"
#include "api/metrics.h"
#include "api/items.h"
#include "api/submit.h"
#include "api/work.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/query.h"
#include "registry/validation_summary.h"

#include <string.h>

/* --- list --- */

/* `status=canary,stable&status=deprecated` as bits. */
static bool statuses_read(struct call *c, unsigned *bits, struct err *e)
{
    const char *name, *value;
    for (size_t i = 0; request_query_at(c->rq, i, &name, &value); i++) {
        if (strcmp(name, "status") != 0)
            continue;
        while (*value) {
            size_t len = strcspn(value, ",");
            int status = status_parse(arena_copy(c->arena, value, len));
            if (status < 0)
                return call_fault(
                    c->arena, "status", e,
                    "must be of development, canary, stable, deprecated, retired, got '%.*s'",
                    (int)(len < 64 ? len : 64), value);
            *bits |= 1u << status;
            value += len + (value[len] == ',');
        }
    }
    return true;
}

static bool models_query(struct call *c, struct model_query *q, struct err *e)
{
    const struct parameters *p = &c->q;
    const char *order = p->sort ? p->sort : "model_id";
    *q = (struct model_query){
        .ns = c->ns,
        .type = p->type,
        .sport = p->sport,
        .deployment_target = p->deployment_target,
        .name = p->name,
        .alias = p->alias,
        .source_digest = p->source_digest,
        .training_run_id = p->training_run_id,
        .created_from = p->created_from,
        .created_to = p->created_to,
        .q = p->q,
        .descending = *order == '-',
        .limit = (size_t)p->limit,
    };
    q->sort = (enum model_sort)model_sort_parse(order + q->descending);
    return statuses_read(c, &q->statuses, e) && call_labels(c, &q->labels, &q->n_labels, e) &&
           page_cursor_read(c->arena, p->cursor, order, &q->after, e);
}

static size_t models_that_fit(const struct model_page *page)
{
    size_t n = 0, bytes = 0;
    while (n < page->n && (n == 0 || bytes + page->items[n]->entity.json_len <= PAGE_BYTES))
        bytes += page->items[n++]->entity.json_len;
    return n;
}

static bool models_page(struct work *w, const struct view *v)
{
    struct model_query q = *(const struct model_query *)w->args;
    static const char *const ORDERS[] = {
        [SORT_MODEL_ID] = "-model_id",     [SORT_NAME] = "-name",
        [SORT_VERSION] = "-version",       [SORT_CREATED_AT] = "-created_at",
        [SORT_UPDATED_AT] = "-updated_at", [SORT_STATUS] = "-status"};
    struct model_page page;
    q.ns = w->ns;
    q.grants = w->grants;
    if (!query_models(v, &q, w->arena, &page, &w->err))
        return false;
    size_t fit = models_that_fit(&page);
    if (fit < page.n) {
        q.limit = fit;
        if (!query_models(v, &q, w->arena, &page, &w->err))
            return false;
    }
    items_begin(&w->out);
    for (size_t i = 0; i < page.n; i++)
        items_add(&w->out, page.items[i]->entity.json, page.items[i]->entity.json_len);
    const char *order = ORDERS[q.sort] + !q.descending;
    items_end(&w->out, page.total, page.next ? page_cursor_make(w->arena, order, page.next) : NULL);
    return true;
}

static bool models_render(struct work *w)
{
    bool ok = models_page(w, view_enter(w->reader));
    view_leave(w->reader);
    return ok;
}

/* May the list run on the loop? A name has few versions; other filters read every model of the
 * namespace. */
static bool list_is_long(struct call *c, const struct model_query *q)
{
    size_t models = view_count(view_enter(c->reader), ENTITY_MODEL);
    view_leave(c->reader);
    return models > c->api->list_on_loop_max && (!q->name || q->q);
}

void models_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct model_query *q = arena_zero(c.arena, sizeof *q);
    if (!models_query(&c, q, &e)) {
        request_fail(rq, &e);
        return;
    }
    work_answer(&c, list_is_long(&c, q), models_render, q);
}

/* --- one --- */

enum { INCLUDE_METRICS = 1, INCLUDE_HEALTH = 2, INCLUDE_VALIDATION = 4 };

struct included {
    const char *reference;
    unsigned parts;
};

static bool include_read(struct call *c, unsigned *parts, struct err *e)
{
    static const char *const NAMES[] = {"metrics", "health", "validation"};
    for (const char *p = c->q.include; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        unsigned bit = 0;
        for (unsigned i = 0; i < 3; i++)
            if (strlen(NAMES[i]) == len && memcmp(p, NAMES[i], len) == 0)
                bit = 1u << i;
        if (!bit)
            return call_fault(c->arena, "include", e,
                              "must be of metrics, health, validation, got '%.*s'",
                              (int)(len < 64 ? len : 64), p);
        *parts |= bit;
        p += len;
    }
    return true;
}

/* The model's own members, without the closing brace, and what identifies it. */
static bool model_open(struct work *w, const char *reference, struct model_key *key)
{
    const struct view *v = view_enter(w->reader);
    const struct model *m = view_resolve(v, w->ns, reference, &w->err);
    if (m) {
        key->uid = m->entity.uid;
        key->ns = arena_text(w->arena, m->entity.ns);
        key->model_id = arena_text(w->arena, m->entity.id);
        bytes_add(&w->out, m->entity.json, m->entity.json_len - 1);
    }
    view_leave(w->reader);
    return m != NULL;
}

/* What its runs say, or null. */
static void validation_put(struct work *w, const struct model_key *key)
{
    const struct view *v = view_enter(w->reader);
    const struct model *m = view_model(v, key->ns, key->model_id);
    const struct validation_summary *s =
        m && m->entity.uid == key->uid ? view_validation(v, m) : NULL;
    const struct document *d =
        s ? view_document(v, &VALIDATION_SUMMARY_TYPE, key->ns, key->model_id) : NULL;
    json_kv_raw(&w->out, "validation", d ? d->entity.json : NULL);
    view_leave(w->reader);
}

static bool model_render(struct work *w)
{
    const struct included *in = w->args;
    struct model_key key;
    if (!model_open(w, in->reference, &key))
        return false;
    if (in->parts & INCLUDE_METRICS) {
        json_key(&w->out, "metrics");
        if (!metrics_put_default(w, &key))
            return false;
    }
    if (in->parts & INCLUDE_HEALTH) {
        json_key(&w->out, "health");
        if (!health_put(w, key.model_id))
            return false;
    }
    if (in->parts & INCLUDE_VALIDATION)
        validation_put(w, &key);
    bytes_char(&w->out, '}');
    return true;
}

static void model_get_with(struct call *c)
{
    struct err e;
    struct included *in = arena_zero(c->arena, sizeof *in);
    in->reference = request_param(c->rq, "model_id");
    if (!include_read(c, &in->parts, &e))
        request_fail(c->rq, &e);
    else
        work_answer(c, (in->parts & INCLUDE_HEALTH) != 0, model_render, in);
}

/* The hot path: the view keeps every model's text ready to be sent. */
void model_get(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (c.q.include) {
        model_get_with(&c);
        return;
    }
    const char *reference = request_param(rq, "model_id");
    const struct view *v = view_enter(c.reader);
    const struct model *m = view_resolve(v, c.ns, reference, &e);
    if (m)
        call_reply_entity(&c, reference, &m->entity);
    view_leave(c.reader);
    if (!m)
        request_fail(rq, &e);
}

/* --- gate --- */

void model_gate_get(struct request *rq)
{
    struct call c;
    struct err e;
    const char *json = NULL;
    bool allowed;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    int to = status_parse(c.q.gate_to ? c.q.gate_to : "stable");
    const struct view *v = view_enter(c.reader);
    const struct model *m = view_resolve(v, c.ns, request_param(rq, "model_id"), &e);
    const struct gate_question q = {v, c.api->rules, c.api->gate, m, (enum model_status)to, false};
    bool ok = m && gate_resource(&q, false, c.arena, &json, &allowed, &e);
    view_leave(c.reader);
    if (ok)
        request_reply(rq, 200, NULL, json, strlen(json));
    else
        request_fail(rq, &e);
}

/* --- changes --- */

static void submit_model(struct request *rq, bool (*decide)(struct command *, struct head *,
                                                            struct changes *, struct err *))
{
    submit(rq, &(struct wish){
                   .decide = decide, .id = request_param(rq, "model_id"), .kind = ENTITY_MODEL});
}

void model_post(struct request *rq)
{
    submit(rq, &(struct wish){.decide = model_register, .kind = ENTITY_MODEL});
}

void model_put(struct request *rq)
{
    submit_model(rq, model_replace);
}

void model_change(struct request *rq)
{
    submit_model(rq, model_patch);
}

void model_remove(struct request *rq)
{
    submit_model(rq, model_delete);
}

void model_status_post(struct request *rq)
{
    submit_model(rq, model_transition);
}

void model_hold_post(struct request *rq)
{
    submit_model(rq, model_hold);
}

void model_hold_delete(struct request *rq)
{
    submit_model(rq, model_release);
}
