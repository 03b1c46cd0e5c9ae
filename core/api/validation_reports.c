/* What the runs of the past say: history, one measurement over time, the regression report. */
#include "api/handlers.h"
#include "api/items.h"
#include "api/validation_work.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/alert.h"
#include "validation/history.h"
#include "validation/report.h"
#include "validation/run_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK         100   /* runs that are decoded at a time */
#define RUNS_COUNTED  10000 /* of one model; a longer history is counted no further */
#define CHUNK_ARENA   ((size_t)256 << 20)
#define VERSIONS_MAX  100 /* of a name whose measurements are gathered */
#define REPORT_RUNS   400
#define REPORT_WINDOW "30d"

/* Where the runs that were read end. */
struct place {
    int64_t at;
    const char *run_id; /* NULL: at the start */
};

/* Is this run behind it? */
static bool is_after(const struct place *p, bool newest_first, int64_t at, const char *run_id)
{
    int order = !p->run_id    ? 1
                : at != p->at ? (at > p->at) - (at < p->at)
                              : strcmp(run_id, p->run_id);
    return !p->run_id || (newest_first ? order < 0 : order > 0);
}

/* The key of a run in a page. */
static const char *key_of(struct arena *a, int64_t at, const char *run_id)
{
    return arena_printf(a, "%s\t%s", items_number(a, at), run_id);
}

struct asked {
    const char *reference; /* model, or name */
    const char *status, *trigger, *test_id, *name;
    int64_t from, to, window_ms;
    struct items_page page;
};

/* Call `fn` for each run of a model, newest or oldest first, until it returns false; what it is
 * given lives during the call. False: w->err. */
static bool each_run(struct work *w, uint64_t uid, int64_t from, int64_t to, bool newest_first,
                     bool (*fn)(struct work *w, const struct run *r, void *ctx), void *ctx)
{
    struct arena *a = arena_new(CHUNK_ARENA);
    struct place last = {0};
    size_t seen = 0;
    bool ok = true, more = true;
    while (ok && more && seen < RUNS_COUNTED) {
        struct run_range range = {.uid = uid,
                                  .from = last.run_id && !newest_first ? last.at : from,
                                  .to = last.run_id && newest_first ? last.at + 1 : to,
                                  .newest_first = newest_first,
                                  .limit = CHUNK + 16};
        struct run_text *list = NULL;
        size_t n = 0, fresh = 0;
        arena_reset(a);
        ok = run_list(w->api->store, &range, a, &list, &n, &more, &w->err);
        for (size_t i = 0; ok && i < n; i++) {
            struct run r;
            if (!is_after(&last, newest_first, list[i].at, list[i].run_id))
                continue;
            fresh++;
            seen++;
            last = (struct place){list[i].at, arena_text(w->arena, list[i].run_id)};
            if (!run_decode(list[i].text, list[i].len, a, &r, &w->err))
                ok = false;
            else if (!fn(w, &r, ctx))
                more = false;
        }
        more &= fresh > 0;
    }
    arena_free(a);
    return ok;
}

/* --- history --- */

struct listing {
    const struct asked *asked;
    struct items_page page;
};

static bool list_run(struct work *w, const struct run *r, void *ctx)
{
    struct listing *l = ctx;
    const struct asked *q = l->asked;
    if ((q->status && strcmp(q->status, r->status) != 0) ||
        (q->trigger && strcmp(q->trigger, r->trigger) != 0))
        return true;
    if (!items_page_takes(&l->page, &w->out, key_of(w->arena, r->queued_at, r->run_id)))
        return true;
    struct bytes text = BYTES_INIT(RUN_TEXT_MAX);
    run_encode(r, w->ns, &text);
    items_add(&w->out, text.data, text.len);
    bytes_release(&text);
    return true;
}

