#include "validation/alerts.h"

#include "registry/alert.h"

#include <string.h>

/* The test that crashed, or NULL. */
static const struct test_result *crashed(const struct run *r)
{
    for (size_t i = 0; i < r->results_len; i++)
        if (strcmp(r->results[i].status, "crashed") == 0)
            return &r->results[i];
    return NULL;
}

static bool say(struct execution *x, struct arena *a, command_fn *command, bool raise,
                struct alert_cause *cause)
{
    return command(x, a, cause, raise ? alert_raise : alert_resolve);
}

static bool say_regression(struct execution *x, const struct run *r, const char *sentence,
                           struct arena *a, command_fn *command)
{
    enum severity severity = SEVERITY_NONE;
    (void)severity_parse(r->severity, &severity);
    bool bad = severity >= SEVERITY_MEDIUM;
    struct alert_cause cause = {
        .kind = "regression",
        .severity = severity,
        .dedupe_key = alert_key(a, "regression", r->model_id),
        .model_id = r->model_id,
        .run_id = r->run_id,
        .summary = sentence,
    };
    /* Only a complete run can say that it is over. */
    return (!bad && !r->complete) || say(x, a, command, bad, &cause);
}

static bool say_crash(struct execution *x, const struct run *r, struct arena *a,
                      command_fn *command)
{
    const struct test_result *t = crashed(r);
    struct alert_cause cause = {
        .kind = "suite_crashed",
        .severity = SEVERITY_MEDIUM,
        .dedupe_key = alert_key(a, "suite_crashed", r->model_id),
        .model_id = r->model_id,
        .run_id = r->run_id,
        .summary =
            t ? arena_printf(a, "test '%.128s' crashed: %.400s", t->test_id, t->message) : "",
    };
    return (!t && !r->complete) || say(x, a, command, t != NULL, &cause);
}

bool alerts_of_run(struct execution *x, const struct run *r, const char *sentence, struct arena *a,
                   command_fn *command)
{
    return say_regression(x, r, sentence, a, command) && say_crash(x, r, a, command);
}
