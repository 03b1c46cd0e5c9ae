#include "validation/night.h"

#include "base/mem.h"
#include "stats/change_point.h"
#include "stats/discovery.h"
#include "stats/moments.h"
#include "stats/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct night_rules NIGHT_RULES = {
    .false_discovery_rate = 0.05, .margin_ratio = 0.01, .trend_p = 0.001, .horizon_days = 30};

#define DAY_MS 86400000.0

void night_values(const struct history_series *s, double *out)
{
    const bool target = better_of(s->last.better) == BETTER_TARGET;
    for (size_t i = 0; i < s->len; i++)
        out[i] = target ? fabs(s->points[i].value - s->last.target) : s->points[i].value;
}

static enum nightly_side harmful_side(const struct history_series *s)
{
    return better_of(s->last.better) == BETTER_HIGHER ? NIGHTLY_DOWN : NIGHTLY_UP;
}

static double margin_of(const struct history_series *s, const struct night_rules *rules)
{
    return s->last.margin_ratio > 0 ? s->last.margin_ratio : rules->margin_ratio;
}

/* What a change is a share of: the level, or with better "target" the target. */
static double scale_of(const struct history_series *s, double level)
{
    const bool target = better_of(s->last.better) == BETTER_TARGET && s->last.target != 0;
    return fabs(target ? s->last.target : level);
}

/* The measurement cannot be more exact than its own samples make it. */
static double sampling_error(const struct history_point *p)
{
    return p->samples > 0 && p->variance > 0 ? sqrt(p->variance / (double)p->samples) : 0;
}

static double mean_of(const double *x, size_t from, size_t to)
{
    struct moments m = {0};
    for (size_t i = from; i < to; i++)
        moments_add(&m, x[i]);
    return m.mean;
}

/* Page's estimate of where it began: the night after the statistic was last 0. */
static size_t began(const double *values, size_t n, enum nightly_side side, double sd_least)
{
    struct nightly trace[NIGHTLY_MOST];
    const size_t nights = nightly_trace(values, n, side, sd_least, trace);
    size_t at = nights;
    while (at > 0 && trace[at - 1].statistic > 0)
        at--;
    return n - nights + (at < nights ? at : nights - 1);
}

/* ---- trends ---- */

static struct trend slope_by_day(const struct history_series *s, const double *values)
{
    struct trend out;
    double *days = mem_zero(s->len, sizeof *days);
    bool ascending = true;
    for (size_t i = 0; i < s->len; i++) {
        days[i] = (double)(s->points[i].at - s->points[0].at) / DAY_MS;
        ascending &= i == 0 || days[i] > days[i - 1];
    }
    trend_test(ascending ? days : NULL, values, s->len, 0.95, &out);
    free(days);
    return out;
}

static bool trend_of(const struct history_series *s, const double *values,
                     const struct night_rules *rules, struct night_trend *out)
{
    struct trend whitened;
    if (s->len < NIGHTLY_LEAST || !rather_a_line(values, s->len))
        return false;
    trend_test_whitened(values, s->len, 0.95, &whitened);
    const struct trend t = slope_by_day(s, values);
    const double matters = margin_of(s, rules) * scale_of(s, mean_of(values, 0, s->len));
    const bool up_is_worse = harmful_side(s) == NIGHTLY_UP;
    *out = (struct night_trend){.slope_per_day = t.slope,
                                .p_value = whitened.p,
                                .slope_interval = t.slope_interval,
                                .points = s->len};
    out->worse =
        better_of(s->last.better) != BETTER_NEITHER && (up_is_worse ? t.slope > 0 : t.slope < 0);
    return whitened.p <= rules->trend_p && fabs(t.slope) * rules->horizon_days > matters;
}

bool night_trend(const struct history_series *s, const struct night_rules *rules,
                 struct night_trend *out)
{
    double *values = mem_zero(s->len, sizeof *values);
    night_values(s, values);
    const bool found = trend_of(s, values, rules ? rules : &NIGHT_RULES, out);
    free(values);
    return found;
}

/* ---- alarms ---- */

static void describe_trend(const struct history_series *s, const double *values,
                           const struct night_trend *t, struct night_alarm *out)
{
    const double middle = mean_of(values, 0, s->len);
    const double days = (double)(s->points[s->len - 1].at - s->points[0].at) / DAY_MS;
    out->kind = NIGHT_TREND;
    out->at = s->points[0].at;
    out->slope_per_day = t->slope_per_day;
    out->slope_interval = t->slope_interval;
    out->before = middle - t->slope_per_day * days / 2;
    out->after = middle + t->slope_per_day * days / 2;
}

bool night_describe(const struct history_series *s, const struct nightly *judged,
                    const struct night_rules *given, struct night_alarm *out)
{
    const struct night_rules *rules = given ? given : &NIGHT_RULES;
    struct night_trend t;
    bool told = true;
    double *values = mem_zero(s->len, sizeof *values);
    night_values(s, values);
    *out = (struct night_alarm){.series = s,
                                .p_value = judged->p,
                                .nights = s->len,
                                .slope_per_day = NAN,
                                .slope_interval = {NAN, NAN}};
    if (trend_of(s, values, rules, &t) && t.worse) {
        describe_trend(s, values, &t, out);
    } else if (judged->nights < NIGHTLY_PERSIST) {
        told = false; /* a trend, but one that does not matter */
    } else {
        const double least = sampling_error(&s->points[s->len - 1]);
        const size_t at = began(values, s->len, harmful_side(s), least);
        out->at = s->points[at].at;
        out->before = mean_of(values, 0, at);
        out->after = mean_of(values, at, s->len);
        told = fabs(out->after - out->before) > margin_of(s, rules) * scale_of(s, out->before);
    }
    free(values);
    return told;
}

struct nightly night_look(const struct history_series *s, int64_t since)
{
    if (better_of(s->last.better) == BETTER_NEITHER || s->points[s->len - 1].at < since)
        return (struct nightly){.p = 1, .trend_p = 1};
    double *values = mem_zero(s->len, sizeof *values);
    night_values(s, values);
    const struct nightly j =
        nightly_judge(values, s->len, harmful_side(s), sampling_error(&s->points[s->len - 1]));
    free(values);
    return j;
}

size_t night_judge(const struct history_series *const *series, size_t n, int64_t since,
                   const struct night_rules *rules, struct night_alarm *out)
{
    const struct night_rules *r = rules ? rules : &NIGHT_RULES;
    struct nightly *judged = mem_zero(n + 1, sizeof *judged);
    double *p = mem_zero(n + 1, sizeof *p);
    bool *alarm = mem_zero(n + 1, sizeof *alarm);
    size_t told = 0;
    for (size_t i = 0; i < n; i++) {
        judged[i] = night_look(series[i], since);
        p[i] = judged[i].judged ? judged[i].p : NAN;
    }
    nightly_alarms(judged, n, r->false_discovery_rate, alarm);
    discovery_adjust(p, n, p);
    for (size_t i = 0; i < n; i++) {
        if (alarm[i] && night_describe(series[i], &judged[i], r, &out[told]))
            out[told++].p_value = p[i];
    }
    free(judged);
    free(p);
    free(alarm);
    return told;
}
