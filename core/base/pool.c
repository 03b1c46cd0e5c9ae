#include "base/pool.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct mail *oldest, *newest;
    size_t waiting, limit;
    bool stopping;
    unsigned threads;
    pthread_t thread[];
};

/* Wait for a job; NULL when the pool stops and nothing is left. */
static struct mail *next_job(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->oldest && !p->stopping)
        pthread_cond_wait(&p->more, &p->lock);
    struct mail *job = p->oldest;
    if (job) {
        p->oldest = job->next;
        if (!p->oldest)
            p->newest = NULL;
        p->waiting--;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

static void *work(void *arg)
{
    struct pool *p = arg;
    struct mail *job;
    while ((job = next_job(p)))
        job->run(job);
    return NULL;
}

struct pool *pool_start(const char *name, unsigned threads, size_t limit, struct err *e)
{
    struct pool *p = mem_zero(1, sizeof *p + threads * sizeof p->thread[0]);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->limit = limit;
    for (; p->threads < threads; p->threads++) {
        if (thread_start(&p->thread[p->threads], name, THREAD_SOON, work, p, e))
            continue;
        pool_stop(p);
        return NULL;
    }
    return p;
}

bool pool_submit(struct pool *p, struct mail *job)
{
    pthread_mutex_lock(&p->lock);
    bool taken = !p->stopping && p->waiting < p->limit;
    if (taken) {
        job->next = NULL;
        if (p->newest)
            p->newest->next = job;
        else
            p->oldest = job;
        p->newest = job;
        p->waiting++;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return taken;
}

void pool_close(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    p->threads = 0;
}

void pool_stop(struct pool *p)
{
    if (!p)
        return;
    pool_close(p);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t pool_waiting(const struct pool *p)
{
    struct pool *own = (struct pool *)p; /* locking does not change what the caller sees */
    pthread_mutex_lock(&own->lock);
    size_t n = own->waiting;
    pthread_mutex_unlock(&own->lock);
    return n;
}
