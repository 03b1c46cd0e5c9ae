#include "api/journal_read.h"

#include <pthread.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool done;
};

/* [store] */
static void wake(struct journal_read *r)
{
    struct waiter *w = r->owner;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->came);
    pthread_mutex_unlock(&w->lock);
}

bool journal_read_wait(struct api *api, const struct journal_query *q, struct arena *a,
                       struct journal_read *out, struct err *e)
{
    struct waiter w = {.done = false};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.came, NULL);
    *out = (struct journal_read){.query = *q, .arena = a, .done = wake, .owner = &w};
    api->store->ops->journal(api->store, out);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.came, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.came);
    pthread_mutex_destroy(&w.lock);
    if (out->ok)
        return true;
    *e = out->err;
    return fail(e, out->err.kind ? out->err.kind : &ERR_IO, "the journal cannot be read: %.400s",
                out->err.detail);
}
