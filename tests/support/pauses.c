#include "support/pauses.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSORS_MAX = 256, PAUSES_MAX = 20000, PERIOD_NS = 250000, LATE_NS = 500000 };

static const int64_t SECOND_NS = 1000000000;

struct pause {
    int64_t from_ns, to_ns;
};

struct watcher {
    struct pauses *all;
    pthread_t thread;
    struct pause *late; /* in order of time */
    size_t count;
};

struct pauses {
    atomic_bool ending;
    int processors;
    struct watcher *watchers;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    int64_t due = now_ns() + PERIOD_NS;
    while (!atomic_load(&w->all->ending)) {
        const struct timespec until = {.tv_sec = due / SECOND_NS, .tv_nsec = due % SECOND_NS};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        const int64_t now = now_ns();
        if (now - due > LATE_NS && w->count < PAUSES_MAX)
            w->late[w->count++] = (struct pause){due, now};
        due = now + PERIOD_NS;
    }
    return NULL;
}

static bool start(struct watcher *w, int processor)
{
    const struct sched_param first = {.sched_priority = 50};
    cpu_set_t there;
    pthread_attr_t attr;
    CPU_ZERO(&there);
    CPU_SET(processor, &there);
    pthread_attr_init(&attr);
    pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
    pthread_attr_setschedparam(&attr, &first);
    pthread_attr_setaffinity_np(&attr, sizeof there, &there);
    w->late = calloc(PAUSES_MAX, sizeof *w->late);
    bool good = w->late && pthread_create(&w->thread, &attr, watch, w) == 0;
    pthread_attr_destroy(&attr);
    return good;
}

static void stop(struct pauses *p, int started)
{
    atomic_store(&p->ending, true);
    for (int i = 0; i < started; i++)
        pthread_join(p->watchers[i].thread, NULL);
}

struct pauses *pauses_watch(void)
{
    cpu_set_t ours;
    struct pauses *p = calloc(1, sizeof *p);
    struct watcher *watchers = calloc(PROCESSORS_MAX, sizeof *watchers);
    if (!p || !watchers || sched_getaffinity(0, sizeof ours, &ours) != 0)
        abort();
    p->watchers = watchers;
    for (int i = 0; i < PROCESSORS_MAX; i++) {
        if (!CPU_ISSET(i, &ours))
            continue;
        struct watcher *w = &p->watchers[p->processors];
        w->all = p;
        if (!start(w, i)) {
            stop(p, p->processors++);
            pauses_free(p);
            return NULL;
        }
        p->processors++;
    }
    return p;
}

void pauses_end(struct pauses *p)
{
    stop(p, p->processors);
}

/* Those that run into the next one become one with it. */
static void widen(struct watcher *w, double by)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct pause p = w->late[i];
        p.to_ns += (int64_t)(by * (double)(p.to_ns - p.from_ns));
        if (kept == 0 || w->late[kept - 1].to_ns < p.from_ns)
            w->late[kept++] = p;
        else if (w->late[kept - 1].to_ns < p.to_ns)
            w->late[kept - 1].to_ns = p.to_ns;
    }
    w->count = kept;
}

void pauses_widen(struct pauses *p, double by)
{
    for (int i = 0; i < p->processors; i++)
        widen(&p->watchers[i], by);
}

/* The first pause of a watcher that ends after `from_ns` begins before `to_ns`. */
static bool met(const struct watcher *w, int64_t from_ns, int64_t to_ns)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (w->late[middle].to_ns <= from_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->count && w->late[low].from_ns < to_ns;
}

bool pauses_met(const struct pauses *p, int64_t from_ns, int64_t to_ns)
{
    bool any = false;
    for (int i = 0; i < p->processors && !any; i++)
        any = met(&p->watchers[i], from_ns, to_ns);
    return any;
}

void pauses_free(struct pauses *p)
{
    for (int i = 0; p && i < p->processors; i++)
        free(p->watchers[i].late);
    if (p)
        free(p->watchers);
    free(p);
}
