/* models: the live models by uid. Room: telemetry.
 * Threads: the log writer adds and removes (and may look without a lock); others find() and list().
 */
#ifndef PADDOCK_TELEMETRY_MODELS_H
#define PADDOCK_TELEMETRY_MODELS_H

#include "telemetry/live.h"
#include "base/mem.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct model_place {
    uint64_t uid;      /* beside the pointer, so that a search does not touch the models */
    struct live *live; /* NULL: free */
};

struct models {
    pthread_rwlock_t lock;
    struct model_place *table; /* open addressing, a power of two of places */
    size_t mask, n;
    bool fleet; /* several nodes share the store */
};

/* A lock whose readers come all the time: its writer must not wait for a moment without any. No
 * thread may hold it twice. */
void rwlock_init_writers_first(pthread_rwlock_t *lock);

void models_init(struct models *m, bool fleet);
/* Gives up the table's references. */
void models_release(struct models *m, struct ring_budget *rings);

/* [writer] The model, made if it is new. */
struct live *models_get_or_add(struct models *m, uint64_t uid);
/* [writer] Borrowed, or NULL. */
struct live *models_peek(const struct models *m, uint64_t uid);
/* [writer] Take it out; its reference is the caller's now. NULL if it is not there. */
struct live *models_remove(struct models *m, uint64_t uid);
/* [writer] Bring the place of a uid into the cache. */
static ALWAYS_INLINE void models_prefetch(const struct models *m, uint64_t uid)
{
    if (m->table)
        __builtin_prefetch(&m->table[(uid * UINT64_C(0x9e3779b97f4a7c15) >> 20) & m->mask]);
}

/* [any] Retained: end with live_release(). NULL if it is not there. */
struct live *models_find(struct models *m, uint64_t uid);
/* [any] All, retained, in a heap array; `*n` of them. */
struct live **models_all(struct models *m, size_t *n);
size_t models_count(struct models *m);

#endif
