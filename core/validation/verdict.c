/* The verdict on a run whose tests are over: beside its baseline, graded, stored, told. */
#include "validation/inner.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/ask.h"
#include "registry/validation_summary.h"
#include "validation/alerts.h"
#include "validation/grade.h"
#include "validation/history.h"
#include "validation/report.h"
#include "validation/run_store.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_RUNS   40 /* of each version */
#define HISTORY_BYTES  ((size_t)8 << 20)
#define HISTORY_MODELS 6
#define VERDICT_ARENA  ((size_t)512 << 20)

/* --- the baseline's run --- */

bool run_may_be_baseline(const struct run *r)
{
    return !r->trial && strcmp(r->status, "passed") == 0;
}

static bool newest_passed(struct execution *x, bool aside, struct arena *a, struct run *out)
{
    struct run_range range = {
        .uid = x->base_uid, .newest_first = true, .aside = aside, .limit = BASE_LOOKED_AT};
    struct run_text *list;
    struct err e = {0};
    size_t n;
    if (!run_list(x->v->config.store, &range, a, &list, &n, NULL, &e))
        return log_text(LOG_WARN, "baseline_not_read", e.detail), false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].run_id, x->run.run_id) != 0 &&
            run_decode(list[i].text, list[i].len, a, out, &e) && run_may_be_baseline(out))
            return true;
    return false;
}

static bool find_base(struct execution *x, struct arena *a, struct run *out)
{
    struct err e = {0};
    if (x->base_run_id)
        return run_get(x->v->config.store, x->ns, x->base_run_id, a, out, &e);
    return x->base_uid && (newest_passed(x, false, a, out) || newest_passed(x, true, a, out));
}

/* --- the past --- */

struct versions {
    uint64_t uids[HISTORY_MODELS];
    size_t n;
};

static bool note_version(const struct model *m, void *ctx)
{
    struct versions *all = ctx;
    for (size_t i = 0; i < all->n; i++)
        if (all->uids[i] == m->entity.uid)
            return true;
    all->uids[all->n++] = m->entity.uid;
    return all->n < HISTORY_MODELS;
}

static int by_time(const void *a, const void *b)
{
    const struct run_text *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* The newest runs of the subject, its baseline and the name's newest other versions. */
static void read_history(struct execution *x, struct arena *a, struct history *h)
{
    struct versions all = {.uids = {x->uid, x->base_uid}, .n = 1 + (x->base_uid != 0)};
    if (x->base_uid == x->uid)
        all.n = 1;
    view_versions_back(view_enter(x->v->judge_reader), x->ns, x->name, note_version, &all);
    view_leave(x->v->judge_reader);
    struct run_text *runs = arena_zero(a, HISTORY_MODELS * HISTORY_RUNS * sizeof *runs);
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++) {
        struct run_range range = {.uid = all.uids[i],
                                  .to = x->run.queued_at,
                                  .newest_first = true,
                                  .limit = HISTORY_RUNS,
                                  .bytes_max = HISTORY_BYTES};
        struct run_text *list;
        size_t len;
        if (run_list(x->v->config.store, &range, a, &list, &len, NULL, NULL) && len) {
            memcpy(runs + n, list, len * sizeof *runs);
            n += len;
        }
    }
    qsort(runs, n, sizeof *runs, by_time);
    for (size_t i = 0; i < n; i++) {
        struct run r;
        if (run_decode(runs[i].text, runs[i].len, a, &r, NULL) && !history_add(h, &r))
            return;
    }
}

/* --- regressions --- */

static bool has_measurements(const struct run *r)
{
    for (size_t i = 0; i < r->results_len; i++)
        if (r->results[i].measurements_len)
            return true;
    return false;
}

