#include "api/exposition.h"

#include "base/grow.h"

#include <math.h>
#include <stdlib.h>

/* Histograms of more models than this would make a scrape of hundreds of MB: beyond it counters
 * only. */
#define FULL_MODELS_MAX 20000

/* What telemetry tells, sorted by uid to be found from the models. */
struct figures {
    struct exposed *list;
    size_t n, cap;
};

struct models_pass {
    struct text_format *t;
    const struct figures *figures;
    const struct grants *grants; /* of whoever scrapes */
    void (*put)(struct text_format *t, const struct model *m, const struct exposed *x);
};

static void collect(void *ctx, const struct exposed *x)
{
    struct figures *f = ctx;
    GROW(f->list, f->n, f->cap);
    f->list[f->n++] = *x;
}

static int by_uid(const void *a, const void *b)
{
    uint64_t x = ((const struct exposed *)a)->uid, y = ((const struct exposed *)b)->uid;
    return x < y ? -1 : x > y;
}

static void label_model(struct text_format *t, const struct model *m)
{
    sample_label(t, "namespace", m->entity.ns);
    sample_label(t, "name", m->name);
    sample_label(t, "version", m->version);
    sample_label(t, "model_id", m->entity.id);
}

static void put_outcome(struct text_format *t, const struct model *m, const char *outcome,
                        uint64_t n)
{
    sample_begin(t, "paddock_model_inferences", "_total");
    label_model(t, m);
    sample_label(t, "outcome", outcome);
    sample_uint(t, n);
}

static void put_outcomes(struct text_format *t, const struct model *m, const struct exposed *x)
{
    put_outcome(t, m, "success", x->success);
    put_outcome(t, m, "failure", x->failure);
}

static void put_latency(struct text_format *t, const struct model *m, const struct exposed *x)
{
    static const char NAME[] = "paddock_model_latency_seconds";
    uint64_t sum = 0;
    for (size_t i = 0; i <= EXPOSED_BUCKETS; i++) {
        sum += x->bucket[i];
        sample_begin(t, NAME, "_bucket");
        label_model(t, m);
        sample_le(t, i < EXPOSED_BUCKETS ? EXPOSED_BUCKET_MS[i] / 1000 : INFINITY);
        sample_uint(t, sum);
    }
    sample_begin(t, NAME, "_count");
    label_model(t, m);
    sample_uint(t, sum);
    sample_begin(t, NAME, "_sum");
    label_model(t, m);
    sample_number(t, x->latency_ms_sum / 1000);
}

static bool put_one(const struct entity *e, void *ctx)
{
    const struct models_pass *p = ctx;
    const struct exposed key = {.uid = e->uid};
    const struct exposed *x = bsearch(&key, p->figures->list, p->figures->n, sizeof key, by_uid);
    if (x && grants_allow(p->grants, e->ns, model_of(e)->name, ACTION_BIT(ACTION_READ)))
        p->put(p->t, model_of(e), x);
    return true;
}

void exposition_put_models(struct text_format *t, struct work *w)
{
    struct figures f = {0};
    if (w->api->metrics_detail == METRICS_OFF)
        return;
    telemetry_each(w->api->telemetry, collect, &f);
    if (f.n)
        qsort(f.list, f.n, sizeof *f.list, by_uid);
    const struct view *v = view_enter(w->reader);
    metric_gauge(t, "paddock_models", "Models registered.", (double)view_count(v, ENTITY_MODEL));
    if (f.n) {
        struct models_pass pass = {t, &f, w->grants, put_outcomes};
        metric_family(t, "paddock_model_inferences", METRIC_COUNTER,
                      "Inferences recorded on this node since it started, by outcome.");
        view_each(v, ENTITY_MODEL, put_one, &pass);
    }
    if (f.n && f.n <= FULL_MODELS_MAX && w->api->metrics_detail == METRICS_FULL) {
        struct models_pass pass = {t, &f, w->grants, put_latency};
        metric_family(t, "paddock_model_latency_seconds", METRIC_HISTOGRAM,
                      "Latency of inferences recorded on this node since it started.");
        view_each(v, ENTITY_MODEL, put_one, &pass);
    }
    view_leave(w->reader);
    free(f.list);
}
