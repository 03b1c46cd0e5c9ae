#include "telemetry/health.h"

#include "stats/eprocess.h"
#include "stats/grid.h"
#include "stats/interval.h"
#include "stats/quantile.h"
#include "stats/trend.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FEW_ERRORS_RATE  20 /* inferences before an error rate is judged at all */
#define MIN_HITS         3  /* hits of the subject before evidence counts (research C3) */
#define TREND_POINTS_MIN 10 /* minutes with traffic before a trend is told */
#define TREND_MINUTE_MIN 20 /* inferences of a minute that counts as a point */
#define TREND_P          0.001
#define TREND_CHANGE     0.10 /* change over the hour, relative to the median, that matters */
#define LEVEL            0.95

const char *check_status_name(enum check_status s)
{
    static const char *const NAMES[] = {"pass", "warn", "fail", "unknown"};
    return NAMES[s];
}

const char *health_status_name(enum health_status s)
{
    static const char *const NAMES[] = {"healthy", "degraded", "unhealthy", "unknown"};
    return NAMES[s];
}

const char *health_trend_name(enum health_trend t)
{
    static const char *const NAMES[] = {"improving", "steady", "worsening", "unknown"};
    return NAMES[t];
}

/* What the hour says against the baseline: does the evidence pass, and the two values. */
struct comparison {
    bool worse;
    double log_e;
};

static const struct health_minute *minute_at(const struct health_arm *arm, int64_t start)
{
    for (size_t i = 0; i < arm->n_minutes; i++)
        if (arm->minutes[i].start == start)
            return &arm->minutes[i];
    return NULL;
}

static struct comparison conclude(const struct eprocess *e)
{
    double dispersion = eprocess_dispersion(e);
    struct comparison c = {.log_e = eprocess_log_e(e, isnan(dispersion) ? 1 : dispersion)};
    c.worse = c.log_e >= -log(HEALTH_ALPHA) && e->total.candidate_hits >= MIN_HITS;
    return c;
}

static struct comparison compare_errors(const struct health_arm *subject,
                                        const struct health_arm *baseline)
{
    struct eprocess e;
    eprocess_init(&e, EPROCESS_WORSE, HEALTH_ERROR_MARGIN);
    for (size_t i = 0; i < subject->n_minutes; i++) {
        const struct health_minute *s = &subject->minutes[i], *b = minute_at(baseline, s->start);
        if (!b || !s->total || !b->total)
            continue;
        const struct pair_counts batch = {s->total, s->failed, b->total, b->failed};
        eprocess_add(&e, &batch);
    }
    return conclude(&e);
}

/* Values above the threshold's bucket, minute by minute: see exceedance_counts(). */
static struct comparison compare_latency(const struct health_arm *subject,
                                         const struct health_arm *baseline, double q)
{
    struct eprocess e;
    struct sketch hour;
    eprocess_init(&e, EPROCESS_WORSE, 1);
    sketch_init(&hour, GRID_SCALE);
    for (size_t i = 0; i < baseline->n_minutes; i++)
        if (baseline->minutes[i].latency && !sketch_merge(&hour, baseline->minutes[i].latency))
            break;
    if (sketch_count(&hour)) {
        const int32_t threshold = sketch_quantile_index(&hour, q);
        const int32_t shift = grid_shift(HEALTH_LATENCY_MARGIN, GRID_SCALE);
        for (size_t i = 0; i < subject->n_minutes; i++) {
            const struct health_minute *s = &subject->minutes[i],
                                       *b = minute_at(baseline, s->start);
            if (!b || !s->latency || !b->latency)
                continue;
            const struct pair_counts batch =
                exceedance_counts(s->latency, b->latency, threshold, shift);
            eprocess_add(&e, &batch);
        }
    }
    sketch_release(&hour);
    return conclude(&e);
}

static struct health_check *begin(struct health_report *out, int which, const char *name,
                                  double threshold)
{
    struct health_check *c = &out->checks[which];
    *c = (struct health_check){.name = name,
                               .status = CHECK_UNKNOWN,
                               .value = NAN,
                               .threshold = threshold,
                               .baseline = NAN,
                               .lo = NAN,
                               .hi = NAN,
                               .window = "5m"};
    return c;
}

