/* The verdict, from what was reported and how the worker ended. The order is the one that
 * sdk/include/paddock/plugin.h promises. */
#include "extend/worker_report.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *const WORKER_STATUS_NAMES[] = {"passed",  "failed",  "error", "timeout",
                                           "crashed", "skipped", NULL};

struct verdict {
    const struct worker_report *r;
    struct worker_result *out;
    struct arena *arena;
};

static bool decide(struct verdict *v, enum worker_status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static bool decide(struct verdict *v, enum worker_status status, const char *fmt, ...)
{
    char text[REPORT_TEXT + 512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    v->out->status = status;
    v->out->message = arena_text(v->arena, *text ? text : "no reason was given");
    return true;
}

static const char *signal_text(int number)
{
    const char *name = sigabbrev_np(number);
    return name ? name : "unknown signal";
}

static bool ended(const struct verdict *v, const char *how)
{
    return v->r->stage.told && strcmp(v->r->stage.end, how) == 0;
}

/* The first stage itself failed, or was killed. */
static bool by_first_stage(struct verdict *v, int wait_status)
{
    const struct stage_end *s = &v->r->stage;
    if (ended(v, STAGE_CANCEL)) {
        v->out->cancelled = true;
        return decide(v, WORKER_ERROR, "cancelled");
    }
    if (ended(v, STAGE_ERROR))
        return decide(v, WORKER_ERROR, "the worker could not run the test: %s", s->detail);
    if (s->told)
        return false;
    if (WIFSIGNALED(wait_status))
        return decide(v, WORKER_ERROR, "the worker was killed by SIG%s",
                      signal_text(WTERMSIG(wait_status)));
    return decide(v, WORKER_ERROR, "the worker ended with status %d and without a word",
                  WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1);
}

static bool by_end_of_run(struct verdict *v)
{
    const struct worker_report *r = v->r;
    const struct stage_end *s = &r->stage;
    if (ended(v, STAGE_TIMEOUT))
        return decide(v, WORKER_TIMEOUT, "%s", s->detail);
    if (ended(v, STAGE_LIMIT)) {
        v->out->signal = SIGKILL;
        return decide(v, WORKER_CRASHED, "killed: %s", s->detail);
    }
    if (ended(v, STAGE_SIGNAL)) {
        v->out->signal = s->signal;
        const char *during = r->running ? "" : " while it was loaded";
        return decide(v, WORKER_CRASHED, "ended by SIG%s%s%s%s", signal_text(s->signal), during,
                      r->crash && *r->crash ? ": "
                      : *s->detail          ? ": "
                                            : "",
                      r->crash && *r->crash ? r->crash : s->detail);
    }
    return false;
}

static bool by_broken_report(struct verdict *v)
{
    const struct worker_report *r = v->r;
    const struct stage_end *s = &r->stage;
    if (r->error)
        return decide(v, WORKER_ERROR, "%s", r->error);
    if (s->foreign || r->foreign)
        return decide(v, WORKER_ERROR,
                      "the plugin wrote %llu bytes of its own to descriptor 3, which is the host's",
                      (unsigned long long)s->foreign);
    if (!r->ended && *s->detail)
        return decide(v, WORKER_ERROR, "%s", s->detail);
    if (!r->ended)
        return decide(v, WORKER_ERROR, "the process ended itself with exit status %d before %s",
                      s->code, r->running ? "the test was over" : "the test began");
    if (r->overrun)
        return decide(v, WORKER_ERROR, "the plugin reported more than is kept");
    if (r->fault)
        return decide(v, WORKER_ERROR, "the plugin uses the host wrongly: %s", r->fault);
    if (r->checks_claimed != r->checks_total)
        return decide(v, WORKER_ERROR, "%llu checks were made, %llu arrived",
                      (unsigned long long)r->checks_claimed, (unsigned long long)r->checks_total);
    return false;
}

static void by_checks(struct verdict *v)
{
    const struct worker_report *r = v->r;
    size_t warned = 0;
    for (size_t i = 0; i < r->n_checks; i++)
        warned += r->checks[i].warn && !r->checks[i].ok;
    if (r->failed)
        decide(v, WORKER_FAILED, "%s", r->failed);
    else if (r->skip)
        decide(v, WORKER_SKIPPED, "%s", r->skip);
    else if (r->checks_total == 0)
        decide(v, WORKER_ERROR, "the test made no check");
    else if (warned)
        decide(v, WORKER_PASSED, "%llu checks, %zu warnings", (unsigned long long)r->checks_total,
               warned);
    else
        decide(v, WORKER_PASSED, "%llu checks", (unsigned long long)r->checks_total);
}

void worker_report_result(struct worker_report *r, int wait_status, struct worker_result *out)
{
    struct verdict v = {.r = r, .out = out, .arena = r->arena};
    out->plugin_id = r->plugin_id;
    out->plugin_version = r->plugin_version;
    out->checks = r->checks;
    out->n_checks = r->n_checks;
    out->checks_total = r->checks_total;
    out->measurements = r->measurements;
    out->n_measurements = r->n_measurements;
    out->duration_ms = r->duration_ms;
    out->cpu_ms = (double)r->stage.cpu_ns / 1e6;
    out->max_rss_bytes = r->stage.max_rss;
    out->left_behind = r->stage.left_behind;
    if (!by_first_stage(&v, wait_status) && !by_end_of_run(&v) && !by_broken_report(&v))
        by_checks(&v);
}
