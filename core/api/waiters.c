#include "api/waiters.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LOOPS_MAX 64

struct place {
    struct mail wake; /* first; posted at most once at a time: `waking` */
    struct loop *loop;
    void (*come)(struct loop *l);
    atomic_bool wanted, waking;
};

struct waiters {
    _Atomic(struct place *) places[LOOPS_MAX];
};

struct waiters *waiters_new(void)
{
    return mem_zero(1, sizeof(struct waiters));
}

void waiters_free(struct waiters *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < LOOPS_MAX; i++)
        free(atomic_load(&w->places[i]));
    free(w);
}

static void wake(struct place *p)
{
    if (p && atomic_exchange(&p->wanted, false) && !atomic_exchange(&p->waking, true))
        loop_post_answer(p->loop, &p->wake);
}

static void wake_all(struct waiters *w)
{
    for (size_t i = 0; i < LOOPS_MAX; i++)
        wake(atomic_load_explicit(&w->places[i], memory_order_acquire));
}

static void published(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v)
{
    (void)entries, (void)n, (void)v;
    wake_all(self);
}

static void anew(void *self, uint64_t seq, const struct view *v)
{
    (void)seq, (void)v;
    wake_all(self);
}

struct publish_listener waiters_listener(struct waiters *w)
{
    return (struct publish_listener){.published = published, .anew = anew, .self = w};
}

/* [loop] */
static void woken(struct mail *mail)
{
    struct place *p = (struct place *)(void *)mail;
    atomic_store(&p->waking, false);
    p->come(p->loop);
}

void waiters_wait(struct waiters *w, struct loop *l, void (*come)(struct loop *l))
{
    unsigned index = loop_index(l) % LOOPS_MAX;
    struct place *p = atomic_load_explicit(&w->places[index], memory_order_acquire);
    if (!p) {
        p = mem_zero(1, sizeof *p);
        p->wake.run = woken;
        p->loop = l;
        p->come = come;
        atomic_store_explicit(&w->places[index], p, memory_order_release);
    }
    atomic_store(&p->wanted, true);
}

void waiters_wake(struct waiters *w, const struct loop *l)
{
    wake(atomic_load_explicit(&w->places[loop_index(l) % LOOPS_MAX], memory_order_acquire));
}
