#include "validation/gate.h"

#include "base/json.h"
#include "base/log.h"
#include "registry/experiment.h"
#include "registry/severity.h"
#include "registry/test_case.h"
#include "registry/validation_summary.h"
#include "validation/fingerprint.h"
#include "validation/inner.h"

#include <inttypes.h>
#include <string.h>

/* A verdict on its way. */
struct judging {
    struct validation *v;
    const struct gate_question *q;
    const struct gate_rule *rule;
    const struct validation_summary *summary; /* NULL: no run yet */
    const struct run_brief *run;              /* the evidence; NULL: none */
    char fingerprint[SHA256_HEX_SIZE], tests[SHA256_HEX_SIZE];
    size_t gate_tests;
    struct bytes out;
    bool blocked;   /* a condition is not met */
    bool needs_run; /* one that a fresh run might meet */
    bool hopeless;  /* one that no run will meet */
};

static void condition(struct judging *j, const char *name, const char *status, const char *run_id,
                      const char *detail)
{
    struct bytes *b = &j->out;
    bytes_text(b, b->len > 1 ? ",{" : "{");
    json_kv_string(b, "name", name);
    json_kv_string(b, "status", status);
    json_kv_string(b, "run_id", run_id);
    json_kv_string(b, "detail", detail);
    bytes_char(b, '}');
    j->blocked |= strcmp(status, "pass") != 0;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* NULL, or why the evidence is about something else than what is there. */
static const char *outdated(const struct judging *j)
{
    if (!same(j->run->fingerprint, j->fingerprint))
        return "the model's source or runtime has changed since it was tested";
    if (!same(j->run->tests, j->tests))
        return "the gate's tests have changed since it was tested";
    return NULL;
}

static void judge_run(struct judging *j)
{
    const struct run_brief *run = j->run;
    const char *why = run ? outdated(j) : NULL;
    j->needs_run |= !run || why;
    if (!run)
        condition(j, "validation", "missing", NULL, "no complete run has tested the model");
    else if (why)
        condition(j, "validation", "stale", run->run_id, why);
    else if (same(run->status, "passed"))
        condition(j, "validation", "pass", run->run_id, "the newest complete run passed");
    else if (same(run->status, "error"))
        condition(j, "validation", "error", run->run_id,
                  "the newest complete run could not be carried out; run it again when what it "
                  "complains of is mended");
    else
        condition(j, "validation", "fail", run->run_id, "the newest complete run failed");
}

/* A partial run blocks, if it failed, until a complete one comes after it. */
static void judge_partial(struct judging *j)
{
    const struct run_brief *partial = j->summary ? &j->summary->blocking : NULL;
    if (partial && partial->run_id && same(partial->fingerprint, j->fingerprint))
        condition(j, "partial", "fail", partial->run_id,
                  "a run of some of the tests has failed since the newest complete one");
}

static void judge_severity(struct judging *j, struct arena *a)
{
    enum severity worst = SEVERITY_NONE, most = SEVERITY_MEDIUM;
    if (!j->run || outdated(j) || !severity_parse(j->run->severity, &worst))
        return;
    (void)severity_parse(j->rule->max_severity, &most);
    condition(j, "severity", worst <= most ? "pass" : "fail", j->run->run_id,
              arena_printf(a, "the worst regression is %s; at most %s is allowed",
                           severity_name(worst), severity_name(most)));
}

static void judge_age(struct judging *j, struct arena *a)
{
    int64_t most = j->rule->max_age_seconds;
    if (!j->run || most == INT64_MIN)
        return;
    int64_t age_ms = clock_wall_ms(j->v->config.clock) - j->run->finished_at;
    int64_t age = (age_ms + 999) / 1000; /* a second that has begun counts */
    j->needs_run |= age > most;
    condition(j, "age", age > most ? "stale" : "pass", j->run->run_id,
              arena_printf(a, "the run is %" PRId64 " s old; at most %" PRId64 " s are allowed",
                           age, most));
}

struct covering {
    const char *type;
    bool found;
};

static bool covers(const struct document *d, void *ctx)
{
    struct covering *c = ctx;
    const struct test_case *t = test_case_of(d);
    c->found |= is_gate_test(t) && strcmp(t->type, c->type) == 0;
    return !c->found;
}

static bool lists(const char *list, const char *text)
{
    json_t *items = list ? json_read(list, strlen(list), NULL) : NULL, *item;
    size_t i;
    bool found = false;
    json_array_foreach(items, i, item)
        found |= same(json_string_value(item), text);
    json_decref(items);
    return found;
}

static void judge_type(struct judging *j, const char *type, struct arena *a)
{
    struct covering c = {type, false};
    const char *name = arena_printf(a, "test:%.200s", type);
    test_cases_of(j->q->view, j->q->model, covers, &c);
    j->hopeless |= !c.found;
    if (!c.found)
        condition(j, name, "missing", NULL, "no enabled gate test of this type covers the model");
    else if (!j->run)
        condition(j, name, "missing", NULL, "no run has tested the model");
    else if (lists(j->run->types, type))
        condition(j, name, outdated(j) ? "stale" : "pass", j->run->run_id,
                  "all gate tests of this type passed");
    else
        condition(j, name, outdated(j) ? "stale" : "fail", j->run->run_id,
                  "not all gate tests of this type passed");
}

static size_t judge_types(struct judging *j, struct arena *a)
{
    json_t *types = json_read(j->rule->require_types, strlen(j->rule->require_types), NULL), *type;
    size_t i, n = json_array_size(types);
    json_array_foreach(types, i, type)
        judge_type(j, json_string_value(type), a);
    json_decref(types);
    return n;
}

/* --- a run that is needed --- */

/* The run that gathers the evidence, started if need be; NULL: there is none. */
static const char *pending_run(struct judging *j, struct arena *a)
{
    struct validation *v = j->v;
    const struct model *m = j->q->model;
    struct queueing *made = NULL;
    struct err e = {0};
    const char *run_id = NULL;
    pthread_mutex_lock(&v->lock);
    const struct live_run *l = map_get(v->pending, &m->entity.uid, sizeof m->entity.uid);
    if (l && !l->cancelled && same(l->fingerprint, j->fingerprint)) {
        run_id = arena_text(a, l->run_id);
    } else if (j->q->wants && v->threads) {
        const struct run_order o = {.ns = m->entity.ns,
                                    .model_id = m->entity.id,
                                    .trigger = RUN_TRIGGERS[2],
                                    .model = m,
                                    .view = j->q->view};
        made = run_order(v, &o, &e);
        run_id = made ? arena_text(a, queueing_run_id(made)) : NULL;
    }
    pthread_mutex_unlock(&v->lock);
    if (made)
        queueing_post(made, NULL, NULL);
    else if (!run_id && e.kind)
        log_text(LOG_WARN, "promotion_run_not_started", e.detail);
    return run_id;
}

static const char *evidence_word(const struct judging *j, size_t required)
{
    if (!j->gate_tests && !required)
        return "none";
    return !j->run ? "none" : j->blocked ? "incomplete" : "complete";
}

bool gate_judge_runs(void *self, const struct gate_question *q, const struct gate_rule *rule,
                     struct arena *a, struct gate_verdict *out)
{
    struct judging j = {.v = self, .q = q, .rule = rule, .out = BYTES_INIT(1 << 20)};
    size_t required = 0;
    j.gate_tests = gate_tests_fingerprint(q->view, q->model, j.tests);
    model_fingerprint(q->model, j.fingerprint);
    j.summary = view_validation(q->view, q->model);
    j.run = j.summary && j.summary->complete.run_id ? &j.summary->complete : NULL;
    bytes_char(&j.out, '[');
    if (j.gate_tests) {
        judge_run(&j);
        judge_partial(&j);
        judge_severity(&j, a);
        judge_age(&j, a);
    } else if (j.run) { /* nothing is demanded, but what was found counts */
        judge_partial(&j);
        judge_severity(&j, a);
    }
    required = judge_types(&j, a);
    if (rule->require_experiment &&
        view_experiment_won(q->view, q->model->entity.ns, q->model->entity.id)) {
        condition(&j, "experiment", "pass", NULL, "an experiment found it not worse");
    } else if (rule->require_experiment) {
        j.hopeless = true;
        condition(&j, "experiment", "missing", NULL, "no experiment has found it not worse");
    }
    *out = (struct gate_verdict){.evidence = evidence_word(&j, required)};
    if (j.needs_run && !j.hopeless && (out->run_id = pending_run(&j, a)))
        condition(&j, "run", "running", out->run_id, "this run gathers the evidence");
    bytes_char(&j.out, ']');
    out->conditions = arena_copy(a, j.out.data, j.out.len);
    bytes_release(&j.out);
    return !j.blocked;
}
