#include "validation/report_summary.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SUMMARY_MAX 1024

/* Names are a plugin's and may be long. */
static void add_name(struct bytes *b, const char *text)
{
    const size_t len = utf8_cut(text, strlen(text), 100);
    bytes_add(b, text, len);
    if (text[len])
        bytes_text(b, "...");
}

static void add_measurement(struct bytes *b, const char *measurement, const char *test)
{
    add_name(b, measurement);
    bytes_text(b, " of '");
    add_name(b, test);
    bytes_char(b, '\'');
}

/* "accuracy of 'holdout' went from 0.95 to 0.9 (-5.3 %, p = 0.0002)" */
static void add_regression(struct bytes *b, const struct regression *r)
{
    add_measurement(b, r->measurement, r->test_name && *r->test_name ? r->test_name : r->test_id);
    bytes_printf(b, " went from %.4g to %.4g", r->baseline, r->candidate);
    const bool share = isfinite(r->delta_ratio), chance = isfinite(r->p_value);
    if (share || chance)
        bytes_text(b, " (");
    if (share)
        bytes_printf(b, fabs(r->delta_ratio) < 0.995 ? "%+.2g %%" : "%+.0f %%",
                     100 * r->delta_ratio);
    if (chance)
        bytes_printf(b, "%sp = %.1g", share ? ", " : "", r->p_value);
    if (share || chance)
        bytes_char(b, ')');
}

/* The worst, and of these the one that moved most. */
static const struct regression *worst_of(const struct report *r)
{
    const struct regression *worst = NULL;
    enum severity most = SEVERITY_NONE;
    for (size_t i = 0; i < r->regressions_len; i++) {
        const struct regression *x = &r->regressions[i];
        enum severity s = SEVERITY_NONE;
        severity_parse(x->severity, &s);
        const bool further = worst && s == most && fabs(x->delta_ratio) > fabs(worst->delta_ratio);
        if (!worst || s > most || further) {
            worst = x;
            most = s;
        }
    }
    return worst;
}

static void say_regressions(struct bytes *b, const struct report *r, enum severity severity)
{
    static const char *const advice[] = {
        [SEVERITY_NONE] = "Nothing to do: ",
        [SEVERITY_LOW] = "May be promoted if this is accepted: ",
        [SEVERITY_MEDIUM] = "Look into it before promoting: ",
        [SEVERITY_HIGH] = "Do not promote: ",
    };
    bytes_text(b, advice[severity]);
    add_regression(b, worst_of(r));
    const size_t more = r->regressions_len - 1;
    if (more)
        bytes_printf(b, ", and %zu more %s", more, more == 1 ? "is listed" : "are listed");
    bytes_char(b, '.');
}

static const struct test_result *first_bad(const struct run *run, size_t *bad)
{
    const struct test_result *first = NULL;
    *bad = 0;
    for (size_t i = 0; i < run->results_len; i++) {
        const char *status = run->results[i].status;
        if (strcmp(status, "passed") == 0 || strcmp(status, "skipped") == 0)
            continue;
        first = first ? first : &run->results[i];
        ++*bad;
    }
    return first;
}

static void say_failed(struct bytes *b, const struct run *run)
{
    static const char *const verbs[][2] = {{"failed", "failed"},
                                           {"error", "could not be carried out"},
                                           {"timeout", "took too long"},
                                           {"crashed", "crashed"}};
    size_t bad;
    const struct test_result *t = first_bad(run, &bad);
    const char *verb = "did not pass";
    if (!t) {
        bytes_text(b, "Run the validation again: the last run ended with an error.");
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        verb = strcmp(t->status, verbs[i][0]) == 0 ? verbs[i][1] : verb;
    bytes_text(b, "Do not promote: test '");
    add_name(b, *t->name ? t->name : t->test_id);
    bytes_printf(b, "' %s", verb);
    if (*t->message) {
        bytes_text(b, " (");
        add_name(b, t->message);
        bytes_char(b, ')');
    }
    if (bad > 1)
        bytes_printf(b, ", and %zu more did not pass", bad - 1);
    bytes_char(b, '.');
}

static void say_alarm(struct bytes *b, const struct night_alarm *a, size_t more)
{
    const struct history_series *s = a->series;
    bytes_text(b, "Find out why: ");
    add_measurement(b, s->last.name, *s->test_name ? s->test_name : s->test_id);
    if (a->kind == NIGHT_TREND)
        bytes_printf(b, " changes by %.3g a day, night after night", a->slope_per_day);
    else
        bytes_printf(b, " has been at %.4g instead of %.4g for some nights", a->after, a->before);
    if (more)
        bytes_printf(b, ", and %zu more %s changed", more, more == 1 ? "has" : "have");
    bytes_char(b, '.');
}

static void say_good(struct bytes *b, const struct run *run)
{
    if (!run->complete)
        bytes_text(b, "Run every gate test before promoting: the last run was not complete.");
    else if (!run->baseline.run_id)
        bytes_text(b, "All tests passed, but there was nothing to compare with: pin a baseline, or "
                      "promote with care.");
    else {
        bytes_text(b, "Ready to promote: all tests passed and nothing is worse than ");
        add_name(b, run->baseline.model_id ? run->baseline.model_id : run->baseline.run_id);
        bytes_char(b, '.');
    }
}

static bool is(const char *status, const char *what)
{
    return strcmp(status, what) == 0;
}

static bool went_wrong(const struct run *run)
{
    return is(run->status, "failed") || is(run->status, "error");
}

static void say(struct bytes *b, const struct report_input *in, const struct report *r)
{
    const struct run *run = in->run;
    enum severity severity = SEVERITY_NONE;
    severity_parse(r->severity, &severity);
    if (!run)
        bytes_text(b, "Start a validation run: there is none yet.");
    else if (is(run->status, "queued") || is(run->status, "running"))
        bytes_text(b, "Wait: a validation run is under way.");
    else if (is(run->status, "cancelled"))
        bytes_text(b, "Run the validation again: the last run was cancelled.");
    else if (r->regressions_len && (severity == SEVERITY_HIGH || !went_wrong(run)))
        say_regressions(b, r, severity);
    else if (went_wrong(run))
        say_failed(b, run);
    else if (in->alarms_len)
        say_alarm(b, &in->alarms[0], in->alarms_len - 1);
    else if (in->alarm)
        bytes_text(b, in->alarm->summary);
    else
        say_good(b, run);
}

static const char *kept(struct bytes *b, struct arena *a)
{
    char *text = arena_alloc(a, b->len + 1);
    if (text)
        memcpy(text, b->data, b->len + 1);
    bytes_release(b);
    return text ? text : "";
}

const char *report_summary(const struct report_input *in, const struct report *r, struct arena *a)
{
    struct bytes b = BYTES_INIT(SUMMARY_MAX);
    say(&b, in, r);
    return kept(&b, a);
}

const char *report_alarms(const struct night_alarm *alarms, size_t n, struct arena *a)
{
    struct bytes b = BYTES_INIT(SUMMARY_MAX);
    say_alarm(&b, &alarms[0], n - 1);
    return kept(&b, a);
}
