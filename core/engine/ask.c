#include "engine/ask.h"

#include <pthread.h>

struct asker {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool done;
};

/* [engine] */
static void wake(struct command *c)
{
    struct asker *a = c->owner;
    pthread_mutex_lock(&a->lock);
    a->done = true;
    pthread_cond_signal(&a->came);
    pthread_mutex_unlock(&a->lock);
}

bool engine_ask(struct engine *en, struct command *c, struct err *e)
{
    struct asker a = {.done = false};
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.came, NULL);
    c->done = wake;
    c->owner = &a;
    bool submitted = engine_submit(en, c, e);
    pthread_mutex_lock(&a.lock);
    while (submitted && !a.done)
        pthread_cond_wait(&a.came, &a.lock);
    pthread_mutex_unlock(&a.lock);
    pthread_cond_destroy(&a.came);
    pthread_mutex_destroy(&a.lock);
    if (submitted && !c->ok && e)
        *e = c->err;
    return submitted && c->ok;
}
