/* What a claimed run does: which tests, with which plugins, on which data, beside which baseline.
 * Everything is copied out of the view, so that a run is of one moment. */
#include "validation/inner.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "extend/plugin_traits.h"
#include "registry/baseline.h"
#include "registry/scan.h"
#include "registry/test_case.h"
#include "validation/fingerprint.h"
#include "validation/plan_parts.h"
#include "validation/run_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEQ_WAIT_MS 3000
#define SEED_MASK   ((UINT64_C(1) << 53) - 1) /* JSON numbers hold it */

/* --- before --- */

/* What became of it before: over (the node went before it could say so), under way on a node that
 * is gone, or nothing. */
static void look_back(struct execution *x)
{
    struct run before;
    struct err e = {0};
    if (!run_get(x->v->config.store, x->ns, x->run.run_id, x->arena, &before, &e))
        return;
    x->stored = before.finished_at != 0;
    if (x->returned || x->begun) {
        if (x->stored && x->returned)
            x->run = before;
        return;
    }
    if (x->stored || before.attempts_len) {
        x->run = before;
        x->lost = !x->stored && strcmp(before.trigger, "nightly") != 0;
    }
    if (x->stored)
        return;
    for (size_t i = 0; i < x->run.attempts_len; i++) {
        struct run_attempt *a = &x->run.attempts[i];
        if (a->end)
            continue;
        a->end = ATTEMPT_ENDS[1];
        a->ended_at = clock_wall_ms(x->v->config.clock);
    }
}

/* Where several share the store the job tells what was begun before. Whatever asked for the run, it
 * is tried again: who carried it out is gone, and whoever waits for it is not. */
static void count_lost(struct execution *x)
{
    size_t lost = 0;
    for (size_t i = 0; i < x->run.attempts_len; i++) {
        struct run_attempt *a = &x->run.attempts[i];
        if (!a->end) {
            a->end = ATTEMPT_ENDS[1];
            a->ended_at = clock_wall_ms(x->v->config.clock);
        }
        lost += strcmp(a->end, ATTEMPT_ENDS[1]) == 0;
    }
    x->lost = lost >= LOST_MAX;
}

/* The node that was asked may know more than this one does. */
static bool wait_for_journal(struct execution *x)
{
    struct engine_stats now;
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int64_t left = SEQ_WAIT_MS;; left -= 5) {
        engine_stats(x->v->engine, &now);
        if (now.seq >= x->seq || left <= 0)
            break;
        nanosleep(&pause, NULL);
    }
    if (now.seq < x->seq)
        x->declined = arena_printf(
            x->arena, "the journal has come to %" PRIu64 " here, not to %" PRIu64, now.seq, x->seq);
    return !x->declined;
}

/* Word of a run that has begun elsewhere. */
static void note_begun(struct execution *x)
{
    struct err e = {0};
    look_back(x);
    if (!x->stored &&
        !run_put(x->v->config.store, &x->run, x->ns, x->uid, x->run.batch_id != NULL, &e))
        log_text(LOG_WARN, "run_start_not_stored", e.detail);
}

/* --- the baseline --- */

static void take_base(struct execution *x, const struct model *m, const char *run_id)
{
    x->base_model_id = arena_text(x->arena, m->entity.id);
    x->base_uid = m->entity.uid;
    x->base_name = arena_text(x->arena, m->name);
    x->base_version = arena_text(x->arena, m->version);
    x->base_status = status_name(m->status);
    x->base_run_id = arena_text(x->arena, run_id);
}

/* In the order that api.md gives. */
static void choose_base(struct execution *x, const struct view *v, const struct model *m)
{
    const struct document *pin = view_document(v, &BASELINE_TYPE, x->ns, m->entity.id);
    const struct registered_model *r = view_registered_model(v, x->ns, m->name);
    const struct model *base = NULL;
    const char *run_id = NULL;
    if (x->baseline_model_id) {
        base = view_model(v, x->ns, x->baseline_model_id);
    } else if (pin) {
        run_id = baseline_of(pin)->run_id;
        base = view_model(v, x->ns, baseline_of(pin)->baseline_model_id);
        if (!base) { /* its model is gone, its figures are not */
            x->base_run_id = arena_text(x->arena, run_id);
            x->base_model_id = arena_text(x->arena, baseline_of(pin)->baseline_model_id);
        }
    } else if (m->baseline_model_id) {
        base = view_model(v, x->ns, m->baseline_model_id);
    } else if (r && r->stable_model_id) {
        base = view_model(v, x->ns, r->stable_model_id);
    }
    if (base)
        take_base(x, base, run_id);
}

