/* calls: an engine to send commands to, and commands that can be waited for. */
#ifndef PADDOCK_TESTS_CALLS_H
#define PADDOCK_TESTS_CALLS_H

#include "engine/engine.h"
#include "registry/command.h"
#include "support/unit.h"

#include <pthread.h>
#include <stdbool.h>

typedef bool decide_fn(struct command *c, struct head *h, struct changes *out, struct err *e);

/* Waits for any number of commands. */
struct calls {
    struct engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    size_t under_way, done;
};
void calls_init(struct calls *calls, struct engine *engine);
void calls_release(struct calls *calls);
void calls_wait(struct calls *calls);

struct call {
    struct command c;
    json_t *body;
    struct calls *calls;
    size_t order; /* 1: the first of them that was answered */
};
/* A command for `id` with a JSON body (NULL: none), not sent yet. */
struct call *call_new(struct calls *calls, decide_fn *decide, const char *id, const char *body);
/* Send it; fails the test when the engine refuses to take it. */
void call_send(struct call *call);
/* Send it and wait for it alone. Returns c.ok. */
bool call_wait(struct call *call);
void call_free(struct call *call);

/* Register version `n` of `name`: id "name:n". Waits and demands success. */
void register_model(struct calls *calls, const char *name, int n);

/* The rules that the tests decide by. */
extern const struct rules TEST_RULES;

#endif
