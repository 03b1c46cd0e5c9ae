/* What a verdict reads like: the numbers that decided, in one sentence. */
#include "selection/experiment_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define NUMBERS 256

/* E itself while it can be read; beyond that its order. */
static const char *evidence(char *out, size_t room, double log_e)
{
    if (log_e < log(1e6))
        snprintf(out, room, "%.3g", exp(log_e));
    else
        snprintf(out, room, "10^%.0f", log_e / M_LN10);
    return out;
}

/* "error_rate 2.1 times the control's (31 of 1420 against 132 of 12700)" */
static const char *effect(char *out, size_t room, const struct guardrail_plan *plan,
                          const struct guardrail_report *r)
{
    if (plan->kind == GUARDRAIL_SCORE)
        snprintf(out, room,
                 "%s %+.4g from the control's (%.4g of %" PRIu64 " against %.4g of %" PRIu64 ")",
                 plan->name, r->effect, r->treatment_value, r->treatment, r->control_value,
                 r->control);
    else if (plan->kind == GUARDRAIL_LATENCY)
        snprintf(out, room,
                 "%s: %.3g times as many above %.4g ms + %.0f %% as the control has above %.4g ms "
                 "(%" PRIu64 " of %" PRIu64 " against %" PRIu64 " of %" PRIu64 ")",
                 plan->name, r->effect, r->threshold_ms, 100 * plan->margin, r->threshold_ms,
                 r->treatment_hits, r->treatment, r->control_hits, r->control);
    else if (isnan(r->effect)) /* no arm has any */
        snprintf(out, room, "%s (%" PRIu64 " of %" PRIu64 " against %" PRIu64 " of %" PRIu64 ")",
                 plan->name, r->treatment_hits, r->treatment, r->control_hits, r->control);
    else
        snprintf(out, room,
                 "%s %.3g times the control's (%" PRIu64 " of %" PRIu64 " against %" PRIu64
                 " of %" PRIu64 ")",
                 plan->name, r->effect, r->treatment_hits, r->treatment, r->control_hits,
                 r->control);
    return out;
}

/* The guardrail that keeps it from being promoted. */
static size_t furthest_from_fine(const struct experiment_decision *d)
{
    size_t found = 0;
    for (size_t i = 1; i < d->guardrail_count; i++)
        if (d->guardrails[i].log_fine < d->guardrails[found].log_fine)
            found = i;
    return found;
}

static void say_regression(const struct experiment_rules *x, struct experiment_decision *d)
{
    const struct guardrail_report *r = &d->guardrails[d->guardrail];
    char numbers[NUMBERS], e[32], limit[32];
    const char *begin = d->verdict == EXPERIMENT_ROLLBACK ? "Rolled back" : "Held: suspicion";
    snprintf(d->sentence, sizeof d->sentence, "%s: %s; evidence %s, acts at %s.", begin,
             effect(numbers, sizeof numbers, &x->plan.guardrails[d->guardrail], r),
             evidence(e, sizeof e, r->log_worse), evidence(limit, sizeof limit, r->worse_limit));
}

/* What is still missing for a promotion. */
static void say_missing(const struct experiment_rules *x, struct experiment_decision *d,
                        const char *begin)
{
    const size_t i = furthest_from_fine(d);
    const struct guardrail_report *r = &d->guardrails[i];
    char numbers[NUMBERS], e[32], limit[32], more[64] = "";
    if (r->state == GUARDRAIL_SILENT) {
        snprintf(d->sentence, sizeof d->sentence,
                 "%s %s has no data of both arms; only traffic that carries a decision_id counts.",
                 begin, x->plan.guardrails[i].name);
        return;
    }
    if (r->samples_needed > 0)
        snprintf(more, sizeof more, "; about %" PRIu64 " more samples of the treatment",
                 r->samples_needed);
    snprintf(
        d->sentence, sizeof d->sentence, "%s %s; evidence that it is not worse %s, wanted %s%s.",
        begin, effect(numbers, sizeof numbers, &x->plan.guardrails[i], r),
        evidence(e, sizeof e, r->log_fine), evidence(limit, sizeof limit, r->fine_limit), more);
}

static void say_promotion(const struct experiment_rules *x, struct experiment_decision *d)
{
    const size_t i = furthest_from_fine(d);
    char numbers[NUMBERS], e[32], limit[32];
    snprintf(d->sentence, sizeof d->sentence,
             "Promoted: on all %zu metrics not worse than the margin, after %" PRIu64
             " requests; the closest is %s; evidence %s, wanted %s.",
             d->guardrail_count, d->treatment,
             effect(numbers, sizeof numbers, &x->plan.guardrails[i], &d->guardrails[i]),
             evidence(e, sizeof e, d->guardrails[i].log_fine),
             evidence(limit, sizeof limit, d->guardrails[i].fine_limit));
}

