#include "telemetry/answer.h"

#include "telemetry/recent.h"

#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double quantile_of(const struct sketch *s, enum quantile_method method, double q)
{
    return method == METHOD_PROMQL ? sketch_quantile_promql(s, q) : sketch_quantile(s, q);
}

/* Values needed for a two-sided 95 % interval of a quantile to exist: 72 for p95, 368 for p99. The
 * extremes are known exactly. */
static double samples_needed(double q)
{
    if (!(q > 0 && q < 1))
        return 0;
    return ceil(log(0.025) / log(q > 0.5 ? q : 1 - q));
}

/* The quantiles of an answer: those that are always told, then those that were asked for. */
#define STANDARD 3
struct quantile_list {
    double q[STANDARD + METRICS_QUANTILES_MAX];
    size_t n;
};
_Static_assert(STANDARD + METRICS_QUANTILES_MAX <= RECENT_QUANTILES_MAX, "all at one look");

static struct quantile_list list_quantiles(const struct metrics_query *q)
{
    struct quantile_list l = {{0.5, 0.95, 0.99}, STANDARD + q->n_quantiles};
    memcpy(l.q + STANDARD, q->quantiles, q->n_quantiles * sizeof *l.q);
    return l;
}

/* Counts are exact, so if the ring has as many records of the window as the slots have, it has all
 * of them. `recent` is the look at the whole ring, and becomes that at the window. */
static bool look_exactly(struct asking *q, const struct quantile_list *l, struct recent *recent)
{
    struct snapshot *s = &q->snapshot;
    uint64_t total = sketch_count(&q->sum.latency);
    uint32_t from = (uint32_t)(q->from / 1000), to = (uint32_t)(q->to / 1000);
    if (total == 0 || total > s->n_samples ||
        recent_count(s->samples, s->n_samples, from, to) != total)
        return false;
    if (total < s->n_samples) {
        s->n_samples = (uint32_t)recent_filter(s->samples, s->n_samples, from, to);
        recent_look(s->samples, s->n_samples, l->q, l->n, recent);
    }
    return true;
}

static void summarize_latency(struct asking *q, const struct quantile_list *l,
                              struct recent *recent, struct latency_summary *out)
{
    const struct sketch *k = &q->sum.latency;
    double values[STANDARD + METRICS_QUANTILES_MAX] = {0}, needed = 0;
    *out = (struct latency_summary){.count = sketch_count(k),
                                    .min = sketch_min(k),
                                    .max = sketch_max(k),
                                    .mean = sketch_mean(k)};
    out->exact = q->query->method == METHOD_RANK && look_exactly(q, l, recent);
    if (out->exact) {
        out->mean = recent->sum / (double)recent->n;
        memcpy(values, recent->quantiles, l->n * sizeof *values);
    } else {
        out->error_bound_ratio = sketch_error_bound_ratio(TIERS[q->tier].scale);
        for (size_t i = 0; i < l->n; i++)
            values[i] = quantile_of(k, q->query->method, l->q[i]);
    }
    out->p50 = values[0];
    out->p95 = values[1];
    out->p99 = values[2];
    memcpy(out->quantiles, values + STANDARD, q->query->n_quantiles * sizeof *values);
    for (size_t i = 0; i < (q->query->quantiles_unasked ? STANDARD : l->n); i++)
        needed = fmax(needed, samples_needed(l->q[i]));
    out->low_sample = (double)out->count < needed;
}

static void summarize_recent(const struct telemetry *t, const struct snapshot *s,
                             const struct recent *r, struct metrics *out)
{
    /* A ring that is full and was not allowed to grow holds no more than that. */
    bool cut = s->n_samples && s->n_samples == s->capacity && t->rings.places_max > s->capacity &&
               atomic_load(&t->rings.bytes) + s->capacity * sizeof *s->samples > t->rings.bytes_max;
    out->recent.count = r->n;
    out->recent.capacity = cut ? s->capacity : t->rings.places_max;
    out->recent.min = r->min;
    out->recent.max = r->max;
    out->recent.p50 = r->n ? r->quantiles[0] : NAN;
    out->recent.p95 = r->n ? r->quantiles[1] : NAN;
    out->recent.p99 = r->n ? r->quantiles[2] : NAN;
}

/* The text of a word, or "other" for what came after the dictionary was full. */
static const char *word_text(const struct words *w, uint32_t kind, struct arena *a)
{
    if (kind == KIND_OTHER)
        return "other";
    size_t len;
    const char *text = words_get(w, kind, &len);
    return arena_copy(a, text, len);
}

/* A kind that is itself called "other" takes in the rest. */
static uint32_t named_other(const struct words *w)
{
    uint32_t kind = words_find(w, "other", 5);
    return kind == WORD_NONE ? KIND_OTHER : kind;
}

