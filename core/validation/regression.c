#include "validation/regression.h"

#include "base/mem.h"
#include "stats/difference.h"
#include "stats/discovery.h"
#include "stats/moments.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct regression_rules REGRESSION_RULES = {
    .margin_ratio = 0.01, .false_discovery_rate = 0.05, .samples_min = 30, .history_min = 10};

const char *const COMPARISON_NAMES[] = {"value", "paired", "proportion", "mean", "history", NULL};

/* What one comparison is made from. */
struct comparison {
    struct measurement subject;
    struct measurement baseline;    /* with pairs it may be missing: they are enough */
    struct measurement_pairs pairs; /* fewer than two samples: none */
};

static bool has_pairs(const struct comparison *c)
{
    return c->pairs.samples >= 2;
}

static bool has_spread(const struct measurement *m)
{
    return m->samples >= 2 && m->variance >= 0;
}

/* ---- is it a share of k in n? ---- */

/* A ratio is a share if its samples make it a whole count and its variance, where told, is that of
 * zeros and ones. */
static bool share_count(const struct measurement *m, uint64_t *k)
{
    const bool ratio = strcmp(m->unit, "ratio") == 0 || strcmp(m->unit, "1") == 0;
    if (!ratio || m->samples < 1 || !(m->value >= 0 && m->value <= 1))
        return false;
    const double n = (double)m->samples, hits = m->value * n, whole = rint(hits);
    const double variance = m->value * (1 - m->value);
    *k = (uint64_t)whole;
    return fabs(hits - whole) <= 1e-6 + 1e-9 * n &&
           (isnan(m->variance) ||
            fabs(m->variance - variance) <= 1.01 * variance / fmax(n - 1, 1) + 1e-9);
}

/* ---- by which test ---- */

static struct sample sample_of(const struct measurement *m)
{
    return (struct sample){(double)m->samples, m->value, m->variance};
}

static struct sample past_of(const struct history_point *points, size_t len)
{
    struct moments m = {0};
    for (size_t i = 0; i < len; i++)
        moments_add(&m, points[i].value);
    return (struct sample){(double)m.count, m.mean, m.count ? moments_variance(&m) : 0};
}

static enum comparison_test choose(const struct comparison *c, const struct regression *r,
                                   const struct regression_rules *rules)
{
    uint64_t k;
    if (has_pairs(c))
        return COMPARED_BY_PAIRS;
    if (share_count(&c->subject, &k) && share_count(&c->baseline, &k))
        return COMPARED_BY_PROPORTION;
    if (has_spread(&c->subject) && has_spread(&c->baseline))
        return COMPARED_BY_MEANS;
    return r->history_len >= rules->history_min ? COMPARED_BY_HISTORY : COMPARED_BY_VALUE;
}

/* candidate - baseline of the values, whatever is better. */
static struct difference measure(const struct comparison *c, const struct regression *r,
                                 double level)
{
    struct sample a, b;
    uint64_t k1 = 0, k2 = 0;
    switch (r->by) {
    case COMPARED_BY_PAIRS:
        a = (struct sample){(double)c->pairs.samples, c->pairs.mean, c->pairs.variance};
        return paired_difference(&a, level);
    case COMPARED_BY_PROPORTION:
        if (share_count(&c->subject, &k1) && share_count(&c->baseline, &k2))
            return proportion_difference(k1, (uint64_t)c->subject.samples, k2,
                                         (uint64_t)c->baseline.samples, level);
        break;
    case COMPARED_BY_MEANS:
        a = sample_of(&c->subject);
        b = sample_of(&c->baseline);
        return mean_difference(&a, &b, level);
    case COMPARED_BY_HISTORY:
        a = past_of(r->history, r->history_len);
        return single_difference(r->candidate, r->baseline, &a, level);
    case COMPARED_BY_VALUE: break;
    }
    return (struct difference){r->candidate - r->baseline, {NAN, NAN}, NAN};
}

/* ---- what it means ---- */

/* How much further from the target, if the value differs from the baseline's by `difference`. */
static double further(const struct regression *r, double difference)
{
    return fabs(r->baseline + difference - r->target) - fabs(r->baseline - r->target);
}

/* The distances over an interval of differences: its ends, or the target itself if that is in it.
 */
static struct interval further_interval(const struct regression *r, struct interval difference)
{
    const double at_lo = further(r, difference.lo), at_hi = further(r, difference.hi);
    const double to_target = r->target - r->baseline;
    const bool through = difference.lo < to_target && to_target < difference.hi;
    return (struct interval){through ? -fabs(to_target) : fmin(at_lo, at_hi), fmax(at_lo, at_hi)};
}

static double harm_of(const struct regression *r)
{
    return better_of(r->better) == BETTER_HIGHER ? -r->delta : r->delta;
}

static void set_delta(struct regression *r)
{
    const bool target = better_of(r->better) == BETTER_TARGET;
    const double difference = r->candidate - r->baseline;
    const double whole = fabs(target && r->target != 0 ? r->target : r->baseline);
    r->delta = target ? further(r, difference) : difference;
    r->delta_ratio = whole > 0 ? r->delta / whole : NAN;
    r->worse = harm_of(r) > 0;
}

static void set_confidence(struct regression *r, struct interval difference)
{
    if (isfinite(difference.lo) && isfinite(difference.hi))
        r->confidence =
            better_of(r->better) == BETTER_TARGET ? further_interval(r, difference) : difference;
}

static void set_significant(struct regression *r, const struct regression_rules *rules)
{
    const bool matters = isnan(r->delta_ratio) || fabs(r->delta_ratio) > r->margin;
    r->chance = !isnan(r->p_value) && r->p_value > rules->false_discovery_rate;
    r->significant = r->worse && matters && !r->chance && !r->incomparable;
}

