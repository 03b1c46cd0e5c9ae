/* thread: a thread with a name and a rank. Room: base. Threads: any. */
#ifndef PADDOCK_BASE_THREAD_H
#define PADDOCK_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Who goes first where there are fewer processors than threads with work. A rank is relative to
 * the thread that starts the other: what an operator gives the process (nice(1)) stays. */
enum thread_rank {
    THREAD_LOOP, /* a client waits for each step: at once, and for a short slice of time */
    THREAD_SOON, /* a client waits for what it does: deciding, storing, reading, records */
    THREAD_LATER /* nobody waits for it: rolling up, judging, tidying */
};

/* Start `run(arg)` on a new thread. It takes no signals (they are the main thread's), is called
 * `name` by the system's tools (cut to 15 bytes) and has `rank` before `run` begins; a system that
 * refuses the rank does not keep it from running. false: `e` says why, and there is no thread. */
bool thread_start(pthread_t *thread, const char *name, enum thread_rank rank, void *(*run)(void *),
                  void *arg, struct err *e) MUST_CHECK;
/* The calling thread takes `rank`, unless the system refuses it. */
void thread_rank(enum thread_rank rank);

/* One of some threads that share the processors: those that hardly sleep are seldom placed anew by
 * the kernel, and take turns on one processor while another is free. */
struct thread_place {
    unsigned index, count;   /* 0.. of how many; the rest is zeros at first */
    int64_t now_ns, used_ns; /* as last told */
    bool again, own;         /* was busy; stays on one processor, where there are `count` */
};
/* For each of them to call once it is due, with the time, thread_used_ns(), and whether somebody
 * would suffer: who is busy for two looks keeps a processor of its own where the process may use
 * just as many as there are such threads; others go where their clients are. */
static inline bool thread_place_due(const struct thread_place *p, int64_t now_ns)
{
    return now_ns - p->now_ns >= (p->own ? INT64_C(1000000000) : INT64_C(50000000));
}
void thread_place(struct thread_place *p, int64_t now_ns, int64_t used_ns, bool wanted);
/* Processor time of the calling thread. */
int64_t thread_used_ns(void);

#endif