/* The verdict from value, interval and threshold; `unit` and `scale` word the sentence. */
static void verdict(struct health_check *c, const char *what, const char *unit, double scale,
                    uint64_t n, const struct comparison *against)
{
    double v = c->value * scale, t = c->threshold * scale, lo = c->lo * scale, hi = c->hi * scale;
    if (!isnan(c->threshold) && c->lo > c->threshold) {
        c->status = CHECK_FAIL;
        snprintf(
            c->detail, sizeof c->detail,
            "%s is %.4g%s over %" PRIu64
            " inferences; its 95 %% interval, %.4g to %.4g%s, lies above the threshold of %.4g%s",
            what, v, unit, n, lo, hi, unit, t, unit);
    } else if (against && against->worse) {
        c->status = CHECK_WARN;
        snprintf(c->detail, sizeof c->detail,
                 "%s is %.4g%s; over the last hour it is worse than the baseline's %.4g%s beyond "
                 "the margin (e-value %.3g, threshold %.0f)",
                 what, v, unit, c->baseline * scale, unit, exp(fmin(against->log_e, 700)),
                 1 / HEALTH_ALPHA);
    } else if (!isnan(c->threshold) && c->value > c->threshold) {
        c->status = CHECK_WARN;
        snprintf(c->detail, sizeof c->detail,
                 "%s is %.4g%s over %" PRIu64 " inferences, above the threshold of %.4g%s, but "
                 "that may be chance (95 %% interval %.4g to %.4g%s)",
                 what, v, unit, n, t, unit, lo, hi, unit);
    } else if (isnan(c->threshold)) {
        c->status = CHECK_PASS;
        snprintf(c->detail, sizeof c->detail,
                 "%s is %.4g%s over %" PRIu64 " inferences; no threshold is set%s", what, v, unit,
                 n, against ? ", and it is not worse than the baseline's" : "");
    } else {
        c->status = CHECK_PASS;
        snprintf(c->detail, sizeof c->detail,
                 "%s is %.4g%s over %" PRIu64 " inferences, within the threshold of %.4g%s", what,
                 v, unit, n, t, unit);
    }
}

static void unknown(struct health_check *c, uint64_t n, uint64_t needed)
{
    c->status = CHECK_UNKNOWN;
    if (n == 0)
        snprintf(c->detail, sizeof c->detail, "no inferences in the last 5 minutes");
    else
        snprintf(c->detail, sizeof c->detail,
                 "only %" PRIu64 " inferences in the last 5 minutes; %" PRIu64
                 " are needed to tell",
                 n, needed);
}

static void check_errors(const struct health_arm *s, const struct health_arm *b, double threshold,
                         struct health_report *out)
{
    struct health_check *c = begin(out, HEALTH_ERROR_RATE, "error_rate", threshold);
    uint64_t n = s->five_total;
    if (n == 0) {
        unknown(c, n, FEW_ERRORS_RATE);
        return;
    }
    const struct interval i = wilson_interval(s->five_failed, n, LEVEL);
    c->value = (double)s->five_failed / (double)n;
    c->lo = i.lo;
    c->hi = i.hi;
    if (b && b->five_total)
        c->baseline = (double)b->five_failed / (double)b->five_total;
    struct comparison against = {0};
    if (b)
        against = compare_errors(s, b);
    verdict(c, "the error rate", " %", 100, n, b ? &against : NULL);
    if (c->status != CHECK_FAIL && n < FEW_ERRORS_RATE && !against.worse)
        unknown(c, n, FEW_ERRORS_RATE);
}

static void check_latency(const struct health_arm *s, const struct health_arm *b, int which,
                          double q, double threshold, struct health_report *out)
{
    bool p99 = which == HEALTH_LATENCY_P99;
    const uint64_t needed = p99 ? 368 : 72; /* for an upper limit at 95 %: quantile_ranks() */
    struct health_check *c = begin(out, which, p99 ? "latency_p99" : "latency_p95", threshold);
    uint64_t n = s->five ? sketch_count(s->five) : 0;
    if (n == 0) {
        unknown(c, n, needed);
        return;
    }
    const struct interval i = quantile_interval(s->five, q, LEVEL);
    c->value = sketch_quantile(s->five, q);
    c->lo = i.lo;
    c->hi = isinf(i.hi) ? NAN : i.hi;
    if (b && b->five && sketch_count(b->five))
        c->baseline = sketch_quantile(b->five, q);
    struct comparison against = {0};
    if (b)
        against = compare_latency(s, b, q);
    verdict(c, p99 ? "latency p99" : "latency p95", " ms", 1, n, b ? &against : NULL);
    if (c->status != CHECK_FAIL && n < needed && !against.worse)
        unknown(c, n, needed);
}