/* --- the tests --- */

struct planning {
    struct execution *x;
    const struct view *view;
    const struct model *model;
    json_t *types, *test_ids;
    size_t cap;
    bool missed_gate; /* an enabled gate test is not in the run */
};

static bool listed(const json_t *list, const char *text)
{
    size_t i;
    const json_t *item;
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    return json_array_size(list) == 0;
}

/* A promotion needs every test of the gate, whatever triggers it; tests asked for by id run even if
 * something else usually triggers them. */
static bool is_wanted(const struct planning *p, const struct test_case *t)
{
    const char *trigger = p->x->run.trigger;
    bool triggered = json_array_size(p->test_ids) > 0 || test_case_triggered(t, trigger) ||
                     (is_gate_test(t) && strcmp(trigger, "promotion") == 0);
    return t->enabled && triggered && listed(p->types, t->type) && listed(p->test_ids, t->head.id);
}

static bool add_test(const struct document *d, void *ctx)
{
    struct planning *p = ctx;
    struct execution *x = p->x;
    const struct test_case *t = test_case_of(d);
    if (!is_wanted(p, t)) {
        p->missed_gate |= is_gate_test(t);
        return true;
    }
    if (x->n == RUN_RESULTS_MAX) {
        p->missed_gate = true;
        return false;
    }
    if (x->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 8;
        struct planned_test *more = arena_zero(x->arena, p->cap * sizeof *more);
        if (x->n)
            memcpy(more, x->tests, x->n * sizeof *more);
        x->tests = more;
    }
    struct planned_test *test = &x->tests[x->n++];
    *test = (struct planned_test){.gate = is_gate_test(t)};
    test_result_init(&test->result);
    test->result.test_id = arena_text(x->arena, t->head.id);
    test->result.test_revision = d->entity.revision;
    test->result.name = arena_text(x->arena, t->name);
    test->result.type = arena_text(x->arena, t->type);
    test->result.seed = (int64_t)(hash64(t->head.id, strlen(t->head.id), 0) & SEED_MASK);
    test->job = (struct test_job){.test_id = test->result.test_id,
                                  .name = test->result.name,
                                  .config = arena_text(x->arena, t->config),
                                  .seed = (uint64_t)test->result.seed,
                                  .timeout_ms = t->timeout_ms,
                                  .nice = WORKER_NICE};
    plan_datasets(x, test, p->view, t->datasets);
    return true;
}

static void plan_tests(struct planning *p)
{
    struct execution *x = p->x;
    p->types = json_read(x->types, strlen(x->types), NULL);
    p->test_ids = json_read(x->test_ids, strlen(x->test_ids), NULL);
    test_cases_of(p->view, p->model, add_test, p);
    json_decref(p->types);
    json_decref(p->test_ids);
    gate_tests_fingerprint(p->view, p->model, x->tests_digest);
    x->covers_gate = !p->missed_gate;
}

static void plan_subject(struct execution *x, const struct view *v, const struct model *m,
                         struct job_model *out)
{
    const struct registered_model *r = view_registered_model(v, x->ns, m->name);
    struct slice labels = model_labels(m);
    x->name = arena_text(x->arena, m->name);
    x->version = arena_text(x->arena, m->version);
    x->status = status_name(m->status);
    x->labels = labels.at ? arena_copy(x->arena, labels.at, labels.len) : "{}";
    x->policy = plan_policy(x, m, r);
    *out = (struct job_model){.model_id = x->run.model_id,
                              .name = x->name,
                              .version = x->version,
                              .status = x->status,
                              .runtime = plan_runtime_text(x->arena, m)};
}

static void plan_base_model(struct execution *x, const struct view *v, struct job_model *out)
{
    const struct model *m = x->base_uid ? view_model(v, x->ns, x->base_model_id) : NULL;
    *out = (struct job_model){.model_id = x->base_model_id,
                              .name = x->base_name,
                              .version = x->base_version,
                              .status = x->base_status,
                              .runtime = m ? plan_runtime_text(x->arena, m) : NULL};
}

