#include "support/store_wait.h"

#include <pthread.h>
#include <stdatomic.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t asker;
    bool done;
};

static atomic_uint same_thread;

unsigned wait_same_thread(void)
{
    return atomic_load(&same_thread);
}

static void finish(void *owner)
{
    struct waiter *w = owner;
    pthread_mutex_lock(&w->lock);
    if (pthread_equal(w->asker, pthread_self()))
        atomic_fetch_add(&same_thread, 1);
    w->done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

#define WAITER                                                               \
    {                                                                        \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, \
        .asker = pthread_self(),                                             \
    }

static void wait_for(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
}

#define WAIT(name, type, op)                          \
    static void name##_done(struct type *r)           \
    {                                                 \
        finish(r->owner);                             \
    }                                                 \
    bool wait_##name(struct store *s, struct type *r) \
    {                                                 \
        struct waiter w = WAITER;                     \
        r->done = name##_done;                        \
        r->owner = &w;                                \
        s->ops->op(s, r);                             \
        wait_for(&w);                                 \
        return r->ok;                                 \
    }

WAIT(commit, store_commit, commit)
WAIT(journal, journal_read, journal)
WAIT(append, series_append, append)
WAIT(read, series_read, read)
WAIT(lease, lease_request, lease)
WAIT(key, key_request, key)
WAIT(queue, queue_request, queue)
