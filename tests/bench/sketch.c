/* Benchmark of the percentile sketch: one line per figure, the bound or the peer beside it.
 *
 * Every figure is taken `ROUNDS` times, the figures in turn, on the thread's CPU clock; shown are
 * the minimum (on a machine that others use, the cleaner one) and the median. Data: lognormal
 * latencies, median 20 ms, sigma 0.6, unless the line says otherwise. */
#include "base/mem.h"
#include "stats/codec.h"
#include "stats/quantile.h"

#include "support/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 15, VALUES = 1 << 20, MODELS = 10000, RECORDS = 1 << 20, SLOTS = 60, BATCH = 250 };

/* Where measured results go, so that no loop is optimised away. */
static volatile double sink;

struct data {
    double *lognormal, *constant, *wide;
    uint32_t *cell;    /* of each lognormal value, relative to the page of 2^0 */
    uint16_t *model;   /* of each record */
    uint32_t *address; /* of each record: a counter of its model */
    uint32_t *counters;
    struct sketch one, half, batch_target, models[MODELS];
    struct bytes slot_small[SLOTS], slot_large[SLOTS];
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- what is measured; each returns how many operations it did ---- */

static double count_only(struct data *d)
{
    for (size_t i = 0; i < VALUES; i++)
        d->counters[d->cell[i]]++;
    return VALUES;
}

static double add_each(struct data *d, const double *values)
{
    sketch_clear(&d->one);
    for (size_t i = 0; i < VALUES; i++)
        sketch_add(&d->one, values[i]);
    return VALUES;
}

static double add_lognormal(struct data *d)
{
    return add_each(d, d->lognormal);
}

static double add_constant(struct data *d)
{
    return add_each(d, d->constant);
}

static double add_wide(struct data *d)
{
    return add_each(d, d->wide);
}

static double add_batches(struct data *d)
{
    sketch_clear(&d->batch_target);
    for (size_t i = 0; i + BATCH <= VALUES; i += BATCH)
        sketch_add_many(&d->batch_target, d->lognormal + i, BATCH);
    return VALUES / BATCH * BATCH;
}

static double count_models(struct data *d)
{
    for (size_t i = 0; i < RECORDS; i++)
        d->counters[d->address[i]]++;
    return RECORDS;
}

static double count_models_prefetched(struct data *d)
{
    for (size_t i = 0; i < RECORDS; i++) {
        if (i + 12 < RECORDS)
            __builtin_prefetch(&d->counters[d->address[i + 12]], 1);
        d->counters[d->address[i]]++;
    }
    return RECORDS;
}

static double add_models(struct data *d)
{
    for (size_t i = 0; i < RECORDS; i++)
        sketch_add(&d->models[d->model[i]], d->lognormal[i]);
    return RECORDS;
}

static double add_models_prefetched(struct data *d)
{
    for (size_t i = 0; i < RECORDS; i++) {
        if (i + 24 < RECORDS) {
            sketch_prefetch(&d->models[d->model[i + 24]]);
            sketch_prefetch_cell(&d->models[d->model[i + 12]], d->lognormal[i + 12]);
        }
        sketch_add(&d->models[d->model[i]], d->lognormal[i]);
    }
    return RECORDS;
}

static double merge(struct data *d)
{
    enum { TIMES = 1000 };
    sketch_clear(&d->batch_target);
    for (int i = 0; i < TIMES; i++)
        if (!sketch_merge(&d->batch_target, &d->half))
            abort();
    return TIMES;
}

static double quantile(struct data *d)
{
    enum { TIMES = 1000 };
    static const double qs[] = {0.5, 0.95, 0.99, 0.999};
    double sum = 0;
    for (int i = 0; i < TIMES; i++)
        sum += sketch_quantile(&d->half, qs[i % 4]);
    sink = sum;
    return TIMES;
}

static double encode(struct data *d)
{
    enum { TIMES = 200 };
    struct bytes out = BYTES_INIT(SKETCH_ENCODED_MAX);
    for (int i = 0; i < TIMES; i++) {
        bytes_clear(&out);
        if (!sketch_encode(&d->half, &out))
            abort();
    }
    bytes_release(&out);
    return TIMES;
}

static double query(const struct bytes *slots)
{
    struct sketch s;
    sketch_init(&s, SKETCH_SCALE);
    for (int i = 0; i < SLOTS; i++)
        if (!sketch_merge_bytes(&s, slots[i].data, slots[i].len, NULL))
            abort();
    sink = sketch_quantile(&s, 0.5) + sketch_quantile(&s, 0.95) + sketch_quantile(&s, 0.99);
    sketch_release(&s);
    return 1;
}

static double query_small(struct data *d)
{
    return query(d->slot_small);
}

static double query_large(struct data *d)
{
    return query(d->slot_large);
}

/* Order matters twice: neighbours are measured next to each other. */
static const struct figure {
    const char *name, *unit;
    double (*run)(struct data *);
    double per; /* ns in one unit */
    const char *beside;
} figures[] = {
    {"counter[precomputed index]++ only", "ns", count_only, 1, "the floor in this run"},
    {"insert, lognormal", "ns", add_lognormal, 1,
     "bound 3.5; HdrHistogram_c 2.7, DDSketch cubic 3.6, circllhist 9..20, t-digest 61..76"},
    {"insert, constant 42", "ns", add_constant, 1, "one counter: store-to-load forwarding"},
    {"insert, log-uniform 1e-6..1e9", "ns", add_wide, 1, ""},
    {"insert, in batches of 250", "ns", add_batches, 1, "target 2.2"},
    {"10,000 models: counter only", "ns", count_models, 1, "the floor in this run"},
    {"10,000 models: counter only, prefetched", "ns", count_models_prefetched, 1, ""},
    {"10,000 models: insert", "ns", add_models, 1, "prototype 37, HdrHistogram 54"},
    {"10,000 models: insert, prefetched", "ns", add_models_prefetched, 1, "bound 30; prototype 21"},
    {"merge of two sketches", "ns", merge, 1,
     "target 700; DDSketch 400..1,400, HdrHistogram 66,000"},
    {"one quantile", "ns", quantile, 1, "target 250"},
    {"encode", "ns", encode, 1, "prototype 500..1,000"},
    {"1 h query: 60 slots of 6,000 from bytes, 3 quantiles", "us", query_small, 1000, "bound 100"},
    {"1 h query: 60 slots of 600,000, the same", "us", query_large, 1000, "bound 100"},
};

enum { FIGURES = sizeof figures / sizeof figures[0] };

static void fill_slots(struct data *d, struct bytes *slots, size_t values)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct sketch s;
        sketch_init(&s, SKETCH_SCALE);
        const size_t from = i * 7919 % (VALUES - values + 1);
        sketch_add_many(&s, d->lognormal + from, values);
        slots[i] = BYTES_INIT(SKETCH_ENCODED_MAX);
        if (!sketch_encode(&s, &slots[i]))
            abort();
        sketch_release(&s);
    }
}

