/* experiments: how often are canaries judged wrongly, and how soon rightly? The decisions of
 * selection/experiment_rules.h over simulated traffic, a look every 10 s for 4 h.
 *
 *   experiments [canaries [world]]       2,000 of each world; `world`: only those whose name has it
 *
 * Prints a table; ends with 1 if a promise of docs/experiments.md is broken. Seeds are fixed, so
 * the same arguments give the same figures. Counts above latency thresholds are drawn as counts;
 * one world is drawn as single latencies through the sketches. */
#include "selection/experiment_rules.h"
#include "stats/quantile.h"
#include "stats/special.h"

#include "support/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 1440, LOOK_MS = 10000, STEPS_MAX = 5, TREATMENTS_MAX = 4 };

static const double SIGMA = 0.6, MEDIAN_MS = 20;
static const double MARGIN_ERRORS = 0.5, MARGIN_LATENCY = 0.1, MARGIN_SCORE = 0.02;

/* Metrics of every canary: errors, p50, p95, p99, a score that is 0 or 1. */
enum { ERRORS, P50, P95, P99, SCORE, METRICS };

struct world {
    const char *name;
    double requests; /* a look */
    double error_rate;
    double errors;        /* the treatment's rate over the control's; 0: 1 */
    double latency;       /* the treatment's latencies over the control's; 0: 1 */
    double tail;          /* the same, of the slowest 5 % only; 0: 1 */
    double score;         /* the treatment's mean less the control's */
    double fixed_percent; /* one step with this share; 0: 1, 5, 25, 50 % */
    bool ramp;            /* traffic grows tenfold while errors, latencies and scores drift */
    bool bursts;          /* of 12 failing requests in one arm, in one look of ten */
    bool noise;           /* 5 % between the arms' latencies, anew for each canary */
    bool single;          /* draw single latencies */
    int treatments;       /* all of this kind, each with its part of the share; 0: 1 */
    double most_rollbacks, least_rollbacks, most_promotions, least_promotions; /* %; 0: stated */
};

/* Hörmann's BTRS (1993), exact for n min(p, 1 - p) >= 10. */
static uint64_t binomial_btrs(uint64_t *seed, double n, double p)
{
    const double spq = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spq;
    const double a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5, vr = 0.92 - 4.2 / b;
    const double alpha = (2.83 + 5.1 / b) * spq, lpq = log(p / (1 - p));
    const double m = floor((n + 1) * p), h = lgamma(m + 1) + lgamma(n - m + 1);
    for (;;) {
        const double u = random_uniform(seed) - 0.5, us = 0.5 - fabs(u);
        double v = random_uniform(seed);
        const double k = floor((2 * a / us + b) * u + c);
        if (us >= 0.07 && v <= vr)
            return (uint64_t)k;
        if (k < 0 || k > n)
            continue;
        v = log(v * alpha / (a / (us * us) + b));
        if (v <= h - lgamma(k + 1) - lgamma(n - k + 1) + (k - m) * lpq)
            return (uint64_t)k;
    }
}

static uint64_t binomial(uint64_t *seed, uint64_t n, double p)
{
    if (p > 0.5)
        return n - binomial(seed, n, 1 - p);
    return (double)n * p < 10 ? random_hits(seed, n, p) : binomial_btrs(seed, (double)n, p);
}

/* ---- an arm in a look ---- */

struct arm {
    double errors, latency, tail, score; /* as in the world; never 0 but the score */
    double shift;                        /* of the thresholds it is counted at */
};

struct drawn {
    uint64_t requests, errors, above[3];
    struct moments score;
    struct sketch latency; /* of a world of single latencies */
};

static const double quantiles[3] = {0.5, 0.95, 0.99};

/* The thresholds' bucket indexes: those of the true quantiles. */
static int32_t threshold(int i)
{
    return grid_index(MEDIAN_MS * exp(SIGMA * normal_quantile(quantiles[i])));
}

