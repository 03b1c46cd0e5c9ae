/* thread: a thread with a name and a rank. Room: base. Threads: any. */
#ifndef PADDOCK_BASE_THREAD_H
#define PADDOCK_BASE_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>

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

#endif