static void say_traffic(const struct experiment_rules *x, struct experiment_decision *d)
{
    const char *who = x->owed_treatment >= EXPERIMENT_EXPECTED ? "the treatment gets"
                      : x->owed_control >= EXPERIMENT_EXPECTED ? "the control gets"
                                                               : "the arms get";
    snprintf(d->sentence, sizeof d->sentence,
             "Paused: %s no traffic; only records that carry a decision_id count. It goes on by "
             "itself when there is some, at %.4g %%.",
             who, d->share_percent);
}

static void say_cut(const struct experiment_rules *x, struct experiment_decision *d)
{
    snprintf(d->sentence, sizeof d->sentence,
             "Paused: the %s is cut off from traffic, %s. It goes on by itself when it gets some "
             "again, at %.4g %%; guardrails stay active.",
             x->treatment_cut ? "treatment" : "control",
             x->treatment_cut ? x->treatment_cut : x->control_cut, d->share_percent);
}

static void say_coverage(const struct experiment_rules *x, struct experiment_decision *d)
{
    const struct guardrail_report *r = &d->guardrails[d->guardrail];
    snprintf(d->sentence, sizeof d->sentence,
             "Held: %s came for %.1f %% of the treatment's requests and %.1f %% of the control's.",
             x->plan.guardrails[d->guardrail].name,
             100 * (double)r->treatment / (double)d->treatment,
             100 * (double)r->control / (double)d->control);
}

/* Holds, each with the number that holds. */
static void say_hold(const struct experiment_rules *x, struct experiment_decision *d)
{
    char *out = d->sentence, e[32];
    const size_t room = sizeof d->sentence;
    switch (d->cause) {
    case CAUSE_WAITING:
        snprintf(out, room, "Held: paused by a person at %.4g %%; guardrails stay active.",
                 d->share_percent);
        return;
    case CAUSE_STEP_TIME:
        snprintf(out, room, "Held: %.0f of %.0f s served at %.4g %%.", (double)x->step_ms / 1000,
                 (double)x->plan.step_min_ms / 1000, d->share_percent);
        return;
    case CAUSE_SAMPLES:
        snprintf(out, room, "Held: %" PRIu64 " of %" PRIu64 " requests of the treatment.",
                 d->treatment, x->plan.min_samples);
        return;
    case CAUSE_SAMPLE_RATIO:
        snprintf(out, room,
                 "Held: %" PRIu64 " requests of the treatment and %" PRIu64
                 " of the control do not fit the planned shares (evidence %s); look for lost "
                 "records.",
                 d->treatment, d->control, evidence(e, sizeof e, d->log_ratio_evidence));
        return;
    default:
        snprintf(out, room,
                 "Held: both arms fail (%" PRIu64 " of %" PRIu64 " and %" PRIu64 " of %" PRIu64
                 " of the last requests), so it is not the treatment alone.",
                 d->recent.treatment_errors, d->recent.treatment, d->recent.control_errors,
                 d->recent.control);
    }
}

void experiment_say(const struct experiment_rules *x, struct experiment_decision *d)
{
    switch (d->cause) {
    case CAUSE_REGRESSION:
    case CAUSE_SUSPICION: say_regression(x, d); return;
    case CAUSE_COLLECTING: say_missing(x, d, "Held:"); return;
    case CAUSE_TIME_OVER: say_missing(x, d, "Inconclusive, the time is over:"); return;
    case CAUSE_NOT_WORSE: say_promotion(x, d); return;
    case CAUSE_NO_TRAFFIC: say_traffic(x, d); return;
    case CAUSE_CUT_OFF: say_cut(x, d); return;
    case CAUSE_COVERAGE: say_coverage(x, d); return;
    case CAUSE_HARD_TRIP:
        snprintf(d->sentence, sizeof d->sentence,
                 "Rolled back by the hard trip, which is no statistics: %" PRIu64
                 " of the treatment's last %" PRIu64 " requests failed (control: %" PRIu64
                 " of %" PRIu64 ").",
                 d->recent.treatment_errors, d->recent.treatment, d->recent.control_errors,
                 d->recent.control);
        return;
    case CAUSE_STEP_SERVED:
        snprintf(d->sentence, sizeof d->sentence,
                 "Advanced from %.4g to %.4g %%: %.0f s served, no metric shows harm.",
                 d->share_percent, d->next_percent, (double)x->step_ms / 1000);
        return;
    default: say_hold(x, d);
    }
}