/* P(latency > t) of an arm whose world drifted by `drift`. */
static double above(const struct arm *a, double drift, double t)
{
    const double z = log(t / (MEDIAN_MS * drift * a->latency)) / SIGMA;
    const double slow = normal_quantile(0.95);
    if (a->tail == 1 || z < slow)
        return z < slow ? 1 - normal_cdf(z) : normal_cdf(-z);
    return normal_cdf(-fmax(z - log(a->tail) / SIGMA, slow));
}

static void draw_latencies(const struct arm *a, double drift, uint64_t *seed, struct drawn *d)
{
    uint64_t n = d->requests;
    double before = 1;
    for (int i = 0; i < 3; i++) { /* those above p95 are among those above p50 */
        const double p = above(a, drift, grid_upper_edge(threshold(i), 7) * a->shift);
        n = d->above[i] = binomial(seed, n, fmin(p / before, 1));
        before = p;
    }
}

static void draw_singly(const struct arm *a, double drift, uint64_t *seed, struct drawn *d)
{
    sketch_clear(&d->latency);
    for (uint64_t i = 0; i < d->requests; i++)
        sketch_add(&d->latency, drift * a->latency * random_latency(seed));
}

static void draw(const struct world *w, const struct arm *a, double at, uint64_t *seed,
                 struct drawn *d)
{
    const double wave = w->ramp ? sin(9 * at) : 0; /* both arms' weather */
    d->errors =
        binomial(seed, d->requests, w->error_rate * (w->ramp ? 0.5 + 3 * at : 1) * a->errors);
    if (w->single)
        draw_singly(a, exp(0.2 * wave), seed, d);
    else
        draw_latencies(a, exp(0.2 * wave), seed, d);
    const double mean = 0.9 + 0.05 * wave + a->score, n = (double)d->requests;
    const double got = n > 0 ? (double)binomial(seed, d->requests, mean) / n : 0;
    d->score = (struct moments){d->requests, got, 0, 1, n * got * (1 - got)};
}

/* ---- a canary ---- */

struct outcome {
    enum experiment_verdict verdict;
    enum experiment_cause cause;
    int look;
};

static void begin(const struct world *w, struct experiment_rules *x)
{
    struct experiment_plan plan = {
        .guardrails = {[ERRORS] = {"error_rate", GUARDRAIL_ERRORS, .margin = MARGIN_ERRORS,
                                   .error_floor = 0.001},
                       [P50] = {"latency_p50", GUARDRAIL_LATENCY, 0.5, .margin = MARGIN_LATENCY},
                       [P95] = {"latency_p95", GUARDRAIL_LATENCY, 0.95, .margin = MARGIN_LATENCY},
                       [P99] = {"latency_p99", GUARDRAIL_LATENCY, 0.99, .margin = MARGIN_LATENCY},
                       [SCORE] = {"score:hit", GUARDRAIL_SCORE, .higher_is_better = true,
                                  .margin = MARGIN_SCORE}},
        .guardrail_count = METRICS,
        .alpha = 0.05,
        .attempt = 1,
        .treatments = w->treatments ? (unsigned)w->treatments : 1,
        .steps_percent = {1, 5, 25, 50, 100},
        .step_count = STEPS_MAX,
        .step_min_ms = 600000,
        .max_ms = (int64_t)LOOKS * LOOK_MS,
        .quiet_ms = 60000,
        .min_samples = 1000,
    };
    if (w->fixed_percent > 0) {
        plan.steps_percent[0] = w->fixed_percent;
        plan.step_count = 1;
    }
    experiment_begin(x, &plan);
    for (int i = 0; i < 3 && !w->single; i++)
        guardrail_freeze(&x->guardrails[P50 + i], threshold(i));
}

static double or_one(double value)
{
    return value == 0 ? 1 : value;
}

