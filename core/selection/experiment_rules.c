#include "selection/experiment_rules.h"

#include <math.h>

/* Shares as counts, for a test of the split by stats/eprocess.h: the treatment's requests are the
 * hits of an arm that has `share` of these. */
#define PARTS 1000000

const char *const EXPERIMENT_VERDICTS[] = {
    [EXPERIMENT_HOLD] = "hold",       [EXPERIMENT_ADVANCE] = "advance",
    [EXPERIMENT_PROMOTE] = "promote", [EXPERIMENT_ROLLBACK] = "rollback",
    [EXPERIMENT_PAUSE] = "pause",     [EXPERIMENT_INCONCLUSIVE] = "inconclusive",
};

const char *const EXPERIMENT_CAUSES[] = {
    [CAUSE_COLLECTING] = "collecting",
    [CAUSE_SUSPICION] = "suspicion",
    [CAUSE_STEP_TIME] = "step_time",
    [CAUSE_SAMPLES] = "min_samples",
    [CAUSE_WAITING] = "waiting",
    [CAUSE_SAMPLE_RATIO] = "sample_ratio",
    [CAUSE_COVERAGE] = "unequal_coverage",
    [CAUSE_SHARED_TROUBLE] = "shared_trouble",
    [CAUSE_STEP_SERVED] = "step_served",
    [CAUSE_NOT_WORSE] = "not_worse",
    [CAUSE_REGRESSION] = "regression",
    [CAUSE_HARD_TRIP] = "hard_trip",
    [CAUSE_NO_TRAFFIC] = "insufficient_data",
    [CAUSE_CUT_OFF] = "cut_off",
    [CAUSE_TIME_OVER] = "time_over",
};

const char *experiment_plan_fault(const struct experiment_plan *plan)
{
    if (plan->guardrail_count < 1 || plan->guardrail_count > EXPERIMENT_GUARDRAILS)
        return "there must be 1 to 8 metrics";
    for (size_t i = 0; i < plan->guardrail_count; i++)
        if (!(plan->guardrails[i].margin > 0) || !isfinite(plan->guardrails[i].margin))
            return "a margin must be above 0";
    if (!(plan->alpha > 0 && plan->alpha < 0.5))
        return "alpha must be above 0 and below 0.5";
    if (plan->attempt < 1 || plan->treatments < 1)
        return "attempts and treatments are counted from 1";
    if (plan->step_count < 1 || plan->step_count > EXPERIMENT_STEPS)
        return "there must be 1 to 16 steps";
    for (size_t i = 0; i < plan->step_count; i++)
        if (!(plan->steps_percent[i] > (i ? plan->steps_percent[i - 1] : 0) &&
              plan->steps_percent[i] <= 100))
            return "steps must ascend, above 0 and up to 100";
    if (plan->steps_percent[0] >= 100)
        return "the first step must be below 100: nothing is compared there";
    return NULL;
}

void experiment_begin(struct experiment_rules *x, const struct experiment_plan *plan)
{
    *x = (struct experiment_rules){.plan = *plan};
    const double attempt = plan->attempt;
    x->alpha = plan->alpha / plan->treatments;
    if (plan->attempt > 1)
        x->alpha *= 6 / (M_PI * M_PI * attempt * attempt);
    for (size_t i = 0; i < plan->guardrail_count; i++)
        guardrail_init(&x->guardrails[i], &plan->guardrails[i], x->alpha,
                       (double)plan->min_samples);
    eprocess_init(&x->too_many, EPROCESS_WORSE, EXPERIMENT_RATIO_MARGIN);
    eprocess_init(&x->too_few, EPROCESS_NOT_WORSE, 1 / EXPERIMENT_RATIO_MARGIN);
    x->taken_ms = x->heard_ms = plan->started_at_ms;
    experiment_warm(x, plan->started_at_ms);
}

void experiment_release(struct experiment_rules *x)
{
    for (size_t i = 0; i < x->plan.guardrail_count; i++)
        guardrail_release(&x->guardrails[i]);
}

void experiment_warm(struct experiment_rules *x, int64_t at_ms)
{
    x->warm_from_ms = at_ms + x->plan.warmup_ms;
}

void experiment_cut(struct experiment_rules *x, const char *treatment, const char *control)
{
    x->treatment_cut = treatment;
    x->control_cut = control;
}

void experiment_advance(struct experiment_rules *x)
{
    if (x->step + 1 < x->plan.step_count)
        x->step++;
    x->step_ms = 0;
}

void experiment_count(struct experiment_rules *x, const struct experiment_arm *treatment,
                      const struct experiment_arm *control, struct experiment_look *look)
{
    for (size_t i = 0; i < x->plan.guardrail_count; i++) {
        struct guardrail_look *l = &look->guardrails[i];
        *l = (struct guardrail_look){0};
        if (x->plan.guardrails[i].kind == GUARDRAIL_LATENCY)
            guardrail_count(&x->guardrails[i], treatment->latency, control->latency, &l->counts);
        if (treatment->scores[i])
            l->treatment = *treatment->scores[i];
        if (control->scores[i])
            l->control = *control->scores[i];
    }
}

