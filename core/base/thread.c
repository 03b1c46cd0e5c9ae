#include "base/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* struct sched_attr of sched_setattr(2), which the C library does not have. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
_Static_assert(sizeof(struct attributes) == 48, "the first version of the structure");

/* Since Linux 6.12 a thread that asks for a short slice need not wait, when it wakes, for the end
 * of the milliseconds that threads with long work are given; older kernels take no notice. */
enum { LOOP_SLICE_NS = 200 * 1000, SOON_NICE = 5, LATER_NICE = 15 };

/* Who uses an eighth of a processor gets one of its own, until it is less than a sixteenth. */
enum { OWN_SHARE = 8, LEAVE_SHARE = 16 };

struct start {
    void *(*run)(void *);
    void *arg;
    enum thread_rank rank;
};

void thread_rank(enum thread_rank rank)
{
    const int policy = sched_getscheduler(0); /* an operator may have chosen another: chrt(1) */
    if (policy != SCHED_OTHER && policy != SCHED_BATCH)
        return;
    static const int NICE[] = {
        [THREAD_LOOP] = 0, [THREAD_SOON] = SOON_NICE, [THREAD_LATER] = LATER_NICE};
    const struct attributes a = {.size = sizeof a,
                                 .policy = (uint32_t)policy,
                                 .nice = getpriority(PRIO_PROCESS, (id_t)gettid()) + NICE[rank],
                                 .runtime = rank == THREAD_LOOP ? LOOP_SLICE_NS : 0};
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

/* On the processor of its own, or where there is room. What the process may use is asked each time:
 * an operator may change it (taskset(1)). The main thread always has just that. */
static void move(const struct thread_place *p)
{
    cpu_set_t ours, own;
    unsigned seen = 0;
    if (sched_getaffinity(getpid(), sizeof ours, &ours) != 0)
        return;
    CPU_ZERO(&own);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &ours) && seen++ == p->index)
            CPU_SET(i, &own);
    (void)sched_setaffinity(0, sizeof ours, p->own && seen == p->count ? &own : &ours);
}

void thread_place(struct thread_place *p, int64_t now_ns, int64_t used_ns, bool wanted)
{
    const int64_t passed = now_ns - p->now_ns, used = used_ns - p->used_ns;
    const bool busy = wanted && used > passed / (p->own ? LEAVE_SHARE : OWN_SHARE);
    const bool own = busy && (p->own || p->again);
    p->now_ns = now_ns;
    p->used_ns = used_ns;
    p->again = busy;
    if (own == p->own)
        return;
    p->own = own;
    move(p);
}

int64_t thread_used_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *begin(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    thread_rank(s.rank);
    return s.run(s.arg);
}

bool thread_start(pthread_t *thread, const char *name, enum thread_rank rank, void *(*run)(void *),
                  void *arg, struct err *e)
{
    sigset_t all, before;
    struct start *s = mem_zero(1, sizeof *s);
    *s = (struct start){.run = run, .arg = arg, .rank = rank};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int why = pthread_create(thread, NULL, begin, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (why != 0) {
        free(s);
        errno = why;
        return fail_errno(e, &ERR_INTERNAL, "cannot start the thread '%s'", name);
    }
    char cut[16] = ""; /* the kernel's limit */
    memcpy(cut, name, strnlen(name, sizeof cut - 1));
    pthread_setname_np(*thread, cut);
    return true;
}