static void burst(const struct world *w, uint64_t *seed, struct experiment_look *look)
{
    if (!w->bursts || random_uniform(seed) >= 0.1)
        return;
    const bool treatment = random_uniform(seed) < look->share;
    *(treatment ? &look->treatment : &look->control) += 12;
    *(treatment ? &look->treatment_errors : &look->control_errors) += 12;
}

/* A canary: the control is drawn first in each look, then each treatment. */
struct canary {
    const struct world *w;
    struct arm arms[2];
    uint64_t seed;
    struct experiment_rules rules[TREATMENTS_MAX];
    int treatments;
};

/* Requests of a look: of the control, and of each treatment. */
static void draw_requests(struct canary *c, double at, uint64_t n[1 + TREATMENTS_MAX])
{
    const double requests = c->w->requests * (c->w->ramp ? 0.2 + 1.8 * at : 1);
    const double part = c->rules[0].plan.steps_percent[c->rules[0].step] / 100 / c->treatments;
    double rest = 1;
    n[0] = (uint64_t)requests;
    for (int k = 0; k < c->treatments; k++) {
        n[1 + k] = binomial(&c->seed, n[0], part / rest);
        n[0] -= n[1 + k];
        rest -= part;
    }
}

static void look_at(struct canary *c, int treatment, int i, struct drawn drawn[2],
                    struct experiment_look *look)
{
    const struct world *w = c->w;
    struct experiment_rules *x = &c->rules[treatment];
    const double part = x->plan.steps_percent[x->step] / 100 / c->treatments;
    *look = (struct experiment_look){.start_ms = (int64_t)i * LOOK_MS,
                                     .end_ms = (int64_t)(i + 1) * LOOK_MS,
                                     .share = part / (part + 1 - c->treatments * part)};
    draw(w, &c->arms[1], (double)i / LOOKS, &c->seed, &drawn[1]);
    if (w->single)
        experiment_count(x, &(struct experiment_arm){.latency = &drawn[1].latency},
                         &(struct experiment_arm){.latency = &drawn[0].latency}, look);
    for (int k = 0; k < 3 && !w->single; k++)
        look->guardrails[P50 + k].counts = (struct pair_counts){
            drawn[1].requests, drawn[1].above[k], drawn[0].requests, drawn[0].above[k]};
    look->guardrails[SCORE].treatment = drawn[1].score;
    look->guardrails[SCORE].control = drawn[0].score;
    look->treatment = drawn[1].requests;
    look->control = drawn[0].requests;
    look->treatment_errors = drawn[1].errors;
    look->control_errors = drawn[0].errors;
    burst(w, &c->seed, look);
}

/* One look at all of them: what becomes of the canary. */
static enum experiment_verdict look_at_all(struct canary *c, int i, struct drawn drawn[2],
                                           struct experiment_decision *d)
{
    uint64_t requests[1 + TREATMENTS_MAX];
    enum experiment_verdict worst = EXPERIMENT_ADVANCE;
    bool promoted = false;
    draw_requests(c, (double)i / LOOKS, requests);
    drawn[0].requests = requests[0];
    draw(c->w, &c->arms[0], (double)i / LOOKS, &c->seed, &drawn[0]);
    for (int k = 0; k < c->treatments; k++) {
        struct experiment_look look;
        drawn[1].requests = requests[1 + k];
        look_at(c, k, i, drawn, &look);
        if (experiment_take(&c->rules[k], &look, look.end_ms) != EXPERIMENT_TAKEN)
            abort();
        experiment_decide(&c->rules[k], look.end_ms, false, d);
        if (d->verdict == EXPERIMENT_ROLLBACK)
            return EXPERIMENT_ROLLBACK;
        promoted |= d->verdict == EXPERIMENT_PROMOTE;
        if (d->verdict != EXPERIMENT_ADVANCE)
            worst = EXPERIMENT_HOLD;
    }
    return promoted ? EXPERIMENT_PROMOTE : worst;
}