static struct data *prepare(void)
{
    struct data *d = mem_zero(1, sizeof *d);
    const size_t stride = 16 * SKETCH_PAGE; /* counters of one model in the counter-only loops */
    d->lognormal = mem_zero(VALUES, sizeof *d->lognormal);
    d->constant = mem_zero(VALUES, sizeof *d->constant);
    d->wide = mem_zero(VALUES, sizeof *d->wide);
    d->cell = mem_zero(VALUES, sizeof *d->cell);
    d->model = mem_zero(RECORDS, sizeof *d->model);
    d->address = mem_zero(RECORDS, sizeof *d->address);
    d->counters = mem_zero(MODELS * stride, sizeof *d->counters);
    uint64_t seed = 7;
    for (size_t i = 0; i < VALUES; i++) {
        d->lognormal[i] = random_latency(&seed);
        d->constant[i] = 42;
        d->wide[i] = pow(10, 15 * random_uniform(&seed) - 6);
        d->cell[i] = (uint32_t)grid_index(d->lognormal[i]) % stride;
        d->model[i] = (uint16_t)(random_u64(&seed) % MODELS);
        d->address[i] = (uint32_t)(d->model[i] * stride + d->cell[i]);
    }
    sketch_init(&d->one, SKETCH_SCALE);
    sketch_init(&d->half, SKETCH_SCALE);
    sketch_init(&d->batch_target, SKETCH_SCALE);
    sketch_add_many(&d->half, d->lognormal, VALUES / 2);
    for (size_t i = 0; i < MODELS; i++)
        sketch_init(&d->models[i], SKETCH_SCALE);
    fill_slots(d, d->slot_small, 6000);
    fill_slots(d, d->slot_large, 600000);
    return d;
}

static void discard(struct data *d)
{
    for (size_t i = 0; i < MODELS; i++)
        sketch_release(&d->models[i]);
    for (size_t i = 0; i < SLOTS; i++) {
        bytes_release(&d->slot_small[i]);
        bytes_release(&d->slot_large[i]);
    }
    sketch_release(&d->one);
    sketch_release(&d->half);
    sketch_release(&d->batch_target);
    free(d->counters);
    free(d->address);
    free(d->model);
    free(d->cell);
    free(d->wide);
    free(d->constant);
    free(d->lognormal);
    free(d);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sizes(const struct data *d)
{
    static const struct {
        size_t values;
        const char *bound;
    } rows[] = {{100, "200"}, {1000, "550"}, {1000000, "1,700"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sketch s;
        struct bytes out = BYTES_INIT(SKETCH_ENCODED_MAX);
        sketch_init(&s, SKETCH_SCALE);
        sketch_add_many(&s, d->lognormal, rows[i].values);
        if (!sketch_encode(&s, &out))
            abort();
        printf("sealed slot of %zu values: %zu bytes (bound %s); in memory %zu\n", rows[i].values,
               out.len, rows[i].bound, sketch_memory(&s));
        bytes_release(&out);
        sketch_release(&s);
    }
}

int main(void)
{
    static double times[FIGURES][ROUNDS];
    struct data *d = prepare();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FIGURES; i++) {
            const double start = now_ns();
            const double done = figures[i].run(d);
            times[i][round] = (now_ns() - start) / done / figures[i].per;
        }
    }
    for (int i = 0; i < FIGURES; i++) {
        qsort(times[i], ROUNDS, sizeof times[i][0], ascending);
        printf("%s: min %.2f, median %.2f %s%s%s%s\n", figures[i].name, times[i][0],
               times[i][ROUNDS / 2], figures[i].unit, *figures[i].beside ? " (" : "",
               figures[i].beside, *figures[i].beside ? ")" : "");
    }
    sizes(d);
    discard(d);
    return 0;
}
