#include "support/calls.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const TYPES[] = {"classifier", NULL};
static const char *const NONE[] = {NULL};

const struct rules TEST_RULES = {
    .types = TYPES,
    .protected_aliases = NONE,
    .required_stable = NONE,
    .gate_max_age_seconds = INT64_MIN,
    .gate_max_severity = "medium",
    .nightly_hour_utc = 2,
};

void calls_init(struct calls *calls, struct engine *engine)
{
    *calls = (struct calls){.engine = engine};
    pthread_mutex_init(&calls->lock, NULL);
    pthread_cond_init(&calls->wake, NULL);
}

void calls_release(struct calls *calls)
{
    pthread_mutex_destroy(&calls->lock);
    pthread_cond_destroy(&calls->wake);
}

void calls_wait(struct calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    while (calls->under_way)
        pthread_cond_wait(&calls->wake, &calls->lock);
    pthread_mutex_unlock(&calls->lock);
}

static void answered(struct command *c)
{
    struct call *call = c->owner;
    struct calls *calls = call->calls;
    pthread_mutex_lock(&calls->lock);
    call->order = ++calls->done;
    calls->under_way--;
    pthread_cond_broadcast(&calls->wake);
    pthread_mutex_unlock(&calls->lock);
}

struct call *call_new(struct calls *calls, decide_fn *decide, const char *id, const char *body)
{
    struct call *call = mem_zero(1, sizeof *call);
    struct arena *a = arena_new((size_t)64 << 20);
    if (body)
        call->body = json_read(body, strlen(body), NULL);
    assert_true(!body || call->body);
    call->calls = calls;
    call->c = (struct command){
        .arena = a,
        .ns = "default",
        .actor = {"token", "tester", NULL},
        .request_id = "r-1",
        .if_match = -1,
        .id = arena_text(a, id),
        .body = call->body,
        .decide = decide,
        .done = answered,
        .owner = call,
    };
    return call;
}

void call_send(struct call *call)
{
    struct err e = {0};
    pthread_mutex_lock(&call->calls->lock);
    call->calls->under_way++;
    call->order = 0;
    pthread_mutex_unlock(&call->calls->lock);
    if (!engine_submit(call->calls->engine, &call->c, &e))
        fail_msg("not taken: %s", e.detail);
}

bool call_wait(struct call *call)
{
    call_send(call);
    pthread_mutex_lock(&call->calls->lock);
    while (!call->order)
        pthread_cond_wait(&call->calls->wake, &call->calls->lock);
    pthread_mutex_unlock(&call->calls->lock);
    return call->c.ok;
}

void call_free(struct call *call)
{
    json_decref(call->body);
    arena_free(call->c.arena);
    free(call);
}

void register_model(struct calls *calls, const char *name, int n)
{
    char body[256];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"version\":\"%d\",\"type\":\"classifier\"}",
             name, n);
    struct call *call = call_new(calls, model_register, NULL, body);
    if (!call_wait(call))
        fail_msg("not registered: %s", call->c.err.detail);
    call_free(call);
}
