#include "telemetry/internal.h"
#include "telemetry/recent.h"
#include "telemetry/series.h"
#include "telemetry/snapshot.h"

#include "base/mem.h"
#include "stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The window a query really gets. */
struct span_asked {
    enum tier tier;
    int64_t now, from, to; /* slot edges; `to` may lie ahead of `now` */
};

static bool plan(const struct telemetry *t, const struct metrics_query *q, struct span_asked *w,
                 struct err *e)
{
    w->now = clock_wall_ms(t->config.clock);
    int64_t to = q->to && q->to < w->now ? q->to : w->now;
    int64_t from = q->from ? q->from : to - q->window_ms;
    if (from < 0)
        from = 0;
    if (from >= to)
        return fail(e, &ERR_INVALID,
                    "the window is empty: 'from' must be before 'to' and before now");
    for (w->tier = TIER_5S; w->tier < TIER_6H; w->tier++)
        if (slot_start(w->tier, from) >= tier_oldest(w->tier, w->now, t->retention_ms) &&
            (w->tier != TIER_5S || slot_start(TIER_5S, from) >= t->since))
            break;
    int64_t oldest = tier_oldest(w->tier, w->now, t->retention_ms);
    w->from = slot_start(w->tier, from) > oldest ? slot_start(w->tier, from) : oldest;
    /* A window up to now has the open slot, even if that begins just now. */
    w->to = slot_start(w->tier, to < w->now ? to - 1 : to) + TIERS[w->tier].slot_ms;
    return true;
}

bool telemetry_reads_disk(const struct telemetry *t, const struct metrics_query *q)
{
    struct span_asked w;
    struct err e;
    return plan(t, q, &w, &e) && w.tier == TIER_6H;
}

/* --- collecting --- */

struct row_reading {
    struct snapshot *snapshot;
    bool ok;
    struct err err;
};

static bool take_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct row_reading *r = ctx;
    (void)id;
    const void *bytes = slot_row_open(data, len, &len);
    if (!bytes)
        r->ok = fail(&r->err, &ERR_CORRUPT, "a stored slot of metrics has a wrong checksum ('%s')",
                     key);
    else if (!snapshot_add(r->snapshot, at, bytes, len))
        r->ok = fail(&r->err, &ERR_MEMORY, "the window's data are too large");
    return r->ok;
}

static bool read_history(struct telemetry *t, uint64_t uid, const struct span_asked *w,
                         struct snapshot *s, struct err *e)
{
    char key[SERIES_KEY_SIZE];
    struct row_reading r = {.snapshot = s, .ok = true};
    struct series_read read = {
        .key = key, .from = w->from, .to = w->to, .each = take_row, .ctx = &r};
    series_key(TIER_6H, uid, key);
    if (!series_read_wait(t->config.store, &read, e))
        return false;
    if (!r.ok)
        *e = r.err;
    return r.ok;
}

/* Everything of the window; nothing for a model that was never seen. */
static bool collect(struct telemetry *t, uint64_t uid, const struct span_asked *w, unsigned want,
                    struct snapshot *s, struct err *e)
{
    struct live *l = models_find(&t->models, uid);
    if (!l)
        return true;
    bool disk = w->tier == TIER_6H;
    if (disk)
        pthread_rwlock_rdlock(&t->history);
    bool ok = snapshot_take(s, l, w->tier, w->from, w->to, want, e) &&
              (!disk || read_history(t, uid, w, s, e));
    if (disk)
        pthread_rwlock_unlock(&t->history);
    live_release(l, &t->rings);
    snapshot_sort(s);
    return ok;
}

/* --- answering --- */

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
static bool look_exactly(const struct span_asked *w, struct snapshot *s, uint64_t total,
                         const struct quantile_list *l, struct recent *recent)
{
    uint32_t from = (uint32_t)(w->from / 1000), to = (uint32_t)(w->to / 1000);
    if (total == 0 || total > s->n_samples ||
        recent_count(s->samples, s->n_samples, from, to) != total)
        return false;
    if (total < s->n_samples) {
        s->n_samples = (uint32_t)recent_filter(s->samples, s->n_samples, from, to);
        recent_look(s->samples, s->n_samples, l->q, l->n, recent);
    }
    return true;
}

