#include "validation/report.h"

#include "base/json.h"
#include "base/mem.h"
#include "stats/change_point.h"
#include "validation/report_summary.h"

#include <stdlib.h>
#include <string.h>

static void add_changes(const struct history_series *s, const struct night_rules *rules,
                        struct report *out)
{
    struct change_point found[CHANGE_POINTS_MAX];
    const double margin = s->last.margin_ratio > 0 ? s->last.margin_ratio : rules->margin_ratio;
    const struct change_point_rules these = {.p = 1e-4, .magnitude = margin};
    double *values = mem_zero(s->len, sizeof *values);
    for (size_t i = 0; i < s->len; i++)
        values[i] = s->points[i].value;
    const size_t n = change_points(values, s->len, &these, found);
    for (size_t i = 0; i < n && out->changes_len < REPORT_CHANGES_MAX; i++)
        out->changes[out->changes_len++] = (struct report_change){.test_id = s->test_id,
                                                                  .measurement = s->last.name,
                                                                  .at = s->points[found[i].at].at,
                                                                  .before = found[i].before,
                                                                  .after = found[i].after};
    free(values);
}

/* A trend before steps: a slow ramp would be told as a row of steps that never were. */
static void add_series(const struct history_series *s, const struct night_rules *rules,
                       struct report *out)
{
    struct report_trend t = {.test_id = s->test_id, .measurement = s->last.name};
    if (!night_trend(s, rules, &t.trend))
        add_changes(s, rules, out);
    else if (out->trends_len < REPORT_TRENDS_MAX)
        out->trends[out->trends_len++] = t;
}

/* Scratch lists first, for their lengths are not known before. */
static bool add_history(const struct report_input *in, struct arena *a, struct report *out,
                        struct err *e)
{
    const struct night_rules *rules = in->rules ? in->rules : &NIGHT_RULES;
    struct report_trend *trends = mem_zero(REPORT_TRENDS_MAX, sizeof *trends);
    struct report_change *changes = mem_zero(REPORT_CHANGES_MAX, sizeof *changes);
    out->trends = trends;
    out->changes = changes;
    for (size_t i = 0; i < history_count(in->history); i++)
        add_series(history_at(in->history, i), rules, out);
    out->trends = arena_alloc(a, (out->trends_len + 1) * sizeof *trends);
    out->changes = arena_alloc(a, (out->changes_len + 1) * sizeof *changes);
    const bool ok = out->trends && out->changes;
    if (ok) {
        memcpy(out->trends, trends, out->trends_len * sizeof *trends);
        memcpy(out->changes, changes, out->changes_len * sizeof *changes);
    }
    free(trends);
    free(changes);
    return ok || fail(e, &ERR_MEMORY, "the report does not fit into the memory given to it");
}

bool report_build(const struct report_input *in, struct arena *a, struct report *out, struct err *e)
{
    const struct run *run = in->run;
    *out = (struct report){
        .model_id = in->model_id, .severity = SEVERITY_NAMES[SEVERITY_NONE], .alarm = in->alarm};
    if (run) {
        out->run_id = run->run_id;
        out->baseline = run->baseline;
        out->severity = run->severity;
        out->regressions = run->regressions;
        out->regressions_len = run->regressions_len;
    }
    if (in->history && !add_history(in, a, out, e))
        return false;
    out->summary = report_summary(in, out, a);
    return true;
}

static void encode_trend(const struct report_trend *t, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "test_id", t->test_id);
    json_kv_string(out, "measurement", t->measurement);
    json_kv_number(out, "slope_per_day", t->trend.slope_per_day);
    json_kv_number(out, "p_value", t->trend.p_value);
    json_kv_int(out, "points", (int64_t)t->trend.points);
    bytes_char(out, '}');
}

static void encode_change(const struct report_change *c, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "test_id", c->test_id);
    json_kv_string(out, "measurement", c->measurement);
    json_kv_time(out, "at", c->at);
    json_kv_number(out, "before", c->before);
    json_kv_number(out, "after", c->after);
    bytes_char(out, '}');
}

static void encode_alarm(const struct report_alarm *a, struct bytes *out)
{
    json_key(out, "alarm");
    if (!a) {
        bytes_text(out, "null");
        return;
    }
    bytes_char(out, '{');
    json_kv_string(out, "alert_id", a->alert_id);
    json_kv_string(out, "severity", a->severity);
    json_kv_time(out, "first_at", a->first_at);
    json_kv_time(out, "last_at", a->last_at);
    json_kv_string(out, "summary", a->summary);
    bytes_char(out, '}');
}

static void encode_baseline(const struct run_baseline *b, struct bytes *out)
{
    json_key(out, "baseline");
    if (!b->run_id) {
        bytes_text(out, "null");
        return;
    }
    bytes_char(out, '{');
    json_kv_string(out, "run_id", b->run_id);
    json_kv_string(out, "model_id", b->model_id);
    bytes_char(out, '}');
}

void report_encode(const struct report *r, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "model_id", r->model_id);
    json_kv_string(out, "run_id", r->run_id);
    encode_baseline(&r->baseline, out);
    json_kv_string(out, "severity", r->severity);
    json_kv_string(out, "summary", r->summary);
    json_key(out, "regressions");
    bytes_char(out, '[');
    for (size_t i = 0; i < r->regressions_len; i++) {
        if (i > 0)
            bytes_char(out, ',');
        regression_encode(&r->regressions[i], out);
    }
    bytes_char(out, ']');
    json_key(out, "trends");
    bytes_char(out, '[');
    for (size_t i = 0; i < r->trends_len; i++) {
        if (i > 0)
            bytes_char(out, ',');
        encode_trend(&r->trends[i], out);
    }
    bytes_char(out, ']');
    json_key(out, "change_points");
    bytes_char(out, '[');
    for (size_t i = 0; i < r->changes_len; i++) {
        if (i > 0)
            bytes_char(out, ',');
        encode_change(&r->changes[i], out);
    }
    bytes_char(out, ']');
    encode_alarm(r->alarm, out);
    bytes_char(out, '}');
}
