/* cond: condition variables whose waits end by the monotonic clock, so that setting the wall clock
 * neither stretches nor cuts them. Room: base. Threads: [any]. */
#ifndef PADDOCK_BASE_COND_H
#define PADDOCK_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* As pthread_cond_init(), for waits until a cond_until(). End with pthread_cond_destroy(). */
void cond_init(pthread_cond_t *c);
/* The moment `ms` from now, for pthread_cond_timedwait(). */
struct timespec cond_until(int64_t ms);
/* Rest for `ms`, or until `*stopping`: for a thread that does its round every so often. `lock`
 * guards `stopping`, and whoever sets it signals `c`. False: it is time to stop. */
bool cond_rest(pthread_cond_t *c, pthread_mutex_t *lock, const bool *stopping, int64_t ms);

#endif