static void check_traffic(const struct health_arm *s, double threshold, struct health_report *out)
{
    struct health_check *c = begin(out, HEALTH_TRAFFIC, "traffic", threshold);
    double n = (double)s->five_total, root = sqrt(n);
    c->value = n / 5;
    /* The square root of a Poisson count has variance 1/4. */
    c->lo = root > 0.98 ? (root - 0.98) * (root - 0.98) / 5 : 0;
    c->hi = (root + 0.98) * (root + 0.98) / 5;
    c->status = CHECK_PASS;
    if (isnan(threshold)) {
        if (n == 0)
            c->status = CHECK_UNKNOWN;
        snprintf(c->detail, sizeof c->detail, "%.4g inferences a minute; no threshold is set",
                 c->value);
        return;
    }
    if (c->hi < threshold)
        c->status = CHECK_FAIL;
    else if (c->value < threshold)
        c->status = CHECK_WARN;
    snprintf(c->detail, sizeof c->detail, "%.4g inferences a minute, %s the threshold of %.4g",
             c->value, c->status == CHECK_PASS ? "not below" : "below", threshold);
}

static void check_validation(const struct health_validated *v, struct health_report *out)
{
    struct health_check *c = begin(out, HEALTH_VALIDATION, "validation", NAN);
    c->window = NULL;
    c->status = v->status;
    memcpy(c->detail, v->detail, sizeof c->detail);
}

static enum health_status status_of(const struct health_report *h)
{
    bool warn = false, told = false;
    for (int i = 0; i < HEALTH_CHECKS; i++) {
        if (h->checks[i].status == CHECK_FAIL)
            return HEALTH_UNHEALTHY;
        warn |= h->checks[i].status == CHECK_WARN;
        told |= i != HEALTH_TRAFFIC && i != HEALTH_VALIDATION && h->checks[i].status == CHECK_PASS;
    }
    return warn ? HEALTH_DEGRADED : told ? HEALTH_HEALTHY : HEALTH_UNKNOWN;
}

static double median_of(const double *values, size_t n)
{
    double sorted[HEALTH_MINUTES];
    memcpy(sorted, values, n * sizeof *values);
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && sorted[k - 1] > sorted[k]; k--) {
            double swap = sorted[k];
            sorted[k] = sorted[k - 1];
            sorted[k - 1] = swap;
        }
    return sorted[n / 2];
}

/* +1: it rises by what matters, -1: it falls, 0: neither. `floor` keeps tiny medians from
 * mattering. */
static int direction(const double *minutes, const double *values, size_t n, double floor)
{
    struct trend t;
    trend_test(minutes, values, n, LEVEL, &t);
    double change = t.slope * (minutes[n - 1] - minutes[0]);
    double matters = TREND_CHANGE * fmax(median_of(values, n), floor);
    if (t.p >= TREND_P || isnan(change) || fabs(change) < matters)
        return 0;
    return change > 0 ? 1 : -1;
}

static enum health_trend trend_of(const struct health_arm *s)
{
    double minutes[HEALTH_MINUTES], p95[HEALTH_MINUTES], errors[HEALTH_MINUTES];
    size_t n = 0;
    for (size_t i = 0; i < s->n_minutes; i++) {
        const struct health_minute *m = &s->minutes[i];
        if (m->total < TREND_MINUTE_MIN || !m->latency)
            continue;
        minutes[n] = (double)m->start / 60000.0;
        p95[n] = sketch_quantile(m->latency, 0.95);
        errors[n++] = (double)m->failed / (double)m->total;
    }
    if (n < TREND_POINTS_MIN)
        return TREND_UNKNOWN;
    int latency = direction(minutes, p95, n, 0.01), rate = direction(minutes, errors, n, 0.01);
    if (latency > 0 || rate > 0)
        return TREND_WORSENING;
    return latency < 0 || rate < 0 ? TREND_IMPROVING : TREND_STEADY;
}

void health_judge(const struct health_arm *subject, const struct health_arm *baseline,
                  const struct slo *slo, const struct health_validated *validated, int64_t now_ms,
                  struct health_report *out)
{
    out->checked_at = now_ms;
    check_errors(subject, baseline, slo->error_rate_ratio, out);
    check_latency(subject, baseline, HEALTH_LATENCY_P95, 0.95, slo->latency_p95_ms, out);
    check_latency(subject, baseline, HEALTH_LATENCY_P99, 0.99, slo->latency_p99_ms, out);
    check_traffic(subject, slo->min_inferences_per_minute, out);
    check_validation(validated, out);
    out->status = status_of(out);
    out->trend = trend_of(subject);
}