static bool history_render(struct work *w)
{
    const struct asked *q = w->args;
    struct listing l = {q, q->page};
    struct model_key key;
    if (!work_model(w, q->reference, &key))
        return false;
    items_begin(&w->out);
    if (!each_run(w, key.uid, q->from, q->to, l.page.descending, list_run, &l))
        return false;
    items_page_end(&w->out, &l.page, w->arena);
    return true;
}

static struct asked *asked_new(struct call *c, const char *reference, const char *list,
                               const char *usual, struct err *e)
{
    struct asked *q = arena_zero(c->arena, sizeof *q);
    struct items_page page;
    if (!items_page_open(&page, &c->q, list, usual, c->arena, e))
        return NULL;
    *q = (struct asked){.reference = reference,
                        .status = c->q.status,
                        .trigger = c->q.trigger,
                        .test_id = c->q.test_id,
                        .name = c->q.name,
                        .from = c->q.from,
                        .to = c->q.to,
                        .page = page};
    return q;
}

void validation_history_get(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked *q = asked_new(&c, request_param(rq, "model_id"), "history", "-queued_at", &e);
    if (q)
        work_answer(&c, true, history_render, q);
    else
        request_fail(rq, &e);
}

/* --- one measurement --- */

struct version {
    uint64_t uid;
    const char *model_id, *version;
};

struct gathering {
    struct work *w;
    const struct asked *asked;
    struct version versions[VERSIONS_MAX];
    size_t n_versions;
    const struct version *now;
    struct items_heap points; /* JSON texts */
};

static bool note_version(const struct model *m, void *ctx)
{
    struct gathering *g = ctx;
    g->versions[g->n_versions++] = (struct version){
        m->entity.uid, arena_text(g->w->arena, m->entity.id), arena_text(g->w->arena, m->version)};
    return g->n_versions < VERSIONS_MAX;
}

