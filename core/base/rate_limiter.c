#include "base/rate_limiter.h"

#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WAYS       4 /* places of a set: one cache line */
#define PLACES_MIN 64
#define PLACES_MAX (1 << 24)
#define SPAN_MAX   (INT64_MAX / 4) /* of a bucket, ns: times stay far from overflow */

struct place {
    _Atomic uint64_t key; /* 0: never used */
    _Atomic int64_t full; /* when it is full again */
};

struct rate_limiter {
    struct place *places;
    size_t n_sets; /* a power of two */
    uint64_t seed;
};

struct rate_limiter *rate_limiter_new(size_t places)
{
    struct rate_limiter *r = mem_zero(1, sizeof *r);
    size_t n = PLACES_MIN;
    while (n < places && n < PLACES_MAX)
        n *= 2;
    void *memory = NULL;
    if (posix_memalign(&memory, WAYS * sizeof(struct place), n * sizeof(struct place)) != 0)
        abort(); /* as mem_alloc does: the size is our own */
    r->places = memset(memory, 0, n * sizeof(struct place));
    r->n_sets = n / WAYS;
    random_bytes(&r->seed, sizeof r->seed);
    return r;
}

void rate_limiter_free(struct rate_limiter *r)
{
    if (!r)
        return;
    free(r->places);
    free(r);
}

uint64_t rate_limiter_key(const struct rate_limiter *r, unsigned kind, const void *data, size_t len)
{
    uint64_t key = hash64(data, len, r->seed + kind * 0x9E3779B97F4A7C15u);
    return key ? key : 1;
}

static struct place *set_of(const struct rate_limiter *r, uint64_t key)
{
    return r->places + WAYS * ((key >> 32) & (r->n_sets - 1));
}

static struct place *find(const struct rate_limiter *r, uint64_t key)
{
    struct place *p = set_of(r, key);
    for (int i = 0; i < WAYS; i++)
        if (atomic_load_explicit(&p[i].key, memory_order_relaxed) == key)
            return &p[i];
    return NULL;
}

/* The place that is nearest to full becomes the key's. Who loses the race for it shares it for one
 * step, which costs the other key at most that step. */
static struct place *claim(const struct rate_limiter *r, uint64_t key)
{
    struct place *p = set_of(r, key), *best = p;
    int64_t earliest = atomic_load_explicit(&p->full, memory_order_relaxed);
    for (int i = 1; i < WAYS; i++) {
        int64_t full = atomic_load_explicit(&p[i].full, memory_order_relaxed);
        if (full < earliest) {
            earliest = full;
            best = &p[i];
        }
    }
    uint64_t old = atomic_load_explicit(&best->key, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&best->key, &old, key))
        atomic_store_explicit(&best->full, 0, memory_order_relaxed);
    return best;
}

/* Nanoseconds between two, and of a whole bucket. */
static void spans(double per_second, double burst, int64_t *one, int64_t *whole)
{
    double step = 1e9 / per_second;
    *one = step < (double)SPAN_MAX ? (int64_t)step : SPAN_MAX;
    if (*one < 1)
        *one = 1;
    double all = step * (burst < 1 ? 1 : burst);
    *whole = all < (double)SPAN_MAX ? (int64_t)all : SPAN_MAX;
    if (*whole < *one)
        *whole = *one;
}

int64_t rate_limiter_take(struct rate_limiter *r, uint64_t key, double per_second, double burst,
                          int64_t now_ns)
{
    int64_t one, whole;
    spans(per_second, burst, &one, &whole);
    struct place *p = find(r, key);
    if (!p)
        p = claim(r, key);
    int64_t full = atomic_load_explicit(&p->full, memory_order_relaxed), next;
    do {
        next = (full > now_ns ? full : now_ns) + one;
        if (next - now_ns > whole)
            return next - now_ns - whole;
    } while (!atomic_compare_exchange_weak(&p->full, &full, next));
    return 0;
}

int64_t rate_limiter_wait(const struct rate_limiter *r, uint64_t key, double per_second,
                          double burst, int64_t now_ns)
{
    int64_t one, whole;
    spans(per_second, burst, &one, &whole);
    int64_t left = rate_limiter_marked(r, key, now_ns) + one - whole;
    return left > 0 ? left : 0;
}

void rate_limiter_mark(struct rate_limiter *r, uint64_t key, int64_t until_ns, int64_t now_ns)
{
    struct place *p = find(r, key);
    if (until_ns <= now_ns)
        return;
    if (!p)
        p = claim(r, key);
    int64_t full = atomic_load_explicit(&p->full, memory_order_relaxed);
    while (full < until_ns && !atomic_compare_exchange_weak(&p->full, &full, until_ns))
        ;
}

int64_t rate_limiter_marked(const struct rate_limiter *r, uint64_t key, int64_t now_ns)
{
    const struct place *p = find(r, key);
    int64_t left = p ? atomic_load_explicit(&p->full, memory_order_relaxed) - now_ns : 0;
    return left > 0 ? left : 0;
}