/* ---- taking in ---- */

static void add_evidence(struct experiment_rules *x, const struct experiment_look *look)
{
    for (size_t i = 0; i < x->plan.guardrail_count; i++) {
        struct guardrail_look one = look->guardrails[i];
        if (x->plan.guardrails[i].kind == GUARDRAIL_ERRORS)
            one.counts = (struct pair_counts){look->treatment, look->treatment_errors,
                                              look->control, look->control_errors};
        guardrail_add(&x->guardrails[i], &one);
    }
    const uint64_t part = (uint64_t)llround(look->share * PARTS);
    const struct pair_counts split = {part, look->treatment, PARTS - part, look->control};
    eprocess_add(&x->too_many, &split);
    eprocess_add(&x->too_few, &split);
    x->treatment += look->treatment;
    x->control += look->control;
    x->counted++;
}

/* An arm that got nothing while the other got enough is silent, whatever time it took. */
static void listen(struct experiment_rules *x, const struct experiment_look *look)
{
    if (look->treatment > 0 || look->control > 0)
        x->heard_ms = look->end_ms;
    const double odds = look->share / (1 - look->share);
    x->owed_treatment = look->treatment > 0 ? 0 : x->owed_treatment + (double)look->control * odds;
    x->owed_control = look->control > 0 ? 0 : x->owed_control + (double)look->treatment / odds;
}

enum experiment_taken experiment_take(struct experiment_rules *x,
                                      const struct experiment_look *look, int64_t watermark_ms)
{
    if (look->end_ms > watermark_ms)
        return EXPERIMENT_OPEN;
    if (look->start_ms < x->taken_ms)
        return EXPERIMENT_LATE;
    x->recent[x->looks++ % EXPERIMENT_RECENT] = (struct experiment_recent){
        look->treatment, look->treatment_errors, look->control, look->control_errors};
    x->taken_ms = look->end_ms;
    listen(x, look);
    if (look->start_ms < x->warm_from_ms)
        return EXPERIMENT_TAKEN;
    add_evidence(x, look);
    if (x->owed_treatment == 0 && x->owed_control == 0 && look->treatment + look->control > 0)
        x->step_ms += look->end_ms - look->start_ms;
    return EXPERIMENT_TAKEN;
}

/* ---- deciding ---- */

static struct experiment_recent sum_recent(const struct experiment_rules *x)
{
    struct experiment_recent sum = {0};
    for (size_t i = 0; i < EXPERIMENT_RECENT; i++) {
        sum.treatment += x->recent[i].treatment;
        sum.treatment_errors += x->recent[i].treatment_errors;
        sum.control += x->recent[i].control;
        sum.control_errors += x->recent[i].control_errors;
    }
    return sum;
}

/* More than half of the treatment's recent requests failed. */
static bool tripped(const struct experiment_recent *r)
{
    return r->treatment >= EXPERIMENT_TRIP_LEAST && 2 * r->treatment_errors > r->treatment;
}

/* So do the control's, or nearly: it is not the treatment's fault. */
static bool shared(const struct experiment_recent *r)
{
    return r->control >= EXPERIMENT_TRIP_LEAST && 4 * r->control_errors > r->control;
}

static bool silent(const struct experiment_rules *x, int64_t watermark_ms)
{
    return watermark_ms - x->heard_ms >= x->plan.quiet_ms ||
           x->owed_treatment >= EXPERIMENT_EXPECTED || x->owed_control >= EXPERIMENT_EXPECTED;
}

static double ratio_evidence(const struct experiment_rules *x)
{
    const double dispersion = eprocess_dispersion(&x->too_many);
    if (isnan(dispersion))
        return 0;
    return fmax(eprocess_log_e(&x->too_many, dispersion), eprocess_log_e(&x->too_few, dispersion));
}

/* The guardrail in `state` whose evidence of harm is furthest; guardrail_count if none is. */
static size_t furthest(const struct experiment_decision *d, enum guardrail_state state)
{
    size_t found = d->guardrail_count;
    for (size_t i = 0; i < d->guardrail_count; i++)
        if (d->guardrails[i].state == state &&
            (found == d->guardrail_count ||
             d->guardrails[i].log_worse > d->guardrails[found].log_worse))
            found = i;
    return found;
}

static bool all_fine(const struct experiment_decision *d)
{
    for (size_t i = 0; i < d->guardrail_count; i++)
        if (d->guardrails[i].state != GUARDRAIL_FINE)
            return false;
    return true;
}

/* A score that comes for one arm more often than for the other may come for the good cases only. */
static size_t uncovered(const struct experiment_rules *x, const struct experiment_decision *d)
{
    for (size_t i = 0; i < d->guardrail_count; i++) {
        if (x->plan.guardrails[i].kind != GUARDRAIL_SCORE || x->treatment == 0 || x->control == 0)
            continue;
        const double of_treatment = (double)d->guardrails[i].treatment / (double)x->treatment;
        const double of_control = (double)d->guardrails[i].control / (double)x->control;
        if (fmin(of_treatment, of_control) < EXPERIMENT_COVERAGE * fmax(of_treatment, of_control))
            return i;
    }
    return d->guardrail_count;
}