/* ---- is it the same thing? ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_datasets(const struct test_result *a, const struct test_result *b)
{
    if (a->datasets_len != b->datasets_len)
        return false;
    for (size_t i = 0; i < a->datasets_len; i++)
        if (!same_text(a->datasets[i].dataset_id, b->datasets[i].dataset_id) ||
            !same_text(a->datasets[i].sha256, b->datasets[i].sha256))
            return false;
    return true;
}

const char *results_differ(const struct test_result *a, const struct test_result *b)
{
    if (a->test_revision != b->test_revision)
        return "the test was changed since";
    if (!same_text(a->config_sha256, b->config_sha256))
        return "the test's configuration was changed since";
    if (!same_text(a->plugin.sha256, b->plugin.sha256))
        return "the test's plugin was changed since";
    return same_datasets(a, b) ? NULL : "the test's dataset was changed since";
}

/* ---- all of them ---- */

static void fill_row(struct regression *r, const struct comparison *c, const struct test_result *t)
{
    const struct measurement *m = &c->subject;
    *r = (struct regression){.test_id = t->test_id,
                             .test_name = t->name,
                             .test_type = t->type,
                             .measurement = m->name,
                             .unit = m->unit,
                             .better = m->better,
                             .target = m->target,
                             .critical = m->critical,
                             .candidate = m->value,
                             .confidence = {NAN, NAN},
                             .p_value = NAN,
                             .samples = has_pairs(c) ? c->pairs.samples : m->samples,
                             .severity = SEVERITY_NAMES[SEVERITY_NONE]};
    r->baseline = has_pairs(c) ? m->value - c->pairs.mean : c->baseline.value;
    r->baseline_samples = has_pairs(c) ? c->pairs.samples : c->baseline.samples;
}

static bool few(int64_t samples, const struct regression_rules *rules)
{
    return samples > 0 && samples < rules->samples_min;
}

/* Fill the row of one measurement; false if it has nothing to be compared with. */
static bool compare(const struct comparison_input *in, const struct test_result *t,
                    const struct measurement *m, struct comparison *c, struct regression *r)
{
    const struct regression_rules *rules = in->rules ? in->rules : &REGRESSION_RULES;
    const struct test_result *before = in->baseline ? run_result(in->baseline, t->test_id) : NULL;
    const struct measurement *old =
        before && result_has_figures(before) ? result_measurement(before, m->name) : NULL;
    *c = (struct comparison){.subject = *m, .pairs = m->pairs};
    if (old)
        c->baseline = *old;
    if (better_of(m->better) == BETTER_NEITHER || (!old && !has_pairs(c)))
        return false;
    fill_row(r, c, t);
    r->margin = m->margin_ratio > 0 ? m->margin_ratio : rules->margin_ratio;
    r->low_sample = few(r->samples, rules) || few(r->baseline_samples, rules);
    r->why = has_pairs(c) || !before ? NULL : results_differ(t, before);
    r->incomparable = r->why != NULL;
    if (in->history)
        r->history = in->history(in->history_self, t, m, &r->history_len);
    if (!r->history)
        r->history_len = 0;
    set_delta(r);
    if (!r->incomparable) {
        r->by = choose(c, r, rules);
        r->p_value = measure(c, r, 0.95).p;
    }
    return true;
}

/* The p-values of all rows as they are adjusted for their number, then the intervals to match. */
static void adjust(struct regression *rows, const struct comparison *made, size_t len,
                   const struct regression_rules *rules)
{
    double *p = mem_zero(len + 1, sizeof *p);
    for (size_t i = 0; i < len; i++)
        p[i] = rows[i].p_value;
    discovery_adjust(p, len, p);
    const double level = discovery_level(p, len, rules->false_discovery_rate);
    for (size_t i = 0; i < len; i++) {
        rows[i].p_value = p[i];
        if (!rows[i].incomparable)
            set_confidence(&rows[i], measure(&made[i], &rows[i], level).interval);
        set_significant(&rows[i], rules);
    }
    free(p);
}

bool regressions_find(const struct comparison_input *in, struct arena *a, struct regression **out,
                      size_t *len, struct err *e)
{
    size_t most = 0, n = 0;
    *out = NULL;
    *len = 0;
    for (size_t i = 0; i < in->subject->results_len; i++)
        most += in->subject->results[i].measurements_len;
    if (most == 0)
        return true;
    struct regression *rows = arena_alloc(a, most * sizeof *rows);
    struct comparison *made = arena_alloc(a, most * sizeof *made);
    if (!rows || !made)
        return fail(e, &ERR_MEMORY, "%zu measurements do not fit into the memory for a comparison",
                    most);
    for (size_t i = 0; i < in->subject->results_len; i++) {
        const struct test_result *t = &in->subject->results[i];
        for (size_t k = 0; result_has_figures(t) && k < t->measurements_len; k++)
            n += compare(in, t, &t->measurements[k], &made[n], &rows[n]);
    }
    adjust(rows, made, n, in->rules ? in->rules : &REGRESSION_RULES);
    *out = rows;
    *len = n;
    return true;
}

size_t regressions_grade(struct regression *list, size_t len, grade_fn *grade, void *self,
                         struct arena *a, enum severity *worst)
{
    size_t kept = 0;
    *worst = SEVERITY_NONE;
    for (size_t i = 0; i < len; i++) {
        if (!list[i].incomparable && (!list[i].worse || list[i].chance))
            continue;
        const struct grading g = grade(self, &list[i], a);
        if (g.severity == SEVERITY_NONE)
            continue;
        list[i].severity = severity_name(g.severity);
        list[i].policy = g.policy;
        list[i].reason = g.reason;
        *worst = g.severity > *worst ? g.severity : *worst;
        list[kept++] = list[i];
    }
    return kept;
}