static void grade(struct execution *x, struct arena *a, struct run *r, struct regression *list,
                  size_t n)
{
    enum severity worst = SEVERITY_NONE;
    json_t *labels = json_read(x->labels, strlen(x->labels), NULL);
    struct grade_by_policy by = {.set = x->v->policies,
                                 .ns = x->ns,
                                 .policy = x->policy,
                                 .model_id = r->model_id,
                                 .name = x->name,
                                 .version = x->version,
                                 .status = x->status,
                                 .baseline_model_id = r->baseline.model_id,
                                 .labels = labels};
    r->regressions = list;
    r->regressions_len = regressions_grade(list, n, grade_by_policy, &by, a, &worst);
    if (r->regressions_len > RUN_REGRESSIONS_MAX)
        r->regressions_len = RUN_REGRESSIONS_MAX;
    r->severity = SEVERITY_NAMES[worst];
    json_decref(labels);
}

static void compare(struct execution *x, struct arena *a, struct run *r)
{
    struct run base;
    struct err e = {0};
    struct regression *list;
    size_t n;
    bool found = find_base(x, a, &base);
    if (found)
        r->baseline = (struct run_baseline){base.run_id, base.model_id};
    if (!has_measurements(r))
        return;
    struct history *h = history_new();
    read_history(x, a, h);
    const struct comparison_input in = {.subject = r,
                                        .baseline = found ? &base : NULL,
                                        .history = history_points,
                                        .history_self = h};
    if (regressions_find(&in, a, &list, &n, &e))
        grade(x, a, r, list, n);
    else
        log_text(LOG_ERROR, "regressions_not_found", e.detail);
    history_free(h);
}

/* --- status --- */

static bool is_status(const struct test_result *r, const char *status)
{
    return strcmp(r->status, status) == 0;
}

static const char *status_of(const struct execution *x, const struct run *r)
{
    bool failed = strcmp(r->severity, "high") == 0, error = x->n == 0 || x->lost || x->gone;
    if (x->cancelled || r->status == RUN_STATUSES[5])
        return RUN_STATUSES[5];
    for (size_t i = 0; i < x->n; i++) {
        const struct planned_test *t = &x->tests[i];
        failed |= t->gate && (is_status(&t->result, "failed") || is_status(&t->result, "crashed") ||
                              is_status(&t->result, "timeout"));
        error |= is_status(&t->result, "error");
    }
    return failed ? RUN_STATUSES[3] : error ? RUN_STATUSES[4] : RUN_STATUSES[2];
}

/* Every enabled gate test was in it, to its end. */
static bool is_complete(const struct execution *x)
{
    bool complete = x->covers_gate && x->n > 0 && !x->cancelled && !x->lost && !x->gone;
    for (size_t i = 0; i < x->n; i++)
        complete &= !x->tests[i].gate || !is_status(&x->tests[i].result, "skipped");
    return complete;
}

/* In the order of their ids, whoever was ready first. */
static int by_test(const void *a, const void *b)
{
    return strcmp(((const struct test_result *)a)->test_id,
                  ((const struct test_result *)b)->test_id);
}

static void conclude(struct execution *x, struct arena *a, struct run *r)
{
    *r = x->run;
    if (r->results_len) {
        r->results = arena_zero(a, r->results_len * sizeof *r->results);
        memcpy(r->results, x->run.results, r->results_len * sizeof *r->results);
        qsort(r->results, r->results_len, sizeof *r->results, by_test);
    }
    if (!x->cancelled && !x->lost && !x->gone && x->n)
        compare(x, a, r);
    r->status = status_of(x, r);
    r->complete = is_complete(x);
    r->finished_at = clock_wall_ms(x->v->config.clock);
    r->duration_ms = r->started_at ? r->finished_at - r->started_at : 0;
    if (r->attempts_len && !r->attempts[r->attempts_len - 1].end) {
        struct run_attempt *list = arena_zero(a, r->attempts_len * sizeof *list);
        memcpy(list, r->attempts, r->attempts_len * sizeof *list);
        list[r->attempts_len - 1].end = ATTEMPT_ENDS[0];
        list[r->attempts_len - 1].ended_at = r->finished_at;
        r->attempts = list;
    }
}

/* --- telling the engine --- */