static bool last_step(const struct experiment_rules *x)
{
    return x->step + 1 == x->plan.step_count || x->plan.steps_percent[x->step + 1] >= 100;
}

static bool verdict(struct experiment_decision *d, enum experiment_verdict v,
                    enum experiment_cause cause)
{
    d->verdict = v;
    d->cause = cause;
    return true;
}

static bool verdict_on(struct experiment_decision *d, enum experiment_verdict v,
                       enum experiment_cause cause, size_t guardrail)
{
    d->guardrail = guardrail;
    return guardrail < d->guardrail_count && verdict(d, v, cause);
}

static bool roll_back(struct experiment_decision *d)
{
    if (tripped(&d->recent) && !shared(&d->recent))
        return verdict(d, EXPERIMENT_ROLLBACK, CAUSE_HARD_TRIP);
    return verdict_on(d, EXPERIMENT_ROLLBACK, CAUSE_REGRESSION, furthest(d, GUARDRAIL_WORSE));
}

/* Why nothing may go forward, whatever the guardrails say. */
static bool blocked(const struct experiment_rules *x, int64_t watermark_ms, bool waiting,
                    struct experiment_decision *d)
{
    if (silent(x, watermark_ms))
        return verdict(d, EXPERIMENT_PAUSE,
                       x->treatment_cut || x->control_cut ? CAUSE_CUT_OFF : CAUSE_NO_TRAFFIC);
    if (waiting)
        return verdict(d, EXPERIMENT_HOLD, CAUSE_WAITING);
    if (tripped(&d->recent))
        return verdict(d, EXPERIMENT_HOLD, CAUSE_SHARED_TROUBLE);
    if (d->log_ratio_evidence >= log(2 / EXPERIMENT_RATIO_ALPHA))
        return verdict(d, EXPERIMENT_HOLD, CAUSE_SAMPLE_RATIO);
    if (x->step_ms < x->plan.step_min_ms)
        return verdict(d, EXPERIMENT_HOLD, CAUSE_STEP_TIME);
    return verdict_on(d, EXPERIMENT_HOLD, CAUSE_SUSPICION, furthest(d, GUARDRAIL_SUSPECT));
}

static bool go_forward(const struct experiment_rules *x, struct experiment_decision *d)
{
    if (!last_step(x))
        return verdict(d, EXPERIMENT_ADVANCE, CAUSE_STEP_SERVED);
    if (x->treatment < x->plan.min_samples)
        return verdict(d, EXPERIMENT_HOLD, CAUSE_SAMPLES);
    if (!all_fine(d))
        return verdict(d, EXPERIMENT_HOLD, CAUSE_COLLECTING);
    return verdict_on(d, EXPERIMENT_HOLD, CAUSE_COVERAGE, uncovered(x, d)) ||
           verdict(d, EXPERIMENT_PROMOTE, CAUSE_NOT_WORSE);
}

static void decide(const struct experiment_rules *x, int64_t watermark_ms, bool waiting,
                   struct experiment_decision *d)
{
    if (roll_back(d))
        return;
    if (!blocked(x, watermark_ms, waiting, d))
        go_forward(x, d);
    if (d->verdict != EXPERIMENT_PROMOTE && watermark_ms - x->plan.started_at_ms >= x->plan.max_ms)
        verdict(d, EXPERIMENT_INCONCLUSIVE, CAUSE_TIME_OVER);
}

static double next_percent(const struct experiment_rules *x, const struct experiment_decision *d)
{
    switch (d->verdict) {
    case EXPERIMENT_ADVANCE: return x->plan.steps_percent[x->step + 1];
    case EXPERIMENT_PROMOTE: return 100;
    case EXPERIMENT_ROLLBACK: return 0;
    default: return d->share_percent;
    }
}

void experiment_decide(const struct experiment_rules *x, int64_t watermark_ms, bool waiting,
                       struct experiment_decision *out)
{
    *out = (struct experiment_decision){
        .step = x->step,
        .share_percent = x->plan.steps_percent[x->step],
        .alpha = x->alpha,
        .treatment = x->treatment,
        .control = x->control,
        .log_ratio_evidence = ratio_evidence(x),
        .recent = sum_recent(x),
        .guardrail_count = x->plan.guardrail_count,
    };
    const double worse = log((double)x->plan.guardrail_count / x->alpha), fine = log(1 / x->alpha);
    for (size_t i = 0; i < x->plan.guardrail_count; i++)
        out->guardrails[i] = guardrail_judge(&x->guardrails[i], worse, fine);
    decide(x, watermark_ms, waiting, out);
    out->next_percent = next_percent(x, out);
    experiment_say(x, out);
}
