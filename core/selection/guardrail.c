#include "selection/guardrail.h"

#include "base/grow.h"
#include "stats/quantile.h"
#include "stats/special.h"

#include <math.h>
#include <stdlib.h>

void guardrail_init(struct guardrail *g, const struct guardrail_plan *plan, double alpha,
                    double target)
{
    *g = (struct guardrail){.plan = *plan};
    /* A latency's margin is in its threshold already. */
    const double tolerated = plan->kind == GUARDRAIL_ERRORS ? 1 + plan->margin : 1;
    eprocess_init(&g->worse, EPROCESS_WORSE, 1);
    eprocess_init(&g->fine, EPROCESS_NOT_WORSE, tolerated);
    mean_process_init(&g->means, plan->margin, alpha, target);
    sketch_init(&g->past, SKETCH_SCALE);
}

void guardrail_release(struct guardrail *g)
{
    free(g->batches);
    g->batches = NULL;
    sketch_release(&g->past);
}

void guardrail_freeze(struct guardrail *g, int32_t threshold)
{
    g->threshold = threshold;
    g->frozen = true;
    sketch_clear(&g->past);
}

void guardrail_count(struct guardrail *g, const struct sketch *treatment,
                     const struct sketch *control, struct pair_counts *out)
{
    *out = (struct pair_counts){0};
    if (!control || control->scale != SKETCH_SCALE)
        return;
    if (g->frozen) {
        if (treatment && treatment->scale == SKETCH_SCALE)
            *out = exceedance_counts(treatment, control, g->threshold,
                                     grid_shift(g->plan.margin, SKETCH_SCALE));
        return;
    }
    if (sketch_merge(&g->past, control) && g->past.count >= GUARDRAIL_CALIBRATION)
        guardrail_freeze(g, sketch_quantile_index(&g->past, g->plan.quantile));
}

static void join(struct pair_counts *into, const struct pair_counts *more)
{
    into->candidate += more->candidate;
    into->candidate_hits += more->candidate_hits;
    into->baseline += more->baseline;
    into->baseline_hits += more->baseline_hits;
}

/* Neighbours share their split and nearly their rate, so joining pairs costs the interval little,
 * and a month of looks fits. */
static void keep(struct guardrail *g, const struct pair_counts *batch)
{
    if (g->batch_count == GUARDRAIL_BATCHES) {
        g->batch_count /= 2;
        for (size_t i = 0; i < g->batch_count; i++) {
            g->batches[i] = g->batches[2 * i];
            join(&g->batches[i], &g->batches[2 * i + 1]);
        }
    }
    GROW(g->batches, g->batch_count, g->batch_room);
    g->batches[g->batch_count++] = *batch;
}

static void add_counts(struct guardrail *g, const struct pair_counts *batch)
{
    if (batch->candidate == 0 || batch->baseline == 0)
        return;
    eprocess_add(&g->worse, batch);
    eprocess_add(&g->fine, batch);
    const double n_c = (double)batch->candidate, n_b = (double)batch->baseline;
    g->weighted_treatment += (double)batch->candidate_hits * n_b / (n_c + n_b);
    g->weighted_control += (double)batch->baseline_hits * n_c / (n_c + n_b);
    keep(g, batch);
}

void guardrail_add(struct guardrail *g, const struct guardrail_look *look)
{
    if (g->plan.kind == GUARDRAIL_SCORE)
        mean_process_add(&g->means, &look->treatment, &look->control);
    else
        add_counts(g, &look->counts);
}

/* ln of the evidence that the rate of errors is below the floor: at a rate p >= the floor f every
 * request multiplies it by (q / f) or (1 - q) / (1 - f), q < f, of mean 1 or less. */
static double log_below_floor(const struct pair_counts *total, double floor_ratio)
{
    static const double parts[] = {0.02, 0.1, 0.25, 0.5, 0.75};
    double log_l[sizeof parts / sizeof parts[0]];
    const double hits = (double)total->candidate_hits, n = (double)total->candidate;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        log_l[i] = hits * log(parts[i]) +
                   (n - hits) * (log1p(-parts[i] * floor_ratio) - log1p(-floor_ratio));
    return log_mean_exp(log_l, sizeof parts / sizeof parts[0]);
}

/* Not worse: below the margin's ratio, or below the floor. What is neither refutes both, so the
 * mean of the two is evidence against it. */
