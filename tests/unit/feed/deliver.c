/* The deliverer with a real engine, a real store in memory and a real receiver over HTTP. */
#include "feed/deliver.h"

#include "support/calls.h"
#include "support/unit.h"

#include "base/json.h"
#include "base/mem.h"
#include "feed/lanes.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"
#include "registry/alert.h"
#include "registry/webhook.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOT_MAX    4096
#define DEADLINE_S 60

/* What the receiver got and took. */
struct got {
    char subject[64], text[64]; /* text: the model's description */
};

struct test {
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
    struct got got[GOT_MAX];
    size_t n, refusals;
};

static int64_t wall_ms(void *self)
{
    return clock_wall_ms(&CLOCK_SYSTEM) + atomic_load(&((struct test *)self)->ahead_ms);
}

static int64_t mono_ns(void *self)
{
    return clock_mono_ns(&CLOCK_SYSTEM) + atomic_load(&((struct test *)self)->later_ms) * 1000000LL;
}

/* --- the receiver --- */

static void take(struct test *t, const json_t *event, int *status)
{
    const char *subject = json_string_value(json_object_get(event, "subject"));
    const json_t *after = json_object_get(json_object_get(event, "data"), "after");
    const char *text = json_string_value(json_object_get(after, "description"));
    pthread_mutex_lock(&t->lock);
    bool refuses = strcmp(t->refused, "*") == 0 || strcmp(t->refused, subject) == 0;
    *status = refuses ? t->status : 204;
    if (refuses) {
        t->refusals++;
    } else if (t->n < GOT_MAX) {
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

static void refuse(struct test *t, const char *subject, int status)
{
    pthread_mutex_lock(&t->lock);
    snprintf(t->refused, sizeof t->refused, "%s", subject);
    t->status = status;
    pthread_mutex_unlock(&t->lock);
}

/* --- the server's side --- */

static void start_all(struct test *t)
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

static void stop_all(struct test *t)
{
    deliver_stop(t->deliveries);
    calls_release(&t->calls);
    engine_stop(t->engine);
    t->former[t->n_former++] = t->deliveries;
}

static void do_it(struct test *t, decide_fn *decide, const char *id, const char *body)
{
    struct call *call = call_new(&t->calls, decide, id, body);
    if (decide != model_patch)
        call->c.args = (void *)(uintptr_t)&WEBHOOK_TYPE;
    if (!call_wait(call))
        fail_msg("%s", call->c.err.detail);
    call_free(call);
}

static void make_webhook(struct test *t, const char *id)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"webhook_id\":\"%s\",\"url\":\"http://127.0.0.1:%u/hook\","
             "\"events\":[\"model.updated\"],"
             "\"secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}",
             id, http_port(t->receiver));
    do_it(t, document_create, NULL, body);
}

static void describe(struct test *t, const char *name, unsigned number)
{
    char id[64], body[64];
    snprintf(id, sizeof id, "%s:1", name);
    snprintf(body, sizeof body, "{\"description\":\"%u\"}", number);
    do_it(t, model_patch, id, body);
}

static bool enabled(struct test *t, const char *id)
{
    struct view_reader *reader = engine_join(t->engine);
    const struct document *d = view_document(view_enter(reader), &WEBHOOK_TYPE, "default", id);
    bool is = d && webhook_of(d)->enabled;
    view_leave(reader);
    engine_part(reader);
    return is;
}

/* Is there an alert that a webhook keeps failing, whose sentence has `part`? */
static bool alerted(struct test *t, const char *id, const char *part)
{
    char key[64];
    struct view_reader *reader = engine_join(t->engine);
    snprintf(key, sizeof key, "webhook_failing:%s", id);
    const struct alert *a = view_alert_open(view_enter(reader), "default", key);
    bool is = a && strstr(a->summary, part);
    view_leave(reader);
    engine_part(reader);
    return is;
}

/* --- waiting --- */

static size_t got_of(struct test *t, const char *subject)
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++)
        n += strcmp(t->got[i].subject, subject) == 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static size_t refusals(struct test *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->refusals;
    pthread_mutex_unlock(&t->lock);
    return n;
}