static int by_count(const void *a, const void *b)
{
    const struct error_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->type, y->type);
}

static void list_errors(const struct snapshot *s, struct tally *sum, struct arena *a,
                        struct metrics *out)
{
    uint32_t other = named_other(&s->errors);
    if (sum->n_errors > KIND_OTHER && other != KIND_OTHER) {
        sum->errors[other] += sum->errors[KIND_OTHER];
        sum->errors[KIND_OTHER] = 0;
    }
    out->errors = arena_zero(a, (sum->n_errors + 1) * sizeof *out->errors);
    for (uint32_t i = 0; i < sum->n_errors; i++)
        if (sum->errors[i])
            out->errors[out->n_errors++] =
                (struct error_count){word_text(&s->errors, i, a), sum->errors[i]};
    qsort(out->errors, out->n_errors, sizeof *out->errors, by_count);
}

static void list_scores(const struct snapshot *s, struct tally *sum, struct arena *a,
                        struct metrics *out)
{
    uint32_t other = named_other(&s->names);
    if (sum->n_scores > KIND_OTHER && other != KIND_OTHER) {
        moments_merge(&sum->scores[other], &sum->scores[KIND_OTHER]);
        sum->scores[KIND_OTHER].count = 0;
    }
    out->scores = arena_zero(a, (sum->n_scores + 1) * sizeof *out->scores);
    for (uint32_t i = 0; i < sum->n_scores; i++) {
        const struct moments *m = &sum->scores[i];
        if (m->count)
            out->scores[out->n_scores++] = (struct score_summary){
                word_text(&s->names, i, a), m->count, m->mean, m->min, m->max, moments_variance(m)};
    }
}

/* --- series --- */

/* A multiple of the tier's slot that gives at most METRICS_POINTS_MAX points. */
static int64_t round_resolution(const struct asking *w, int64_t asked)
{
    int64_t slot = TIERS[w->tier].slot_ms, span = w->to - w->from;
    int64_t least = (span + METRICS_POINTS_MAX - 2) /
                    (METRICS_POINTS_MAX - 1); /* one is cut in two at the edges */
    if (asked < least)
        asked = least;
    return (asked + slot - 1) / slot * slot;
}

/* Points begin at multiples of the resolution, so that they are the same from one query to the
 * next; the first begins where the window does. */
static bool make_series(const struct asking *w, struct arena *a, struct metrics *out, struct err *e)
{
    const struct metrics_query *q = w->query;
    int64_t step = round_resolution(w, q->resolution_ms);
    size_t max = (size_t)((w->to - w->from) / step) + 2;
    struct tally sum;
    long at = 0;
    out->resolution_ms = step;
    out->series = arena_alloc(a, max * sizeof *out->series);
    if (!out->series)
        return fail(e, &ERR_MEMORY, "no memory for the series");
    tally_init(&sum, TIERS[w->tier].scale);
    for (int64_t start = w->from; at >= 0 && start < w->to;) {
        int64_t end = start - start % step + step;
        tally_clear(&sum);
        at = snapshot_sum(&w->snapshot, (size_t)at, end < w->to ? end : w->to, &sum, e);
        out->series[out->n_series++] =
            (struct metrics_point){start,
                                   sketch_count(&sum.latency),
                                   sum.failure,
                                   quantile_of(&sum.latency, q->method, 0.5),
                                   quantile_of(&sum.latency, q->method, 0.95),
                                   quantile_of(&sum.latency, q->method, 0.99)};
        start = end;
    }
    tally_release(&sum);
    return at >= 0;
}

bool answer(struct asking *q, struct arena *a, struct metrics *out, struct err *e)
{
    struct tally *sum = &q->sum;
    const struct tally *lifetime = &q->snapshot.lifetime;
    if (snapshot_sum(&q->snapshot, 0, INT64_MAX, sum, e) < 0)
        return false;
    out->from = q->from;
    out->to = q->to < q->now ? q->to : q->now;
    out->total = sketch_count(&sum->latency);
    out->failure = sum->failure;
    out->success = out->total - out->failure;
    out->clock_skewed = sum->skewed;
    out->mismatched = sum->mismatched;
    out->lifetime.total = sketch_count(&lifetime->latency);
    out->lifetime.failure = lifetime->failure;
    out->lifetime.success = out->lifetime.total - out->lifetime.failure;
    struct recent recent;
    struct quantile_list l = list_quantiles(q->query);
    recent_look(q->snapshot.samples, q->snapshot.n_samples, l.q, l.n, &recent);
    summarize_recent(q->telemetry, &q->snapshot, &recent, out);
    summarize_latency(q, &l, &recent, &out->latency);
    list_errors(&q->snapshot, sum, a, out);
    list_scores(&q->snapshot, sum, a, out);
    return q->query->resolution_ms <= 0 || make_series(q, a, out, e);
}