static double log_fine(const struct guardrail *g, double dispersion)
{
    const double ratio = isnan(dispersion) ? 0 : eprocess_log_e(&g->fine, dispersion);
    if (g->plan.kind != GUARDRAIL_ERRORS || g->plan.error_floor <= 0)
        return ratio;
    const double below = log_below_floor(&g->fine.total, g->plan.error_floor);
    const double both[] = {ratio, below / fmax(isnan(dispersion) ? 1 : dispersion, 1)};
    return log_mean_exp(both, 2);
}

static double ratio_or_nan(double over, double under)
{
    return under > 0 ? over / under : over > 0 ? INFINITY : NAN;
}

static void judge_counts(const struct guardrail *g, struct guardrail_report *r)
{
    const struct pair_counts *total = &g->worse.total;
    r->treatment = total->candidate;
    r->treatment_hits = total->candidate_hits;
    r->control = total->baseline;
    r->control_hits = total->baseline_hits;
    r->treatment_value = ratio_or_nan((double)r->treatment_hits, (double)r->treatment);
    r->control_value = ratio_or_nan((double)r->control_hits, (double)r->control);
    r->effect = ratio_or_nan(g->weighted_treatment, g->weighted_control);
    r->dispersion = eprocess_dispersion(&g->worse);
    r->log_worse_plain = eprocess_log_e(&g->worse, 1);
    r->log_worse = isnan(r->dispersion) ? 0 : eprocess_log_e_but_one(&g->worse, r->dispersion);
    r->log_fine = log_fine(g, r->dispersion);
    if (g->plan.kind == GUARDRAIL_LATENCY && g->frozen)
        r->threshold_ms = grid_upper_edge(g->threshold, SKETCH_SCALE);
}

static void judge_scores(const struct guardrail *g, struct guardrail_report *r)
{
    const struct mean_process *p = &g->means;
    const bool harm_is_up = !g->plan.higher_is_better;
    r->treatment = p->candidate;
    r->control = p->baseline;
    r->treatment_value = p->candidate ? p->candidate_sum / (double)p->candidate : NAN;
    r->control_value = p->baseline ? p->baseline_sum / (double)p->baseline : NAN;
    r->effect = mean_process_difference(p);
    r->dispersion = 1;
    r->log_worse = r->log_worse_plain = mean_process_log_e(p, harm_is_up, 0);
    r->log_fine = mean_process_log_e(p, !harm_is_up, -g->plan.margin);
}

/* Is the effect more than what does not matter? */
static bool beyond_margin(const struct guardrail *g, const struct guardrail_report *r)
{
    switch (g->plan.kind) {
    case GUARDRAIL_ERRORS:
        return r->treatment_hits >= GUARDRAIL_HITS && r->effect > 1 + g->plan.margin;
    case GUARDRAIL_LATENCY: return r->treatment_hits >= GUARDRAIL_HITS && r->effect > 1;
    case GUARDRAIL_SCORE: break;
    }
    return (g->plan.higher_is_better ? -r->effect : r->effect) > g->plan.margin;
}

static enum guardrail_state state_of(const struct guardrail *g, const struct guardrail_report *r)
{
    if (r->treatment == 0 || r->control == 0)
        return GUARDRAIL_SILENT;
    if (r->log_worse >= r->worse_limit && beyond_margin(g, r))
        return GUARDRAIL_WORSE;
    if (r->log_fine >= r->fine_limit)
        return GUARDRAIL_FINE;
    return r->log_worse >= r->worse_limit / 2 ? GUARDRAIL_SUSPECT : GUARDRAIL_UNDECIDED;
}

/* Evidence grows about linearly with samples. */
static uint64_t needed(const struct guardrail_report *r)
{
    if (r->log_fine >= r->fine_limit || r->log_fine <= 0)
        return 0;
    const double more = (double)r->treatment * (r->fine_limit / r->log_fine - 1);
    return more < 1e12 ? (uint64_t)ceil(more) : 0;
}

struct guardrail_report guardrail_judge(const struct guardrail *g, double worse_limit,
                                        double fine_limit)
{
    struct guardrail_report r = {
        .worse_limit = worse_limit, .fine_limit = fine_limit, .threshold_ms = NAN};
    if (g->plan.kind == GUARDRAIL_SCORE)
        judge_scores(g, &r);
    else
        judge_counts(g, &r);
    r.state = state_of(g, &r);
    r.samples_needed = needed(&r);
    return r;
}

struct interval guardrail_interval(const struct guardrail *g, double level)
{
    if (g->plan.kind == GUARDRAIL_SCORE)
        return mean_process_interval(&g->means, level);
    const double dispersion = eprocess_dispersion(&g->worse);
    return eprocess_ratio_interval(g->batches, g->batch_count, level,
                                   isnan(dispersion) ? 1 : dispersion);
}
