/* Rules for tests: each has paddock-worker run the test in some situation. */
#include "cli/check.h"

#include <paddock/plugin.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STOP_MS    2000 /* the time of a test whose model is too slow for it */
#define SLOW       "{\"kind\":\"practice\",\"delay_ms\":20}"
#define GOOD       "{\"kind\":\"practice\"}"
#define FAULT      "the plugin uses the host wrongly"
#define FOREIGN    "the plugin wrote"
#define NO_CHECK   "the test made no check"
#define CONFIGURED "the configuration:" /* whoever gave it is wrong, not the plugin */
#define EXITED     "the process ended itself"

/* How a run differs from the first. */
struct situation {
    const char *runtime; /* NULL: as the options say */
    bool baseline, other_baseline;
    const char *data; /* a file instead of the options'; "": none at all; NULL: as they say */
    int64_t timeout_ms;
};

static unsigned flags_of(const struct subject *s)
{
    return (unsigned)json_integer_value(json_object_get(s->facts, "flags"));
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool give_baseline(const struct subject *s, const struct situation *in, struct test_job *job,
                          struct job_models *models, struct err *e)
{
    bool wanted = in->baseline || (flags_of(s) & PADDOCK_NEEDS_BASELINE);
    if (in->other_baseline)
        wanted = !job->baseline;
    else if (!wanted || job->baseline)
        return true;
    if (!wanted) {
        job->baseline = NULL;
        return true;
    }
    if (!plugin_job_model(s->o, "model:1", s->o->runtime ? s->o->runtime : GOOD, &models->baseline,
                          e))
        return false;
    job->baseline = &models->baseline;
    return true;
}

/* The worker with its result, or NULL. */
static struct worker *run(struct subject *s, const struct situation *in, struct err *e)
{
    struct test_job job;
    struct job_models models;
    struct job_dataset data = {.name = "practice", .path = in->data, .label = "label"};
    if (!plugin_job(s->o, s->file, &job, &models, e) || !plugin_job_data(s->o, s->made, &job, e) ||
        !give_baseline(s, in, &job, &models, e))
        return NULL;
    if (in->runtime && !plugin_job_model(s->o, "model:2", in->runtime, &job.subject, e))
        return NULL;
    if (in->data) {
        job.datasets = &data;
        job.n_datasets = *in->data != '\0';
    }
    if (in->timeout_ms)
        job.timeout_ms = in->timeout_ms;
    return worker_run(s->worker, &job, e);
}

/* It ended as no test should, whatever the situation. */
static bool went_wrong(const struct worker_result *r)
{
    return r->status == WORKER_CRASHED || r->status == WORKER_TIMEOUT ||
           (r->status == WORKER_ERROR && (starts(r->message, EXITED) || starts(r->message, FAULT)));
}

/* Run it in a situation that it must survive; false if it did not. */
static bool survives(struct subject *s, const struct situation *in, const char *what,
                     struct rule_outcome *out)
{
    struct err e = {0};
    struct worker *w = run(s, in, &e);
    if (!w) {
        outcome_set(out, RULE_FAILED, "%s: %.400s", what, e.detail);
        return false;
    }
    const struct worker_result *r = worker_result(w);
    bool good = !went_wrong(r);
    if (!good)
        outcome_set(out, RULE_FAILED, "%s: %s, %.400s", what, WORKER_STATUS_NAMES[r->status],
                    r->message);
    worker_free(w);
    return good;
}

/* Rules that need a first run that went well; the others are pointless without. */
static const struct worker_result *first(struct subject *s, struct rule_outcome *out)
{
    if (s->first && !s->unrunable)
        return worker_result(s->first);
    outcome_set(out, RULE_SKIPPED, "%s",
                s->unrunable ? s->unrunable : "its first run did not come back");
    return NULL;
}

void check_returns(struct subject *s, struct rule_outcome *out)
{
    struct err e = {0};
    s->first = run(s, &(struct situation){0}, &e);
    if (!s->first) {
        s->unrunable = "it could not be run";
        outcome_set(out, RULE_FAILED, "%.500s", e.detail);
        return;
    }
    const struct worker_result *r = worker_result(s->first);
    s->asked = r->log && strstr(r->log, "practice: asked");
    if (went_wrong(r) && !starts(r->message, FAULT)) {
        s->unrunable = "its first run did not come back";
        outcome_set(out, RULE_FAILED, "%s, %.400s", WORKER_STATUS_NAMES[r->status], r->message);
    } else if (r->status == WORKER_ERROR && !starts(r->message, FAULT) &&
               !starts(r->message, FOREIGN) && !starts(r->message, NO_CHECK)) {
        s->unrunable = "it cannot do its work with this model and data "
                       "(--config, --runtime, --data)";
        const bool given = s->o->config && starts(r->message, CONFIGURED);
        outcome_set(out, given ? RULE_FAILED : RULE_SKIPPED, "%s: %.400s", s->unrunable,
                    r->message);
    }
}

static void forbid(struct subject *s, const char *beginning, struct rule_outcome *out)
{
    const struct worker_result *r = first(s, out);
    if (!r || !starts(r->message, beginning))
        return;
    outcome_set(out, RULE_FAILED, "%.500s", r->message);
    s->unrunable = "a rule before it is broken";
}

void check_host_use(struct subject *s, struct rule_outcome *out)
{
    forbid(s, FAULT, out);
}

void check_descriptor(struct subject *s, struct rule_outcome *out)
{
    forbid(s, FOREIGN, out);
}

void check_checks(struct subject *s, struct rule_outcome *out)
{
    forbid(s, NO_CHECK, out);
}

void check_processes(struct subject *s, struct rule_outcome *out)
{
    const struct worker_result *r = first(s, out);
    if (r && r->left_behind)
        outcome_set(out, RULE_FAILED, "%u processes had to be killed after its run",
                    r->left_behind);
}

void check_failing_model(struct subject *s, struct rule_outcome *out)
{
    struct err e = {0};
    const struct situation in = {.runtime = "{\"kind\":\"practice\",\"behaviour\":\"fails\"}"};
    if (!first(s, out))
        return;
    if (!s->asked) {
        outcome_set(out, RULE_SKIPPED, "it did not ask the practice model");
        return;
    }
    if (!survives(s, &in, "a model that always fails", out))
        return;
    struct worker *w = run(s, &in, &e);
    if (w && worker_result(w)->status == WORKER_PASSED)
        outcome_set(out, RULE_FAILED, "a model that fails at every call passes: %.400s",
                    worker_result(w)->message);
    worker_free(w);
}

void check_strange_answers(struct subject *s, struct rule_outcome *out)
{
    static const char *const BEHAVIOURS[] = {"nan", "infinite", "empty", "renamed", "short"};
    if (!first(s, out))
        return;
    if (!s->asked) {
        outcome_set(out, RULE_SKIPPED, "it did not ask the practice model");
        return;
    }
    for (size_t i = 0; i < sizeof BEHAVIOURS / sizeof *BEHAVIOURS; i++) {
        char runtime[128], what[64];
        snprintf(runtime, sizeof runtime, "{\"kind\":\"practice\",\"behaviour\":\"%s\"}",
                 BEHAVIOURS[i]);
        snprintf(what, sizeof what, "outputs that are %s", BEHAVIOURS[i]);
        if (!survives(s, &(struct situation){.runtime = runtime}, what, out))
            return;
    }
}

void check_empty_data(struct subject *s, struct rule_outcome *out)
{
    char path[4096];
    if (!first(s, out))
        return;
    snprintf(path, sizeof path, "%s/empty.csv", s->made);
    FILE *f = fopen(path, "we");
    if (f)
        fputs("a,b,c,label\n", f);
    if (!f || fclose(f) != 0) {
        outcome_set(out, RULE_SKIPPED, "%s cannot be written", path);
        return;
    }
    if (survives(s, &(struct situation){.data = path}, "a dataset without rows", out))
        survives(s, &(struct situation){.data = ""}, "no dataset", out);
    unlink(path);
}

void check_baseline(struct subject *s, struct rule_outcome *out)
{
    if (first(s, out))
        survives(s, &(struct situation){.other_baseline = true},
                 s->o->baseline ? "no baseline" : "a baseline", out);
}

void check_stop(struct subject *s, struct rule_outcome *out)
{
    struct err e = {0};
    if (!first(s, out))
        return;
    if (!s->asked) {
        outcome_set(out, RULE_SKIPPED, "it did not ask the practice model");
        return;
    }
    struct worker *w = run(s, &(struct situation){.runtime = SLOW, .timeout_ms = STOP_MS}, &e);
    if (w && worker_result(w)->status == WORKER_TIMEOUT)
        outcome_set(out, RULE_FAILED,
                    "with a slow model it goes on until it is killed: end when paddock_stop() is "
                    "true");
    worker_free(w);
}

static void compare(const struct worker_result *a, const struct worker_result *b,
                    struct rule_outcome *out)
{
    if (a->status != b->status || a->n_checks != b->n_checks) {
        outcome_set(out, RULE_FAILED, "%s with %zu checks, then %s with %zu",
                    WORKER_STATUS_NAMES[a->status], a->n_checks, WORKER_STATUS_NAMES[b->status],
                    b->n_checks);
        return;
    }
    for (size_t i = 0; i < a->n_checks; i++) {
        const struct worker_check *x = &a->checks[i], *y = &b->checks[i];
        if (strcmp(x->name, y->name) != 0 || x->ok != y->ok) {
            outcome_set(out, RULE_FAILED, "check %zu is '%s' %s, then '%s' %s", i + 1, x->name,
                        x->ok ? "ok" : "not ok", y->name, y->ok ? "ok" : "not ok");
            return;
        }
    }
}

void check_seed(struct subject *s, struct rule_outcome *out)
{
    const struct worker_result *r = first(s, out);
    if (!r)
        return;
    if (flags_of(s) & PADDOCK_ALONE) {
        outcome_set(out, RULE_SKIPPED, "it measures time");
        return;
    }
    for (int i = 0; i < 3 && out->status == RULE_OK; i++) {
        struct err e = {0};
        struct worker *w = run(s, &(struct situation){0}, &e);
        if (w)
            compare(r, worker_result(w), out);
        worker_free(w);
    }
}
