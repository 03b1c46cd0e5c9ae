/* latch: wait for one thing that another thread does. Room: base. Threads: one waits, one opens. */
#ifndef PADDOCK_BASE_LATCH_H
#define PADDOCK_BASE_LATCH_H

#include <pthread.h>
#include <stdbool.h>

struct latch {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool open;
};

void latch_init(struct latch *l);
/* From any thread, once; the waiter may free the latch as soon as it has seen it open. */
void latch_open(struct latch *l);
/* Wait until it is open, and destroy it. */
void latch_wait(struct latch *l);

#endif
