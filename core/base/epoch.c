#include "base/epoch.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Why it is right. A retired object carries the epoch `t` in which it was retired; the view that
 * replaced it was published before the publisher moved from t to t + 1. A reader that announced
 * epoch r and then still found the clock at r has seen everything published before r began, so it
 * can hold only objects with t >= r. And since its announcement precedes, in the one order of all
 * sequentially consistent operations, its second look at the clock, which precedes the step to
 * r + 1, the publisher that makes this step finds the announcement. Objects with t below the least
 * announced epoch are therefore nobody's. */

#define READERS 256
#define OUTSIDE 0

struct epoch_reader {
    _Alignas(64) atomic_uint_fast64_t inside; /* the epoch entered, or OUTSIDE */
    atomic_bool joined;
    struct epoch *epoch;
};

struct retired {
    struct retired *next;
    uint64_t epoch;
    void *object;
    void (*destroy)(void *object);
};

struct epoch {
    struct epoch_reader readers[READERS];
    _Alignas(64) atomic_uint_fast64_t clock;
    struct retired *oldest, *newest; /* the publisher's */
    size_t count;
};

struct epoch *epoch_new(void)
{
    struct epoch *ep = NULL;
    if (posix_memalign((void **)&ep, _Alignof(struct epoch), sizeof *ep) != 0)
        abort();
    for (int i = 0; i < READERS; i++) {
        atomic_init(&ep->readers[i].inside, OUTSIDE);
        atomic_init(&ep->readers[i].joined, false);
        ep->readers[i].epoch = ep;
    }
    atomic_init(&ep->clock, OUTSIDE + 1);
    ep->oldest = ep->newest = NULL;
    ep->count = 0;
    return ep;
}

/* Destroy what was retired before `limit`; the list is in the order of epochs. */
static void destroy_before(struct epoch *ep, uint64_t limit)
{
    while (ep->oldest && ep->oldest->epoch < limit) {
        struct retired *r = ep->oldest;
        ep->oldest = r->next;
        if (!ep->oldest)
            ep->newest = NULL;
        ep->count--;
        r->destroy(r->object);
        free(r);
    }
}

void epoch_free(struct epoch *ep)
{
    if (!ep)
        return;
    destroy_before(ep, UINT64_MAX);
    free(ep);
}

struct epoch_reader *epoch_join(struct epoch *ep)
{
    for (int i = 0; i < READERS; i++) {
        bool free_slot = false;
        if (atomic_compare_exchange_strong(&ep->readers[i].joined, &free_slot, true))
            return &ep->readers[i];
    }
    return NULL;
}

void epoch_part(struct epoch_reader *r)
{
    atomic_store(&r->inside, OUTSIDE);
    atomic_store(&r->joined, false);
}

void epoch_enter(struct epoch_reader *r)
{
    uint64_t now = atomic_load(&r->epoch->clock), before;
    do {
        before = now;
        atomic_store(&r->inside, before);
        now = atomic_load(&r->epoch->clock);
    } while (now != before);
}

void epoch_leave(struct epoch_reader *r)
{
    atomic_store_explicit(&r->inside, OUTSIDE, memory_order_release);
}

void epoch_retire(struct epoch *ep, void *object, void (*destroy)(void *object))
{
    struct retired *r = mem_alloc(sizeof *r);
    *r = (struct retired){NULL, atomic_load(&ep->clock), object, destroy};
    if (ep->newest)
        ep->newest->next = r;
    else
        ep->oldest = r;
    ep->newest = r;
    ep->count++;
}

void epoch_advance(struct epoch *ep)
{
    uint64_t least = atomic_fetch_add(&ep->clock, 1) + 1;
    for (int i = 0; i < READERS; i++) {
        uint64_t inside = atomic_load(&ep->readers[i].inside);
        if (inside != OUTSIDE && inside < least)
            least = inside;
    }
    destroy_before(ep, least);
}

size_t epoch_retired(const struct epoch *ep)
{
    return ep->count;
}