#define AWAIT(condition)                                           \
    do {                                                           \
        int left = DEADLINE_S * 200;                               \
        for (; !(condition) && left; left--)                       \
            usleep(5000);                                          \
        if (!left)                                                 \
            fail_msg("%d: waited in vain: " #condition, __LINE__); \
    } while (0)

static struct deliver_stats stats_of(struct test *t)
{
    struct deliver_stats s;
    deliver_stats(t->deliveries, &s);
    return s;
}

/* The numbers of a subject come once each, ascending from 1. */
static void assert_in_order(struct test *t, const char *subject)
{
    unsigned next = 1;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->got[i].subject, subject) == 0)
            assert_int_equal(strtoul(t->got[i].text, NULL, 10), next++);
    pthread_mutex_unlock(&t->lock);
}

/* --- tests --- */

static void each_model_in_order(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    refuse(t, "a", 500);
    for (unsigned i = 1; i <= 40; i++) {
        describe(t, "a", i);
        describe(t, "b", i);
    }
    AWAIT(got_of(t, "b") == 40);
    AWAIT(refusals(t) >= 2);
    AWAIT(stats_of(t).pending == 40);
    assert_int_equal(got_of(t, "a"), 0);
    refuse(t, "", 0);
    AWAIT(got_of(t, "a") == 40);
    AWAIT(stats_of(t).delivered == 80);
    assert_in_order(t, "a");
    assert_in_order(t, "b");
    AWAIT(stats_of(t).pending == 0 && stats_of(t).lanes == 0);
}

static void a_restart_loses_nothing(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    refuse(t, "*", 503);
    for (unsigned i = 1; i <= 3 * LANE_KEPT; i++)
        describe(t, "a", i);
    describe(t, "b", 1);
    AWAIT(stats_of(t).pending == 3 * LANE_KEPT + 1 && refusals(t) >= 2);
    stop_all(t);
    start_all(t);
    describe(t, "b", 2);
    AWAIT(stats_of(t).pending == 3 * LANE_KEPT + 2);
    refuse(t, "", 0);
    AWAIT(got_of(t, "a") == 3 * LANE_KEPT && got_of(t, "b") == 2);
    assert_in_order(t, "a");
    assert_in_order(t, "b");
    AWAIT(stats_of(t).pending == 0);
    stop_all(t);
    start_all(t);
    describe(t, "b", 3);
    AWAIT(got_of(t, "b") == 3); /* and nothing came twice */
    assert_int_equal(got_of(t, "a"), 3 * LANE_KEPT);
    assert_in_order(t, "b");
}

static void given_up_after_a_day(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    refuse(t, "*", 500);
    describe(t, "a", 1);
    AWAIT(refusals(t) >= 1);
    assert_int_equal(stats_of(t).failed, 0);
    atomic_store(&t->ahead_ms, DELIVER_FOR_MS);
    describe(t, "a", 2);
    AWAIT(stats_of(t).failed == 1);
    refuse(t, "", 0);
    AWAIT(got_of(t, "a") == 1);
    assert_string_equal(t->got[0].text, "2");
}

static void gone_disables(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    refuse(t, "*", 410);
    describe(t, "a", 1);
    AWAIT(!enabled(t, "all"));
    AWAIT(stats_of(t).failed == 1);
    AWAIT(alerted(t, "all", "410 Gone"));
    describe(t, "a", 2); /* not wanted while it is disabled */
    AWAIT(stats_of(t).behind == 0);
    refuse(t, "", 0);
    do_it(t, document_patch, "all", "{\"enabled\":true}");
    describe(t, "a", 3);
    AWAIT(got_of(t, "a") == 1);
    assert_string_equal(t->got[0].text, "3");
    AWAIT(!alerted(t, "all", ""));
}

/* The n-th. The clock may have been put forward just before the one before was noted, and the next
 * attempt is later still: then once more. */
