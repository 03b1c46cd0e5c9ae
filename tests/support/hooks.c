#include "support/hooks.h"

#include "support/unit.h"

#include "base/json.h"
#include "base/mem.h"
#include "http/request.h"
#include "http/route.h"
#include "registry/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t wall_ms(void *self)
{
    return clock_wall_ms(&CLOCK_SYSTEM) + atomic_load(&((struct hooks *)self)->ahead_ms);
}

static int64_t mono_ns(void *self)
{
    return clock_mono_ns(&CLOCK_SYSTEM) +
           atomic_load(&((struct hooks *)self)->later_ms) * 1000000LL;
}

/* --- the receiver --- */

static void take(struct hooks *t, const json_t *event, int *status)
{
    const char *subject = json_string_value(json_object_get(event, "subject"));
    const json_t *after = json_object_get(json_object_get(event, "data"), "after");
    const char *text = json_string_value(json_object_get(after, "description"));
    pthread_mutex_lock(&t->lock);
    bool refuses = strcmp(t->refused, "*") == 0 || strcmp(t->refused, subject) == 0;
    *status = refuses ? t->status : 204;
    if (refuses) {
        t->refusals++;
    } else if (t->n < HOOKS_GOT_MAX) {
        struct got *g = &t->got[t->n++];
        snprintf(g->subject, sizeof g->subject, "%s", subject);
        snprintf(g->text, sizeof g->text, "%s", text ? text : "");
    }
    pthread_mutex_unlock(&t->lock);
}

static void hook(struct request *rq)
{
    size_t len;
    int status = 400;
    const char *body = request_body(rq, &len);
    json_t *event = json_read(body, len, NULL);
    if (event)
        take(request_app(rq), event, &status);
    json_decref(event);
    request_reply(rq, status, NULL, "", 0);
}

static const struct route ROUTES_OF_RECEIVER[] = {
    {.method = METHOD_POST,
     .path = "/hook",
     .operation = "hook",
     .handle = hook,
     .flags = ROUTE_PUBLIC | ROUTE_HIDDEN,
     .consumes = "application/cloudevents+json",
     .tag = "Test",
     .doc = "Takes events.",
     .responses = "204"},
    {.path = NULL},
};

void hooks_refuse(struct hooks *t, const char *subject, int status)
{
    pthread_mutex_lock(&t->lock);
    snprintf(t->refused, sizeof t->refused, "%s", subject);
    t->status = status;
    pthread_mutex_unlock(&t->lock);
}

/* --- the server's side --- */

void hooks_start(struct hooks *t)
{
    struct err e = {0};
    const struct engine_config config = {
        .store = t->store, .clock = &t->clock, .rules = &TEST_RULES};
    t->engine = engine_start(&config, &e);
    if (!t->engine)
        fail_msg("%s", e.detail);
    calls_init(&t->calls, t->engine);
    const struct deliver_config deliver = {.store = t->store,
                                           .engine = t->engine,
                                           .clock = &t->clock,
                                           .holder = "test",
                                           .allow_private = true};
    t->deliveries = deliver_open(&deliver, &e);
    assert_non_null(t->deliveries);
    if (!deliver_start(t->deliveries, &e))
        fail_msg("%s", e.detail);
}

void hooks_stop(struct hooks *t)
{
    deliver_stop(t->deliveries);
    calls_release(&t->calls);
    engine_stop(t->engine);
    t->former[t->n_former++] = t->deliveries;
}

void hooks_do(struct hooks *t, decide_fn *decide, const char *id, const char *body)
{
    struct call *call = call_new(&t->calls, decide, id, body);
    if (decide != model_patch)
        call->c.args = (void *)(uintptr_t)&WEBHOOK_TYPE;
    if (!call_wait(call))
        fail_msg("%s", call->c.err.detail);
    call_free(call);
}

void hooks_make(struct hooks *t, const char *id)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"webhook_id\":\"%s\",\"url\":\"http://127.0.0.1:%u/hook\","
             "\"events\":[\"model.updated\"],"
             "\"secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}",
             id, http_port(t->receiver));
    hooks_do(t, document_create, NULL, body);
}

void hooks_describe(struct hooks *t, const char *name, unsigned number)
{
    char id[64], body[64];
    snprintf(id, sizeof id, "%s:1", name);
    snprintf(body, sizeof body, "{\"description\":\"%u\"}", number);
    hooks_do(t, model_patch, id, body);
}

size_t hooks_got(struct hooks *t, const char *subject)
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++)
        n += strcmp(t->got[i].subject, subject) == 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

size_t hooks_refusals(struct hooks *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->refusals;
    pthread_mutex_unlock(&t->lock);
    return n;
}

struct deliver_stats hooks_stats(struct hooks *t)
{
    struct deliver_stats s;
    deliver_stats(t->deliveries, &s);
    return s;
}

void hooks_assert_in_order(struct hooks *t, const char *subject)
{
    unsigned next = 1;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->got[i].subject, subject) == 0)
            assert_int_equal(strtoul(t->got[i].text, NULL, 10), next++);
    pthread_mutex_unlock(&t->lock);
}

int hooks_set_up(void **state)
{
    struct err e = {0};
    struct hooks *t = mem_zero(1, sizeof *t);
    const struct http_config config = {.listen = "127.0.0.1:0",
                                       .threads = 1,
                                       .routes = ROUTES_OF_RECEIVER,
                                       .clock = &CLOCK_SYSTEM,
                                       .app = t};
    t->clock = (struct clock){wall_ms, mono_ns, t};
    pthread_mutex_init(&t->lock, NULL);
    t->receiver = http_start(&config, &e);
    if (!t->receiver)
        fail_msg("%s", e.detail);
    t->store = store_memory_open(&t->clock);
    hooks_start(t);
    *state = t;
    return 0;
}

int hooks_tear_down(void **state)
{
    struct hooks *t = *state;
    hooks_stop(t);
    http_drain(t->receiver, 1000);
    http_join(t->receiver);
    http_free(t->receiver);
    t->store->ops->close(t->store);
    while (t->n_former)
        deliver_free(t->former[--t->n_former]);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return 0;
}
