#include "telemetry/models.h"

#include "base/mem.h"

#include <stdlib.h>

#define LEAST 64

static size_t place_of(const struct models *m, uint64_t uid)
{
    size_t at = (uid * UINT64_C(0x9e3779b97f4a7c15) >> 20) & m->mask;
    while (m->table[at].live && m->table[at].uid != uid)
        at = (at + 1) & m->mask;
    return at;
}

void rwlock_init_writers_first(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t kind;
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &kind);
    pthread_rwlockattr_destroy(&kind);
}

void models_init(struct models *m, bool fleet)
{
    *m = (struct models){.fleet = fleet};
    rwlock_init_writers_first(&m->lock);
}

void models_release(struct models *m, struct ring_budget *rings)
{
    for (size_t i = 0; m->table && i <= m->mask; i++)
        if (m->table[i].live)
            live_release(m->table[i].live, rings);
    free(m->table);
    pthread_rwlock_destroy(&m->lock);
}

struct live *models_peek(const struct models *m, uint64_t uid)
{
    return m->table ? m->table[place_of(m, uid)].live : NULL;
}

static void grow(struct models *m)
{
    struct models bigger = {.mask = m->table ? (m->mask + 1) * 2 - 1 : LEAST - 1};
    bigger.table = mem_zero(bigger.mask + 1, sizeof *bigger.table);
    for (size_t i = 0; m->table && i <= m->mask; i++)
        if (m->table[i].live)
            bigger.table[place_of(&bigger, m->table[i].uid)] = m->table[i];
    free(m->table);
    m->table = bigger.table;
    m->mask = bigger.mask;
}

struct live *models_get_or_add(struct models *m, uint64_t uid)
{
    struct live *l = models_peek(m, uid);
    if (l)
        return l;
    l = live_new(uid, m->fleet);
    pthread_rwlock_wrlock(&m->lock);
    if (!m->table || m->n * 2 > m->mask)
        grow(m);
    m->table[place_of(m, uid)] = (struct model_place){uid, l};
    m->n++;
    pthread_rwlock_unlock(&m->lock);
    return l;
}

struct live *models_remove(struct models *m, uint64_t uid)
{
    struct live *l = models_peek(m, uid);
    if (!l)
        return NULL;
    pthread_rwlock_wrlock(&m->lock);
    size_t hole = place_of(m, uid);
    m->table[hole] = (struct model_place){0};
    m->n--;
    /* Those that were pushed past the hole move back, so that searches need no tombstones. */
    for (size_t at = (hole + 1) & m->mask; m->table[at].live; at = (at + 1) & m->mask) {
        struct model_place moved = m->table[at];
        m->table[at] = (struct model_place){0};
        m->table[place_of(m, moved.uid)] = moved;
    }
    pthread_rwlock_unlock(&m->lock);
    return l;
}

struct live *models_find(struct models *m, uint64_t uid)
{
    pthread_rwlock_rdlock(&m->lock);
    struct live *l = models_peek(m, uid);
    if (l)
        live_retain(l);
    pthread_rwlock_unlock(&m->lock);
    return l;
}

struct live **models_all(struct models *m, size_t *n)
{
    *n = 0;
    pthread_rwlock_rdlock(&m->lock);
    struct live **list = mem_alloc((m->n + 1) * sizeof(struct live *));
    for (size_t i = 0; m->table && i <= m->mask; i++)
        if (m->table[i].live) {
            live_retain(m->table[i].live);
            list[(*n)++] = m->table[i].live;
        }
    pthread_rwlock_unlock(&m->lock);
    return list;
}

size_t models_count(struct models *m)
{
    pthread_rwlock_rdlock(&m->lock);
    size_t n = m->n;
    pthread_rwlock_unlock(&m->lock);
    return n;
}
