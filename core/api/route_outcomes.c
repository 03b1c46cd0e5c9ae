/* What came of a route's decisions: the scores of who served, those of shadows beside them, and how
 * often each shadow was named and heard of. */
#include "selection/outcomes.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/work.h"
#include "base/json.h"
#include "registry/alert.h"
#include "registry/errors.h"
#include "registry/route.h"
#include "selection/selection_counts.h"
#include "selection/shadow_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 5000 /* of one answer: arms x models x scores */

struct row {
    const char *arm, *model_id;
    uint32_t mark; /* of the model's id */
    struct outcome_count is;
};

struct shadow {
    const char *reference, *model_id;
    uint64_t model_uid, named, reported;
    double share;
    bool silent;
};

/* Of a route that is left by now: everything is copied from the view. */
struct report {
    struct arena *arena;
    uint64_t route_uid;
    const char *route;
    struct row *rows;
    size_t n;
    struct shadow shadows[ROUTE_SHADOWS_MAX];
    size_t shadow_count;
    bool all; /* outcomes of all nodes were counted; shadows are always this one's */
};

/* ---- what was counted ---- */

static void take_outcome(void *ctx, const struct outcome_count *c)
{
    struct report *r = ctx;
    if (r->n == ROWS_MAX)
        return;
    r->rows[r->n] = (struct row){.is = *c};
    r->rows[r->n++].is.name = arena_text(r->arena, c->name);
}

static void take_count(void *ctx, const struct selection_count *c)
{
    struct report *r = ctx;
    for (size_t i = 0; c->route_uid == r->route_uid && i < r->shadow_count; i++) {
        struct shadow *s = &r->shadows[i];
        s->named += s->model_uid == c->model_uid && c->what == COUNTED_SHADOW ? c->count : 0;
        s->reported += s->model_uid == c->model_uid && c->what == COUNTED_REPORT ? c->count : 0;
    }
}

static int by_score_and_arm(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->is.name, y->is.name);
    if (order == 0)
        order = strcmp(x->arm ? x->arm : "", y->arm ? y->arm : "");
    if (order == 0)
        order = x->is.shadow - y->is.shadow;
    return order ? order : strcmp(x->model_id ? x->model_id : "", y->model_id ? y->model_id : "");
}

/* ---- names ---- */

static void name_shadows(struct report *r, const struct view *v, const struct document *d)
{
    const struct route_plan *p = route_plan_of(d);
    r->shadow_count = p->shadow_count;
    for (size_t i = 0; i < p->shadow_count; i++) {
        const char *reference = p->shadows[i].reference;
        const struct model *m = route_model(v, d->entity.ns, p, reference);
        const char *key = shadow_alert_key(r->arena, d->entity.id, reference);
        r->shadows[i] = (struct shadow){.reference = arena_text(r->arena, reference),
                                        .model_id = m ? arena_text(r->arena, m->entity.id) : NULL,
                                        .model_uid = m ? m->entity.uid : 0,
                                        .share = (double)p->shadows[i].buckets / BUCKETS,
                                        .silent = view_alert_open(v, d->entity.ns, key) != NULL};
    }
}

/* An arm goes by its mark: the route's name of it, or the id of a model that has served. */
static const char *arm_of(const struct report *r, const struct route_plan *p, uint32_t mark)
{
    for (size_t i = 0; i < p->arm_count; i++)
        if (decision_mark(p->arms[i].name, strlen(p->arms[i].name)) == mark)
            return arena_text(r->arena, p->arms[i].name);
    for (size_t i = 0; i < r->n; i++)
        if (r->rows[i].model_id && r->rows[i].mark == mark)
            return r->rows[i].model_id;
    return NULL;
}

static int by_model(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->is.model_uid < y->is.model_uid ? -1 : x->is.model_uid > y->is.model_uid;
}

static bool name_model(const struct entity *e, void *ctx)
{
    const struct report *r = ctx;
    const struct row want = {.is = {.model_uid = e->uid}};
    struct row *row = bsearch(&want, r->rows, r->n, sizeof *r->rows, by_model);
    if (!row)
        return true;
    const char *id = arena_text(r->arena, e->id);
    while (row > r->rows && row[-1].is.model_uid == e->uid)
        row--;
    for (; row < r->rows + r->n && row->is.model_uid == e->uid; row++) {
        row->model_id = id;
        row->mark = decision_mark(id, strlen(id));
    }
    return true;
}

