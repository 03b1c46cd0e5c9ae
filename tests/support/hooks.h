/* hooks: a deliverer with a real engine, a real store in memory and a real receiver over HTTP. */
#ifndef PADDOCK_TESTS_SUPPORT_HOOKS_H
#define PADDOCK_TESTS_SUPPORT_HOOKS_H

#include "support/calls.h"

#include "feed/deliver.h"
#include "http/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define HOOKS_GOT_MAX    4096
#define HOOKS_DEADLINE_S 60

/* What the receiver got and took. */
struct got {
    char subject[64], text[64]; /* text: the model's description */
};

struct hooks {
    struct clock clock;
    atomic_llong ahead_ms; /* of the wall clock */
    atomic_llong later_ms; /* of the monotonic clock */
    struct store *store;
    struct engine *engine;
    struct calls calls;
    struct deliveries *deliveries;
    struct deliveries *former[8]; /* freed when the store is closed */
    size_t n_former;
    struct http_server *receiver;
    pthread_mutex_t lock;
    char refused[64]; /* subject that is answered `status`; "*": all */
    int status;
    struct got got[HOOKS_GOT_MAX];
    size_t n, refusals;
};

int hooks_set_up(void **state);
int hooks_tear_down(void **state);
/* Engine and deliverer, as set_up() has started them. */
void hooks_start(struct hooks *t);
void hooks_stop(struct hooks *t);

/* From now on events of a subject ("*": all) are answered `status`; others are taken. */
void hooks_refuse(struct hooks *t, const char *subject, int status);
void hooks_do(struct hooks *t, decide_fn *decide, const char *id, const char *body);
void hooks_make(struct hooks *t, const char *id);
/* An event about the model, whose description is the number. */
void hooks_describe(struct hooks *t, const char *name, unsigned number);

size_t hooks_got(struct hooks *t, const char *subject);
size_t hooks_refusals(struct hooks *t);
struct deliver_stats hooks_stats(struct hooks *t);
/* The numbers of a subject come once each, ascending from 1. */
void hooks_assert_in_order(struct hooks *t, const char *subject);

#define AWAIT(condition)                                           \
    do {                                                           \
        int left = HOOKS_DEADLINE_S * 200;                         \
        for (; !(condition) && left; left--)                       \
            usleep(5000);                                          \
        if (!left)                                                 \
            fail_msg("%d: waited in vain: " #condition, __LINE__); \
    } while (0)

#endif