static void await_refusal(struct test *t, size_t n)
{
    for (int i = 1; refusals(t) < n; i++) {
        if (i == DEADLINE_S * 200)
            fail_msg("waited in vain for refusal %zu", n);
        if (i % 200 == 0)
            atomic_fetch_add(&t->later_ms, 600000);
        usleep(5000);
    }
}

/* The events of `a` are refused again and again, those of `b` arrive: one of them is enough for an
 * alert, and its arrival for its end. */
static void keeps_failing(void **state)
{
    struct test *t = *state;
    unsigned n = 0;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    refuse(t, "a", 500);
    describe(t, "a", 1);
    for (size_t attempt = 1; attempt <= 10; attempt++) {
        await_refusal(t, attempt);
        assert_true(attempt > 9 || !alerted(t, "all", ""));
        atomic_fetch_add(&t->later_ms, 600000);
        describe(t, "b", ++n);
        AWAIT(got_of(t, "b") == n);
    }
    AWAIT(alerted(t, "all", "keeps failing: 10 attempts of one event"));
    assert_true(alerted(t, "all", "the receiver answered 500"));
    describe(t, "b", ++n); /* arrives, but the other one still does not */
    AWAIT(got_of(t, "b") == n);
    assert_true(alerted(t, "all", ""));
    refuse(t, "", 0);
    atomic_fetch_add(&t->later_ms, 600000);
    describe(t, "b", ++n);
    AWAIT(got_of(t, "a") == 1);
    AWAIT(!alerted(t, "all", ""));
}

/* Nobody waits for a webhook that is no more. */
static void deletion_ends_the_alert(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    refuse(t, "*", 410);
    describe(t, "a", 1);
    AWAIT(alerted(t, "all", "410 Gone"));
    do_it(t, document_delete, "all", NULL);
    assert_false(alerted(t, "all", ""));
}

static void deleted_with_what_waits(void **state)
{
    struct test *t = *state;
    make_webhook(t, "all");
    register_model(&t->calls, "a", 1);
    refuse(t, "*", 500);
    for (unsigned i = 1; i <= 2 * LANE_KEPT; i++)
        describe(t, "a", i);
    AWAIT(refusals(t) >= 1 && stats_of(t).pending == 2 * LANE_KEPT);
    do_it(t, document_delete, "all", NULL);
    AWAIT(stats_of(t).pending == 0 && stats_of(t).lanes == 0);
    assert_int_equal(stats_of(t).dropped, 2 * LANE_KEPT);
    refuse(t, "", 0);
    make_webhook(t, "all"); /* the same id is another webhook */
    describe(t, "a", 99);
    AWAIT(got_of(t, "a") == 1);
    assert_string_equal(t->got[0].text, "99");
}

struct waited {
    struct deliver_test test; /* first */
    atomic_bool done;
};

static void test_done(struct deliver_test *test)
{
    atomic_store(&((struct waited *)(void *)test)->done, true);
}

static void tests_tell(void **state)
{
    struct test *t = *state;
    struct err e = {0};
    struct waited w = {.test = {.ns = "default", .id = "all", .done = test_done}};
    assert_true(deliver_test(t->deliveries, &w.test, &e));
    AWAIT(atomic_load(&w.done));
    assert_false(w.test.found);
    make_webhook(t, "all");
    w = (struct waited){.test = {.ns = "default", .id = "all", .done = test_done}};
    assert_true(deliver_test(t->deliveries, &w.test, &e));
    AWAIT(atomic_load(&w.done));
    assert_true(w.test.found);
    assert_int_equal(w.test.outcome.status, 204);
    assert_int_equal(got_of(t, "all"), 1);
}

static int set_up(void **state)
{
    struct err e = {0};
    struct test *t = mem_zero(1, sizeof *t);
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
    start_all(t);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct test *t = *state;
    stop_all(t);
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_model_in_order), TEST(a_restart_loses_nothing), TEST(given_up_after_a_day),
        TEST(gone_disables),       TEST(deleted_with_what_waits), TEST(tests_tell),
        TEST(keeps_failing),       TEST(deletion_ends_the_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