static void name_rows(struct report *r, const struct view *v, const struct document *d)
{
    qsort(r->rows, r->n, sizeof *r->rows, by_model);
    view_each_of(v, ENTITY_MODEL, d->entity.ns, name_model, r);
    for (size_t i = 0; i < r->n; i++) /* a shadow's is that of who served */
        r->rows[i].arm = arm_of(r, route_plan_of(d), r->rows[i].is.arm);
}

/* ---- the answer ---- */

static void put_row(struct bytes *b, const struct row *row)
{
    const struct outcome_count *c = &row->is;
    const double n = (double)c->count, mean = c->sum / n;
    json_kv_string(b, "arm", row->arm);
    json_kv_string(b, "model_id", row->model_id);
    json_kv_bool(b, "shadow", c->shadow);
    json_kv_string(b, "score", c->name);
    json_kv_int(b, "count", (int64_t)c->count);
    json_kv_number(b, "mean", mean);
    json_kv_number(b, "variance",
                   c->count > 1 ? fmax(0, (c->sum_squares - c->sum * mean) / (n - 1))
                                : (double)NAN);
    json_kv_number(b, "weighted_mean", c->weight > 0 ? c->weighted_sum / c->weight : (double)NAN);
    json_kv_time(b, "first_at", c->first_ms);
    json_kv_time(b, "last_at", c->last_ms);
}

static void put_shadow(struct bytes *b, const struct shadow *s)
{
    json_kv_string(b, "reference", s->reference);
    json_kv_string(b, "model_id", s->model_id);
    json_kv_number(b, "share_ratio", s->share);
    json_kv_int(b, "named", (int64_t)s->named);
    json_kv_int(b, "reported", (int64_t)s->reported);
    json_kv_bool(b, "silent", s->silent);
}

static void put_report(struct bytes *b, const struct report *r)
{
    bytes_char(b, '{');
    json_kv_string(b, "route", r->route);
    json_kv_string(b, "scope", r->all ? "all" : "node");
    json_key(b, "outcomes");
    bytes_char(b, '[');
    for (size_t i = 0; i < r->n; i++) {
        bytes_text(b, i ? ",{" : "{");
        put_row(b, &r->rows[i]);
        bytes_char(b, '}');
    }
    bytes_text(b, "],\"shadows\":[");
    for (size_t i = 0; i < r->shadow_count; i++) {
        bytes_text(b, i ? ",{" : "{");
        put_shadow(b, &r->shadows[i]);
        bytes_char(b, '}');
    }
    bytes_text(b, "]}");
}

/* What was counted is read between two looks at the view, so that none is held for long. */
static bool render(struct work *w)
{
    const char *id = w->args;
    struct report r = {.arena = w->arena,
                       .all = w->api->facts != NULL,
                       .rows = arena_zero(w->arena, ROWS_MAX * sizeof *r.rows)};
    bool implied;
    const struct view *v = view_enter(w->reader);
    const struct document *d = document_find(v, &ROUTE_TYPE, w->ns, id, w->arena, &implied);
    r.route_uid = d ? d->entity.uid : 0;
    view_leave(w->reader);
    if (r.route_uid)
        outcomes_each(w->api->outcomes, r.route_uid, take_outcome, &r);
    v = view_enter(w->reader);
    d = document_find(v, &ROUTE_TYPE, w->ns, id, w->arena, &implied);
    if (d) {
        r.route = arena_text(w->arena, d->entity.id);
        name_shadows(&r, v, d);
        name_rows(&r, v, d);
    }
    view_leave(w->reader);
    if (!d)
        return fail(&w->err, &ROUTE_NOT_FOUND, "no route '%.200s'", id);
    selection_counts_each(w->api->selections, take_count, &r);
    qsort(r.rows, r.n, sizeof *r.rows, by_score_and_arm);
    put_report(&w->out, &r);
    return true;
}

void route_outcomes_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ONE_NAMESPACE, &c))
        work_answer(&c, true, render,
                    (void *)(uintptr_t)arena_text(c.arena, request_param(rq, "route")));
}
