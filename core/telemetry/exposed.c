#include "telemetry/internal.h"
#include "telemetry/snapshot.h"

#include "stats/quantile.h"

#include <stdlib.h>

/* Powers of two: edges of the grid at every scale, so the lifetime's tally of scale 0 counts them
 * exactly. */
const double EXPOSED_BUCKET_MS[EXPOSED_BUCKETS] = {0.5, 1,   2,   4,    8,    16,   32,    64,
                                                   128, 256, 512, 1024, 2048, 4096, 16384, 65536};

static void expose(const struct live *l, const struct tally *sum, struct exposed *x)
{
    uint64_t before = 0, total = sketch_count(&sum->latency);
    *x = (struct exposed){.uid = l->uid,
                          .failure = sum->failure,
                          .success = total - sum->failure,
                          .latency_ms_sum = sketch_sum(&sum->latency)};
    for (int i = 0; i < EXPOSED_BUCKETS; i++) {
        uint64_t up_to = sketch_count_at_or_below(&sum->latency, EXPOSED_BUCKET_MS[i]);
        x->bucket[i] = up_to - before;
        before = up_to;
    }
    x->bucket[EXPOSED_BUCKETS] = total - before;
}

void telemetry_each(struct telemetry *t, void (*fn)(void *ctx, const struct exposed *x), void *ctx)
{
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    for (size_t i = 0; i < n; i++) {
        struct snapshot s;
        struct exposed x;
        struct err e;
        snapshot_init(&s);
        if (snapshot_take(&s, lives[i], TIER_5S, 0, 0, WANT_LIFETIME | WANT_OWN, &e)) {
            expose(lives[i], &s.lifetime, &x);
            fn(ctx, &x);
        }
        snapshot_release(&s);
        live_release(lives[i], &t->rings);
    }
    free(lives);
}
