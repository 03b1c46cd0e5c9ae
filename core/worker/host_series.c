/* Series of samples: a quantile sketch and moments for each name. */
#include "base/mem.h"
#include "stats/moments.h"
#include "stats/quantile.h"
#include "stats/sketch.h"
#include "worker/host_parts.h"
#include "worker/run.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define SERIES_MAX 64

static struct {
    pthread_mutex_t lock;
    size_t n;
    struct series {
        char name[64];
        struct sketch sketch;
        struct moments moments;
    } list[SERIES_MAX];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The series of a name, made if `make`; NULL if there is none. With the lock. */
static struct series *find(const char *name, bool make)
{
    size_t len = name ? strnlen(name, sizeof all.list[0].name) : 0;
    if (len == 0 || len == sizeof all.list[0].name)
        return NULL;
    for (size_t i = 0; i < all.n; i++)
        if (memcmp(all.list[i].name, name, len + 1) == 0)
            return &all.list[i];
    if (!make || all.n == SERIES_MAX)
        return NULL;
    struct series *s = &all.list[all.n++];
    memcpy(s->name, name, len + 1);
    sketch_init(&s->sketch, SKETCH_SCALE);
    return s;
}

void host_sample(paddock_test *t, const char *series, double value)
{
    (void)t;
    pthread_mutex_lock(&all.lock);
    struct series *s = find(series, true);
    bool taken = s && sketch_add(&s->sketch, value);
    if (taken)
        moments_add(&s->moments, value);
    pthread_mutex_unlock(&all.lock);
    if (!s)
        run_fault("a series needs a name of 1 to 63 bytes, and there may be %d", SERIES_MAX);
    else if (!taken)
        run_fault("%s: the sample %g is negative or not finite", s->name, value);
}

double host_quantile(paddock_test *t, const char *series, double q)
{
    (void)t;
    if (!(q >= 0 && q <= 1)) {
        run_fault("a quantile must be within 0..1, got %g", q);
        return NAN;
    }
    pthread_mutex_lock(&all.lock);
    const struct series *s = find(series, false);
    double value = s && s->sketch.count ? sketch_quantile(&s->sketch, q) : (double)NAN;
    pthread_mutex_unlock(&all.lock);
    return value;
}

bool host_summary(paddock_test *t, const char *series, paddock_summary *out)
{
    (void)t;
    *out = (paddock_summary){.mean = NAN, .variance = NAN, .min = NAN, .max = NAN};
    pthread_mutex_lock(&all.lock);
    const struct series *s = find(series, false);
    if (s && s->moments.count) {
        const struct moments *m = &s->moments;
        out->count = m->count;
        out->mean = m->mean;
        out->min = m->min;
        out->max = m->max;
        out->variance = m->count > 1 ? moments_variance(m) : (double)NAN;
    }
    pthread_mutex_unlock(&all.lock);
    return out->count > 0;
}