static void summarize_latency(const struct metrics_query *q, const struct span_asked *w,
                              struct snapshot *s, const struct sketch *k,
                              const struct quantile_list *l, struct recent *recent,
                              struct latency_summary *out)
{
    double values[STANDARD + METRICS_QUANTILES_MAX], needed = 0;
    *out = (struct latency_summary){.count = sketch_count(k),
                                    .min = sketch_min(k),
                                    .max = sketch_max(k),
                                    .mean = sketch_mean(k)};
    out->exact = q->method == METHOD_RANK && look_exactly(w, s, out->count, l, recent);
    if (out->exact) {
        out->mean = recent->sum / (double)recent->n;
        memcpy(values, recent->quantiles, l->n * sizeof *values);
    } else {
        out->error_bound_ratio = sketch_error_bound_ratio(TIERS[w->tier].scale);
        for (size_t i = 0; i < l->n; i++)
            values[i] = quantile_of(k, q->method, l->q[i]);
    }
    out->p50 = values[0];
    out->p95 = values[1];
    out->p99 = values[2];
    memcpy(out->quantiles, values + STANDARD, q->n_quantiles * sizeof *values);
    for (size_t i = 0; i < (q->quantiles_unasked ? STANDARD : l->n); i++)
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
static int64_t round_resolution(const struct span_asked *w, int64_t asked)
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
static bool make_series(const struct span_asked *w, const struct metrics_query *q,
                        const struct snapshot *s, struct arena *a, struct metrics *out,
                        struct err *e)
{
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
        at = snapshot_sum(s, (size_t)at, end < w->to ? end : w->to, &sum, e);
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

static bool answer(struct telemetry *t, const struct metrics_query *q, const struct span_asked *w,
                   struct snapshot *s, struct tally *sum, struct arena *a, struct metrics *out,
                   struct err *e)
{
    if (snapshot_sum(s, 0, INT64_MAX, sum, e) < 0)
        return false;
    out->from = w->from;
    out->to = w->to < w->now ? w->to : w->now;
    out->total = sketch_count(&sum->latency);
    out->failure = sum->failure;
    out->success = out->total - out->failure;
    out->clock_skewed = sum->skewed;
    out->lifetime.total = sketch_count(&s->lifetime.latency);
    out->lifetime.failure = s->lifetime.failure;
    out->lifetime.success = out->lifetime.total - out->lifetime.failure;
    struct recent recent;
    struct quantile_list l = list_quantiles(q);
    recent_look(s->samples, s->n_samples, l.q, l.n, &recent);
    summarize_recent(t, s, &recent, out);
    summarize_latency(q, w, s, &sum->latency, &l, &recent, &out->latency);
    list_errors(s, sum, a, out);
    list_scores(s, sum, a, out);
    return q->resolution_ms <= 0 || make_series(w, q, s, a, out, e);
}

bool telemetry_metrics(struct telemetry *t, uint64_t uid, const struct metrics_query *q,
                       struct arena *a, struct metrics *out, struct err *e)
{
    struct span_asked w;
    struct snapshot s;
    struct tally sum;
    memset(out, 0, sizeof *out);
    if (q->n_quantiles > METRICS_QUANTILES_MAX)
        return fail(e, &ERR_INVALID, "at most %d quantiles", METRICS_QUANTILES_MAX);
    if (!plan(t, q, &w, e))
        return false;
    snapshot_init(&s);
    tally_init(&sum, TIERS[w.tier].scale);
    bool ok = collect(t, uid, &w, WANT_LIFETIME | WANT_RING | WANT_WORDS, &s, e) &&
              answer(t, q, &w, &s, &sum, a, out, e);
    tally_release(&sum);
    snapshot_release(&s);
    return ok;
}
