/* cond: condition variables whose waits end by the monotonic clock, so that setting the wall clock
 * neither stretches nor cuts them. Room: base. Threads: [any]. */
#ifndef PADDOCK_BASE_COND_H
#define PADDOCK_BASE_COND_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* As pthread_cond_init(), for waits until a cond_until(). End with pthread_cond_destroy(). */
void cond_init(pthread_cond_t *c);
/* The moment `ms` from now, for pthread_cond_timedwait(). */
struct timespec cond_until(int64_t ms);

#endif