/* Ends with the first rollback of any, or the first promotion of any. */
static struct outcome run(const struct world *w, uint64_t seed, struct drawn drawn[2])
{
    struct canary c = {.w = w,
                       .arms = {{1, 1, 1, 0, 1},
                                {or_one(w->errors), or_one(w->latency), or_one(w->tail), w->score,
                                 exp2(grid_shift(MARGIN_LATENCY, 7) / 128.0)}},
                       .treatments = w->treatments ? w->treatments : 1};
    struct experiment_decision d;
    if (w->noise)
        c.arms[1].latency *= exp(0.05 * random_normal(&seed));
    c.seed = seed;
    for (int k = 0; k < c.treatments; k++)
        begin(w, &c.rules[k]);
    struct outcome out = {EXPERIMENT_INCONCLUSIVE, CAUSE_TIME_OVER, LOOKS};
    for (int i = 0; i < LOOKS; i++) {
        const enum experiment_verdict v = look_at_all(&c, i, drawn, &d);
        for (int k = 0; v == EXPERIMENT_ADVANCE && k < c.treatments; k++)
            experiment_advance(&c.rules[k]);
        if (v == EXPERIMENT_ROLLBACK || v == EXPERIMENT_PROMOTE) {
            out = (struct outcome){v, d.cause, i + 1};
            break;
        }
    }
    for (int k = 0; k < c.treatments; k++)
        experiment_release(&c.rules[k]);
    return out;
}

/* ---- a world ---- */

struct tally {
    int rollbacks, trips, promotions;
    int rollback_looks[LOOKS + 1], promotion_looks[LOOKS + 1];
};

static int median(const int *looks, int n)
{
    int seen = 0;
    for (int i = 0; i <= LOOKS; i++)
        if (2 * (seen += looks[i]) >= n && n > 0)
            return i;
    return 0;
}

static bool promise(bool kept, const char *name, const char *what)
{
    if (!kept)
        printf("BROKEN: %s: %s\n", name, what);
    return kept;
}

static bool check(const struct world *w, double rollbacks, double promotions)
{
    bool kept = true;
    if (w->most_rollbacks > 0)
        kept &= promise(rollbacks <= w->most_rollbacks, w->name, "too many rollbacks");
    if (w->least_rollbacks > 0)
        kept &= promise(rollbacks >= w->least_rollbacks, w->name, "too few rollbacks");
    if (w->most_promotions > 0)
        kept &= promise(promotions <= w->most_promotions, w->name, "too many promotions");
    if (w->least_promotions > 0)
        kept &= promise(promotions >= w->least_promotions, w->name, "too few promotions");
    return kept;
}

static bool simulate(const struct world *w, int canaries)
{
    struct tally t = {0};
    struct drawn drawn[2] = {{0}};
    sketch_init(&drawn[0].latency, 7);
    sketch_init(&drawn[1].latency, 7);
    for (int i = 0; i < canaries; i++) {
        const struct outcome o = run(w, 1000003 * (uint64_t)(i + 1), drawn);
        t.trips += o.cause == CAUSE_HARD_TRIP;
        if (o.verdict == EXPERIMENT_ROLLBACK) {
            t.rollbacks++;
            t.rollback_looks[o.look]++;
        } else if (o.verdict == EXPERIMENT_PROMOTE) {
            t.promotions++;
            t.promotion_looks[o.look]++;
        }
    }
    sketch_release(&drawn[0].latency);
    sketch_release(&drawn[1].latency);
    const double rollbacks = 100.0 * t.rollbacks / canaries;
    const double promotions = 100.0 * t.promotions / canaries;
    printf("%-44s %6.2f %6d %6.2f %6d %6.2f %5d\n", w->name, rollbacks,
           median(t.rollback_looks, t.rollbacks), promotions,
           median(t.promotion_looks, t.promotions), 100 - rollbacks - promotions, t.trips);
    fflush(stdout);
    return check(w, rollbacks, promotions);
}