bool decide_and_wait(struct validation *v, const char *ns, const char *model_id, struct arena *a,
                     void *args,
                     bool (*decide)(struct command *c, struct head *h, struct changes *out,
                                    struct err *e))
{
    struct err e = {0};
    struct command *c = arena_zero(a, sizeof *c);
    *c = (struct command){.arena = a,
                          .ns = ns,
                          .actor = {"server", "validation", NULL},
                          .request_id = "",
                          .if_match = -1,
                          .id = model_id,
                          .args = args,
                          .decide = decide};
    if (engine_ask(v->engine, c, &e))
        return true;
    log_text(LOG_WARN, "validation_not_journalled", e.detail);
    return e.kind != &ERR_IO && e.kind != &ERR_BUSY;
}

static bool command_wait(struct execution *x, struct arena *a, void *args,
                         bool (*decide)(struct command *c, struct head *h, struct changes *out,
                                        struct err *e))
{
    return decide_and_wait(x->v, x->ns, x->run.model_id, a, args, decide);
}

static bool type_failed(const struct execution *x, const char *type)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->tests[i].gate && strcmp(x->tests[i].result.type, type) == 0 &&
            !is_status(&x->tests[i].result, "passed"))
            return true;
    return false;
}

/* Types of which every gate test passed. */
static const char *passed_types(const struct execution *x, struct arena *a)
{
    json_t *types = json_array();
    for (size_t i = 0; i < x->n; i++) {
        const char *type = x->tests[i].result.type;
        bool known = false;
        size_t k;
        const json_t *item;
        json_array_foreach(types, k, item)
            known |= strcmp(json_string_value(item), type) == 0;
        if (x->tests[i].gate && !known && !type_failed(x, type))
            json_array_append_new(types, json_string(type));
    }
    struct bytes b = BYTES_INIT(256 << 10);
    json_put_value(&b, types);
    const char *text = b.full ? "[]" : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    json_decref(types);
    return text;
}

static const char *sentence_of(const struct run *r, struct arena *a)
{
    struct report report;
    const struct report_input in = {.model_id = r->model_id, .run = r};
    return report_build(&in, a, &report, NULL) ? report.summary : "";
}

static bool tell(struct execution *x, const struct run *r)
{
    if (r->trial || r->status == RUN_STATUSES[5] || x->gone)
        return true;
    struct arena *a = arena_new(64 << 20);
    struct validation_outcome outcome = {
        .model_id = r->model_id,
        .uid = x->uid,
        .run = {.run_id = r->run_id,
                .trigger = r->trigger,
                .status = r->status,
                .severity = r->severity,
                .fingerprint = r->subject_fingerprint,
                .tests = r->complete ? x->tests_digest : NULL,
                .types = passed_types(x, a),
                .queued_at = r->queued_at,
                .finished_at = r->finished_at},
        .complete = r->complete,
        .regressions = (int64_t)r->regressions_len,
        .summary = sentence_of(r, a),
    };
    bool ok = command_wait(x, a, &outcome, validation_finished) &&
              alerts_of_run(x, r, outcome.summary, a, command_wait);
    arena_free(a);
    return ok;
}

/* What GET shows until the record is there. */
static void publish(struct execution *x, const struct run *r)
{
    pthread_mutex_lock(&x->v->lock);
    x->run = *r;
    pthread_mutex_unlock(&x->v->lock);
}

bool judge(struct execution *x)
{
    struct run r;
    struct err e = {0};
    if (x->stored) /* all but the telling was done, by a node that is gone */
        return !x->ns || (x->run.complete && !x->returned) || tell(x, &x->run);
    if (x->run.finished_at == 0) {
        conclude(x, x->arena, &r);
        publish(x, &r);
    }
    bool duty = x->returned && x->run.batch_id;
    if (!run_put(x->v->config.store, &x->run, x->ns, x->uid, duty, &e)) {
        log_text(LOG_ERROR, "run_not_stored", e.detail);
        return false;
    }
    return tell(x, &x->run);
}
