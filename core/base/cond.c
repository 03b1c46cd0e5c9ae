#include "base/cond.h"

#define SECOND_NS INT64_C(1000000000)

void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

struct timespec cond_until(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += (time_t)(ms / 1000 + ns / SECOND_NS);
    t.tv_nsec = (long)(ns % SECOND_NS);
    return t;
}

bool cond_rest(pthread_cond_t *c, pthread_mutex_t *lock, const bool *stopping, int64_t ms)
{
    const struct timespec until = cond_until(ms);
    pthread_mutex_lock(lock);
    while (!*stopping && pthread_cond_timedwait(c, lock, &until) == 0)
        ;
    const bool go_on = !*stopping;
    pthread_mutex_unlock(lock);
    return go_on;
}