/* False: the model is gone. */
static bool plan_from_view(struct execution *x, struct job_model *subject, struct job_model *base)
{
    const struct view *v = view_enter(x->v->judge_reader);
    const struct model *m = view_model(v, x->ns, x->run.model_id);
    bool there = m && m->entity.uid == x->uid;
    if (there) {
        struct planning p = {.x = x, .view = v, .model = m};
        char fingerprint[SHA256_HEX_SIZE];
        model_fingerprint(m, fingerprint);
        x->run.subject_fingerprint = arena_text(x->arena, fingerprint);
        choose_base(x, v, m);
        plan_subject(x, v, m, subject);
        plan_base_model(x, v, base);
        plan_tests(&p);
    }
    view_leave(x->v->judge_reader);
    return there;
}

/* --- an attempt --- */

static void begin_attempt(struct execution *x)
{
    struct run *r = &x->run;
    size_t n = r->attempts_len < RUN_ATTEMPTS_MAX ? r->attempts_len : RUN_ATTEMPTS_MAX - 1;
    struct run_attempt *list = arena_zero(x->arena, (n + 1) * sizeof *list);
    if (n)
        memcpy(list, r->attempts + (r->attempts_len - n), n * sizeof *list);
    int64_t now = clock_wall_ms(x->v->config.clock);
    list[n] = (struct run_attempt){.node = x->v->node, .started_at = now};
    r->attempts = list;
    r->attempts_len = n + 1;
    r->status = RUN_STATUSES[1];
    r->started_at = now;
    r->progress = (struct run_progress){0, (int64_t)x->n};
}

/* Tests that must be alone come last: the others of the run need not wait for them. */
static void sort_tests(struct execution *x)
{
    size_t kept = 0;
    struct planned_test *sorted = arena_zero(x->arena, (x->n + 1) * sizeof *sorted);
    for (int alone = 0; alone <= 1; alone++)
        for (size_t i = 0; i < x->n; i++)
            if (x->tests[i].alone == alone)
                sorted[kept++] = x->tests[i];
    x->tests = sorted;
    for (size_t i = 0; i < x->n; i++)
        x->tests[i].execution = x;
}

void plan(struct execution *x, const void *job, size_t len)
{
    struct job_model *subject = arena_zero(x->arena, sizeof *subject);
    struct job_model *base = arena_zero(x->arena, sizeof *base);
    if (!run_job_read(x, job, len)) {
        x->ns = NULL;
        x->gone = x->stored = true; /* nothing can be made of it: let it go */
        return;
    }
    if (x->begun) {
        note_begun(x);
        return;
    }
    if (x->v->shared && !x->returned)
        count_lost(x);
    else if (x->returned || x->again || !x->live)
        look_back(x);
    if (x->seized)
        x->run.status = RUN_STATUSES[5];
    if (x->stored || x->lost || x->returned || x->seized)
        return;
    x->may_decline = x->v->shared && !handing_is_mine(x);
    if (x->may_decline && !wait_for_journal(x))
        return;
    if (x->until && clock_wall_ms(x->v->config.clock) >= x->until) {
        x->run.status = RUN_STATUSES[5];
        return;
    }
    x->gone = !plan_from_view(x, subject, base);
    if (x->gone)
        return;
    x->plugins = catalog_take(x->v->config.catalog);
    if (x->may_decline && x->plugins_wanted)
        x->plugins_parsed = json_read(x->plugins_wanted, strlen(x->plugins_wanted), NULL);
    plan_runtimes(x, subject, base);
    for (size_t i = 0; i < x->n; i++)
        plan_test(x, &x->tests[i], subject, base->runtime_file ? base : NULL);
    if (x->declined)
        return;
    sort_tests(x);
    begin_attempt(x);
    struct err e = {0};
    if (x->v->shared)
        handing_begin(x);
    else if (!run_put(x->v->config.store, &x->run, x->ns, x->uid, false, &e))
        log_text(LOG_WARN, "run_start_not_stored", e.detail); /* a restart will not tell */
}
