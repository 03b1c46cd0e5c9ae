/* The test type "performance": latency and throughput under a steady load. Closed loop: each of
 * `concurrency` threads asks, waits for the answer, asks again. Subject and baseline take turns in
 * short rounds, in changing order, so that what the machine does meanwhile hits both; rounds are
 * what is paired.
 *
 * A quantile's measurement is that of all requests. Its samples are the rounds: their own
 * quantiles, shifted so that their mean is the value, which leaves the spread between rounds. */
#include "../shared/load.h"

#include <paddock/plugin.h>
#include <stdio.h>
#include <stdlib.h>

static const paddock_field LIMITS[] = {
    {"mean_ms", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL, "Largest mean latency, in ms."},
    {"p50_ms", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL, "Largest median latency, in ms."},
    {"p95_ms", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL,
     "Largest 95th percentile of latency, in ms."},
    {"p99_ms", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL,
     "Largest 99th percentile of latency, in ms."},
    {"max_ms", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL, "Largest latency, in ms."},
    {"throughput_min", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, NULL, NULL, NULL,
     "Least answers in a second."},
    {"error_rate_max", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0", NULL, NULL,
     "Largest share of requests without a good answer."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field RATIOS[] = {
    {"mean", PADDOCK_FIELD_NUMBER, 0, 0, 1e6, NULL, NULL, NULL,
     "Mean latency over the baseline's."},
    {"p50", PADDOCK_FIELD_NUMBER, 0, 0, 1e6, NULL, NULL, NULL, "Median over the baseline's."},
    {"p95", PADDOCK_FIELD_NUMBER, 0, 0, 1e6, NULL, NULL, NULL,
     "95th percentile over the baseline's."},
    {"p99", PADDOCK_FIELD_NUMBER, 0, 0, 1e6, NULL, NULL, NULL,
     "99th percentile over the baseline's."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CONFIG[] = {
    INPUT_FIELDS,
    {"warmup_requests", PADDOCK_FIELD_INTEGER, 0, 0, 1000000, "20", NULL, NULL,
     "Requests before, to each model, which are not measured."},
    {"concurrency", PADDOCK_FIELD_INTEGER, 0, 1, 256, "1", NULL, NULL,
     "Requests under way at any time."},
    {"requests", PADDOCK_FIELD_INTEGER, 0, 1, 1000000, "500", NULL, NULL,
     "Measured requests to each model, where no duration is given."},
    {"duration_ms", PADDOCK_FIELD_INTEGER, 0, 1, 3600000, NULL, NULL, NULL,
     "Measure each model for so long instead, in milliseconds, at most a million requests."},
    {"rounds", PADDOCK_FIELD_INTEGER, 0, 2, LOAD_ROUNDS_MAX, "10", NULL, NULL,
     "Into how many turns of each model that is split."},
    {"timeout_ms", PADDOCK_FIELD_INTEGER, 0, 1, 3600000, "10000", NULL, NULL,
     "Longest wait for one answer, in milliseconds."},
    {"limits", PADDOCK_FIELD_OBJECT, 0, 0, 0, "{}", NULL, LIMITS, "Figures that fail the test."},
    {"baseline_ratio_max", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, RATIOS,
     "Ratios to the baseline, measured in the same minutes, that fail the test."},
    {"margin_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 10, "0.1", NULL, NULL,
     "A change up to this share of the baseline's figure is no regression."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* The figures of latency, by the quantile that they are; the mean has none. */
static const struct figure {
    const char *name, *limit, *ratio;
    double q;
} FIGURES[] = {{"latency_mean", "mean_ms", "mean", NAN},
               {"latency_p50", "p50_ms", "p50", 0.5},
               {"latency_p95", "p95_ms", "p95", 0.95},
               {"latency_p99", "p99_ms", "p99", 0.99}};
#define N_FIGURES (sizeof FIGURES / sizeof *FIGURES)

struct bench {
    paddock_test *t;
    struct load_result *of[2]; /* subject, baseline */
    double *sorted[2];         /* all latencies */
    size_t models;
    double margin_ratio;
};

static double mean_of(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n ? sum / (double)n : (double)NAN;
}

static double figure_of(const struct figure *f, const double *sorted, size_t n)
{
    return isnan(f->q) ? mean_of(sorted, n) : sorted_quantile(sorted, n, f->q);
}

/* The figure round by round, with `value` as their mean. False if a round has no answers. */
static bool by_round(const struct figure *f, const struct load_result *r, double value,
                     double *values)
{
    for (unsigned i = 0; i < r->n_rounds; i++) {
        const struct load_round *round = &r->rounds[i];
        if (round->n == 0)
            return false;
        values[i] = figure_of(f, r->ms + round->first, round->n);
    }
    double shift = value - mean_of(values, r->n_rounds);
    for (unsigned i = 0; i < r->n_rounds; i++)
        values[i] += shift;
    return r->n_rounds > 1;
}

static double variance_of(const double *values, size_t n)
{
    double mean = mean_of(values, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return n > 1 ? sum / (double)(n - 1) : 0;
}

/* Keep a measurement whose samples are rounds. `base`: NULL, or the baseline's. */
static void measure(const struct bench *b, paddock_measurement *m, const double *values,
                    const double *base)
{
    size_t n = b->of[0]->n_rounds;
    m->margin_ratio = b->margin_ratio;
    if (values) {
        m->samples = n;
        m->variance = variance_of(values, n);
        m->values = values;
        m->baseline_values = base;
        m->n_values = n;
    }
    paddock_measure(b->t, m);
}

static void check_most(const struct bench *b, const char *key, double value, const char *unit)
{
    const paddock_host *h = b->t->host;
    double limit = paddock_number(h, paddock_get(h, b->t->config, "limits"), key);
    char name[40];
    snprintf(name, sizeof name, "limit.%s", key);
    if (!isnan(limit))
        paddock_check(b->t, value <= limit, name, "%.4g%s, at most %g allowed", value, unit, limit);
}

static void check_ratio(const struct bench *b, const struct figure *f, double value, double base)
{
    const paddock_host *h = b->t->host;
    double limit = paddock_number(h, paddock_get(h, b->t->config, "baseline_ratio_max"), f->ratio);
    char name[40];
    snprintf(name, sizeof name, "baseline.%s", f->ratio);
    if (!isnan(limit))
        paddock_check(b->t, value <= limit * base, name,
                      "%.4g ms, the baseline %.4g ms: ratio %.3g, at most %g allowed", value, base,
                      value / base, limit);
}

static void judge_latency(const struct bench *b, const struct figure *f)
{
    double own[LOAD_ROUNDS_MAX], other[LOAD_ROUNDS_MAX], base = NAN;
    double value = figure_of(f, b->sorted[0], b->of[0]->n);
    bool spread = by_round(f, b->of[0], value, own), paired = false;
    if (b->models > 1 && b->of[1]->n) {
        base = figure_of(f, b->sorted[1], b->of[1]->n);
        paired = spread && by_round(f, b->of[1], base, other);
        check_ratio(b, f, value, base);
    }
    measure(b,
            &(paddock_measurement){
                .name = f->name, .value = value, .unit = "ms", .better = PADDOCK_LOWER},
            spread ? own : NULL, paired ? other : NULL);
    check_most(b, f->limit, value, " ms");
}

static void judge_throughput(const struct bench *b)
{
    const paddock_host *h = b->t->host;
    double rates[2][LOAD_ROUNDS_MAX];
    for (size_t i = 0; i < b->models; i++)
        for (unsigned k = 0; k < b->of[i]->n_rounds; k++)
            rates[i][k] = (double)b->of[i]->rounds[k].n / fmax(b->of[i]->rounds[k].seconds, 1e-9);
    double value = mean_of(rates[0], b->of[0]->n_rounds);
    measure(b,
            &(paddock_measurement){
                .name = "throughput", .value = value, .unit = "1/s", .better = PADDOCK_HIGHER},
            rates[0], b->models > 1 ? rates[1] : NULL);
    double least = paddock_number(h, paddock_get(h, b->t->config, "limits"), "throughput_min");
    if (!isnan(least))
        paddock_check(b->t, value >= least, "limit.throughput_min",
                      "%.4g answers in a second, at least %g wanted", value, least);
}

static void judge_errors(const struct bench *b)
{
    struct load_result *r = b->of[0];
    uint64_t all = r->n + r->errors;
    double rate = all ? (double)r->errors / (double)all : 0;
    double limit = paddock_number(b->t->host, paddock_get(b->t->host, b->t->config, "limits"),
                                  "error_rate_max");
    paddock_measure(b->t, &(paddock_measurement){.name = "error_rate",
                                                 .value = rate,
                                                 .unit = "1",
                                                 .better = PADDOCK_LOWER,
                                                 .samples = all,
                                                 .variance = rate * (1 - rate)});
    paddock_check(b->t, rate <= limit, "answers", "%llu of %llu requests failed%s%s",
                  (unsigned long long)r->errors, (unsigned long long)all, r->errors ? ": " : "",
                  r->message);
    if (b->models > 1) {
        const struct load_result *base = b->of[1];
        uint64_t asked = base->n + base->errors;
        paddock_warn(b->t, base->errors == 0, "baseline.answers",
                     "%llu of %llu requests to the baseline failed%s%s",
                     (unsigned long long)base->errors, (unsigned long long)asked,
                     base->errors ? ": " : "", base->message);
    }
}

static bool sort_all(struct bench *b)
{
    for (size_t i = 0; i < b->models; i++) {
        const struct load_result *r = b->of[i];
        b->sorted[i] = malloc((r->n ? r->n : 1) * sizeof(double));
        if (!b->sorted[i])
            return false;
        memcpy(b->sorted[i], r->ms, r->n * sizeof(double));
        qsort(b->sorted[i], r->n, sizeof(double), compare_doubles);
    }
    return true;
}

/* No answer at all is no matter of speed. */
static bool answered(struct bench *b)
{
    const struct load_result *r = b->of[0];
    if (r->n_rounds == 0 && !r->errors)
        paddock_error(b->t, "the time was up before one round was done");
    else if (r->n == 0)
        return answer_judged(b->t,
                             &(paddock_answer){.error = r->first_error, .message = r->message},
                             "answers", "no request was answered");
    return r->n > 0;
}

static void judge(struct bench *b, unsigned rounds)
{
    if (!answered(b))
        return;
    if (!sort_all(b)) {
        paddock_error(b->t, "out of memory");
        return;
    }
    paddock_warn(b->t, b->of[0]->n_rounds == rounds, "complete", "%u of %u rounds were done",
                 b->of[0]->n_rounds, rounds);
    judge_errors(b);
    for (size_t i = 0; i < N_FIGURES; i++)
        judge_latency(b, &FIGURES[i]);
    check_most(b, "max_ms", b->sorted[0][b->of[0]->n - 1], " ms");
    judge_throughput(b);
}

static struct load_plan read_plan(paddock_test *t)
{
    const paddock_host *h = t->host;
    int64_t duration_ms = paddock_integer(h, t->config, "duration_ms");
    uint64_t requests = (uint64_t)paddock_integer(h, t->config, "requests");
    struct load_plan p = {
        .threads = (unsigned)paddock_integer(h, t->config, "concurrency"),
        .rounds = (unsigned)paddock_integer(h, t->config, "rounds"),
        .timeout_ms = (uint64_t)paddock_integer(h, t->config, "timeout_ms"),
        .warmup = (uint64_t)paddock_integer(h, t->config, "warmup_requests"),
    };
    if (duration_ms) {
        p.max_requests = 1000000;
        p.round_ns = (uint64_t)duration_ms * 1000000 / p.rounds;
    } else {
        p.round_requests = (requests + p.rounds - 1) / p.rounds;
        p.max_requests = p.round_requests * p.rounds;
    }
    return p;
}

static void run(paddock_test *t)
{
    struct load_plan plan = read_plan(t);
    struct load_result *results = calloc(2, sizeof *results);
    paddock_model *models[2] = {t->subject, t->baseline};
    struct bench b = {.t = t,
                      .models = t->baseline ? 2 : 1,
                      .margin_ratio = paddock_number(t->host, t->config, "margin_ratio")};
    struct inputs in = {0};
    struct why why = {""};
    if (!results) {
        paddock_error(t, "out of memory");
        return;
    }
    b.of[0] = &results[0];
    b.of[1] = &results[1];
    if (inputs_open(&in, t)) {
        if (load_run(t, &plan, &in, models, b.models, results, &why))
            judge(&b, plan.rounds);
        else
            paddock_error(t, "%s", why.text);
    }
    inputs_close(&in);
    for (size_t i = 0; i < 2; i++) {
        free(b.sorted[i]);
        load_release(&results[i]);
    }
    free(results);
}

static const paddock_test_ops OPS = {.run = run};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_TEST, .flags = PADDOCK_ALONE, .id = "performance",
               .version = "1.0.0",
               .summary = "Latency and throughput under load, taking turns with the baseline",
               .config = CONFIG, .ops = &OPS);
