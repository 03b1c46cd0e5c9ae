/* store_double: a store in front of another one, whose commits a test can hold back, fail, or be
 * overtaken by. */
#ifndef PADDOCK_TESTS_STORE_DOUBLE_H
#define PADDOCK_TESTS_STORE_DOUBLE_H

#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>

struct store_double {
    struct store store; /* first: hand this to the engine */
    struct store_ops ops;
    struct store *inner;
    pthread_mutex_t lock;
    bool failing, holding;
    void (*before_commit)(struct store_double *d); /* or NULL; cleared by its call */
    struct store_commit *held;
    unsigned commits;
};

void store_double_init(struct store_double *d, struct store *inner);
void store_double_release(struct store_double *d);
/* Every commit fails with ERR_IO from now on, or no longer. */
void store_double_fail(struct store_double *d, bool failing);
/* Commits wait; letting go hands the waiting one on. */
void store_double_hold(struct store_double *d, bool holding);
/* Wait until a commit is held. */
void store_double_await(struct store_double *d);
unsigned store_double_commits(struct store_double *d);

#endif