static const char *point_json(struct gathering *g, const struct run *r, const struct test_result *t,
                              const struct measurement *m)
{
    struct bytes b = BYTES_INIT(16384);
    bytes_char(&b, '{');
    json_kv_time(&b, "at", r->queued_at);
    json_kv_string(&b, "run_id", r->run_id);
    json_kv_string(&b, "model_id", g->now->model_id);
    json_kv_string(&b, "version", g->now->version);
    json_kv_string(&b, "trigger", r->trigger);
    json_kv_string(&b, "status", t->status);
    json_kv_number(&b, "value", m->value);
    json_kv_string(&b, "unit", m->unit);
    json_kv_string(&b, "better", m->better);
    json_kv_int(&b, "samples", m->samples);
    json_kv_number(&b, "variance", m->variance);
    bytes_char(&b, '}');
    const char *text = b.full ? "{}" : arena_copy(g->w->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

static bool gather_run(struct work *w, const struct run *r, void *ctx)
{
    struct gathering *g = ctx;
    const struct test_result *t = run_result(r, g->asked->test_id);
    const struct measurement *m = t ? result_measurement(t, g->asked->name) : NULL;
    if (!m || r->trial)
        return true;
    items_note(&g->points, w->arena, key_of(w->arena, r->queued_at, r->run_id),
               point_json(g, r, t, m));
    return g->points.n < RUNS_COUNTED;
}

static void put_point(struct bytes *out, const void *json, void *ctx)
{
    (void)ctx;
    items_add(out, json, strlen(json));
}

static bool measurements_render(struct work *w)
{
    const struct asked *q = w->args;
    struct gathering g = {.w = w, .asked = q};
    struct items_page page = q->page;
    bool ok = true;
    view_versions_back(view_enter(w->reader), w->ns, q->reference, note_version, &g);
    view_leave(w->reader);
    for (size_t i = 0; ok && i < g.n_versions; i++) {
        g.now = &g.versions[i];
        ok = each_run(w, g.now->uid, q->from, q->to, true, gather_run, &g);
    }
    items_begin(&w->out);
    items_give(&g.points, &page, &w->out, put_point, NULL);
    items_page_end(&w->out, &page, w->arena);
    return ok;
}

void validation_measurements_get(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (!c.q.model_name || !c.q.test_id || !c.q.name) {
        call_refuse(&c,
                    !c.q.model_name ? "model_name"
                    : !c.q.test_id  ? "test_id"
                                    : "name",
                    "is required");
        return;
    }
    const struct view *v = view_enter(c.reader);
    bool seen = view_registered_model(v, c.ns, c.q.model_name) &&
                access_reads(c.access, c.ns, c.q.model_name);
    view_leave(c.reader);
    struct asked *q = asked_new(&c, seen ? c.q.model_name : "", "measurements", "-at", &e);
    if (q)
        work_answer(&c, true, measurements_render, q);
    else
        request_fail(rq, &e);
}

/* --- regression report --- */

struct past {
    struct arena *arena;
    struct run runs[REPORT_RUNS];
    size_t n;
};

/* Kept for the report, so decoded once more into an arena that lasts. */
static bool keep_run(struct work *w, const struct run *r, void *ctx)
{
    struct past *p = ctx;
    struct bytes text = BYTES_INIT(RUN_TEXT_MAX);
    if (r->trial || !r->finished_at || strcmp(r->status, "cancelled") == 0)
        return true;
    run_encode(r, NULL, &text);
    bool ok = !text.full && run_decode(text.data, text.len, p->arena, &p->runs[p->n], &w->err);
    bytes_release(&text);
    p->n += ok;
    return p->n < REPORT_RUNS;
}

/* What the nights of the model's name have raised and nothing has resolved; NULL: nothing. */
static const struct report_alarm *alarm_of(struct work *w, const struct model_key *key)
{
    struct report_alarm *out = NULL;
    const struct view *v = view_enter(w->reader);
    const struct model *m = view_model(v, key->ns, key->model_id);
    const struct alert *alert =
        m ? view_alert_open(v, key->ns, alert_key(w->arena, "nightly", m->name)) : NULL;
    if (alert) {
        out = arena_zero(w->arena, sizeof *out);
        *out = (struct report_alarm){.alert_id = arena_text(w->arena, alert->head.id),
                                     .severity = arena_text(w->arena, alert->severity),
                                     .summary = arena_text(w->arena, alert->summary),
                                     .first_at = alert->first_at,
                                     .last_at = alert->last_at};
    }
    view_leave(w->reader);
    return out;
}

static bool report_of(struct work *w, const struct model_key *key, struct past *p)
{
    struct history *h = history_new();
    struct report report;
    for (size_t i = p->n; i > 0; i--)
        if (!history_add(h, &p->runs[i - 1]))
            break;
    const struct report_input in = {.model_id = key->model_id,
                                    .run = p->n ? &p->runs[0] : NULL,
                                    .history = h,
                                    .alarm = alarm_of(w, key)};
    bool ok = report_build(&in, w->arena, &report, &w->err);
    if (ok)
        report_encode(&report, &w->out);
    history_free(h);
    return ok;
}

static bool report_render(struct work *w)
{
    const struct asked *q = w->args;
    struct model_key key;
    if (!work_model(w, q->reference, &key))
        return false;
    struct past *p = mem_zero(1, sizeof *p);
    p->arena = w->arena;
    bool ok =
        each_run(w, key.uid, clock_wall_ms(w->api->clock) - q->window_ms, 0, true, keep_run, p) &&
        report_of(w, &key, p);
    free(p);
    return ok;
}

void validation_report_get(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked *q = arena_zero(c.arena, sizeof *q);
    q->reference = request_param(rq, "model_id");
    if (!span_parse(c.q.window ? c.q.window : REPORT_WINDOW, &q->window_ms) ||
        q->window_ms > INT64_C(3650) * 86400000)
        call_refuse(&c, "window", "must be a whole number and s, m, h or d, such as 30d");
    else
        work_answer(&c, true, report_render, q);
}