static const struct world worlds[] = {
    {"equal", 1000, 0.01, .most_rollbacks = 5, .least_promotions = 95},
    {"equal, errors 0.1 %", 1000, 0.001, .most_rollbacks = 5, .least_promotions = 95},
    {"equal, errors 5 %", 1000, 0.05, .most_rollbacks = 5, .least_promotions = 95},
    {"equal, no errors at all", 1000, 0, .most_rollbacks = 5, .least_promotions = 95},
    {"equal, ramp and drift", 1000, 0.01, .ramp = true, .most_rollbacks = 5,
     .least_promotions = 95},
    {"equal, bursts", 1000, 0.01, .bursts = true, .most_rollbacks = 5},
    {"equal, bursts, 10 % fixed", 1000, 0.01, .bursts = true, .fixed_percent = 10,
     .most_rollbacks = 5},
    {"equal, but latencies some 5 % apart", 1000, 0.01, .noise = true, .most_rollbacks = 5},
    {"equal, 50 requests a look", 50, 0.01, .most_rollbacks = 5},
    {"equal, 10 % fixed", 1000, 0.01, .fixed_percent = 10, .most_rollbacks = 5,
     .least_promotions = 95},
    {"better: errors x0.5, latency x0.9", 1000, 0.01, 0.5, 0.9, .most_rollbacks = 5,
     .least_promotions = 95},
    {"errors x1.5 (the margin)", 1000, 0.01, 1.5, .most_promotions = 5},
    {"latency x1.102 (the margin)", 1000, 0.01, .latency = 1.10241, .most_promotions = 5},
    {"score -0.02 (the margin)", 1000, 0.01, .score = -0.02, .most_promotions = 5},
    {"errors x2", 1000, 0.01, 2, .least_rollbacks = 95, .most_promotions = 5},
    {"errors x2, 10 % fixed", 1000, 0.01, 2, .fixed_percent = 10, .least_rollbacks = 95,
     .most_promotions = 5},
    {"errors x2, ramp and drift", 1000, 0.01, 2, .ramp = true, .least_rollbacks = 95,
     .most_promotions = 5},
    {"errors x2, 50 requests a look", 50, 0.01, 2, .most_promotions = 5},
    {"errors x5", 1000, 0.01, 5, .least_rollbacks = 95, .most_promotions = 5},
    {"errors x5, 10 % fixed", 1000, 0.01, 5, .fixed_percent = 10, .least_rollbacks = 95,
     .most_promotions = 5},
    {"latency x1.25", 1000, 0.01, .latency = 1.25, .least_rollbacks = 95, .most_promotions = 5},
    {"slowest 5 % x1.5", 1000, 0.01, .tail = 1.5, .least_rollbacks = 95, .most_promotions = 5},
    {"score -0.04", 1000, 0.01, .score = -0.04, .least_rollbacks = 95, .most_promotions = 5},
    {"equal, three treatments", 1000, 0.01, .treatments = 3, .most_rollbacks = 5,
     .least_promotions = 95},
    {"errors x2, three treatments", 1000, 0.01, 2, .treatments = 3, .least_rollbacks = 95,
     .most_promotions = 5},
    {"equal, latencies drawn singly, 100 a look", 100, 0.01, .single = true, .most_rollbacks = 5},
};

int main(int argc, char **argv)
{
    const int canaries = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 2000;
    if (canaries < 1) {
        fprintf(stderr, "usage: experiments [canaries [world]]\n");
        return 2;
    }
    printf("%d canaries of each, a look every 10 s for 4 h, 5 metrics, alpha 0.05\n", canaries);
    printf("%-44s %6s %6s %6s %6s %6s %5s\n", "", "back %", "look", "prom %", "look", "open %",
           "trips");
    bool kept = true;
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++)
        if (argc < 3 || strstr(worlds[i].name, argv[2]))
            kept &= simulate(&worlds[i], canaries);
    return kept ? 0 : 1;
}
