/* A server on a real Redis, as its users see it: Redis goes and comes back, the server is killed, a
 * second one joins. */
#include "support/client.h"
#include "support/redis.h"
#include "support/server.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODELS   "/api/models/enterprise/registry"
#define PASSWORD "geheim"

static struct test_redis redis;
static char url[128];

static void be_on_redis(struct test_server *s)
{
    static const char *args[] = {"--redis-url", url, NULL};
    test_server_init(s);
    s->args = args;
}

static struct client_reply ask(const struct test_server *s, const char *method, const char *target,
                               const char *body)
{
    struct client_reply reply = {0};
    const char *headers = *body ? "Content-Type: application/json\r\n" : "";
    if (!client_call(s->port, method, target, headers, body, strlen(body), &reply))
        fail_msg("%s %s: no reply", method, target);
    return reply;
}

static int status_of(const struct test_server *s, const char *method, const char *target,
                     const char *body)
{
    struct client_reply reply = ask(s, method, target, body);
    client_reply_release(&reply);
    return reply.status;
}

static struct client_reply make(const struct test_server *s, const char *name)
{
    char body[128];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"type\":\"classifier\"}", name);
    return ask(s, "POST", MODELS, body);
}

static void assert_refused_at_once(const struct test_server *s, const char *name)
{
    char after[16];
    struct client_reply reply = make(s, name);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.body, "STORE_UNAVAILABLE"));
    assert_true(client_header(&reply, "Retry-After", after, sizeof after));
    client_reply_release(&reply);
}

/* It may take a while until the server has noticed that Redis is back. */
static void make_at_last(const struct test_server *s, const char *name)
{
    int status = 0;
    for (int i = 0; i < 3000 && status != 201; i++) {
        struct client_reply reply = make(s, name);
        status = reply.status;
        client_reply_release(&reply);
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_int_equal(status, 201);
}

/* Each connection to Redis comes back by itself; the last one may take two seconds longer. */
static void ready_at_last(const struct test_server *s)
{
    int status = 0;
    for (int i = 0; i < 3000 && status != 200; i++) {
        status = status_of(s, "GET", "/readyz", "");
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_int_equal(status, 200);
}

static void redis_goes_and_comes_back(void **state)
{
    (void)state;
    struct test_server s;
    be_on_redis(&s);
    assert_true(test_server_start(&s));
    make_at_last(&s, "m");
    test_redis_signal(&redis, SIGKILL);
    for (int i = 0; i < 3; i++)
        assert_refused_at_once(&s, "n");
    assert_int_equal(status_of(&s, "GET", MODELS "/m:1", ""), 200);
    assert_int_equal(status_of(&s, "GET", "/readyz", ""), 503);
    assert_int_equal(status_of(&s, "GET", "/healthz", ""), 200);
    assert_int_equal(status_of(&s, "POST", MODELS "/m:1/inference", "{\"latency_ms\":10}"), 202);
    assert_true(test_redis_start(&redis));
    make_at_last(&s, "n");
    ready_at_last(&s);
    /* Killed itself, it is back at once, with all that it had said yes to. */
    assert_int_equal(test_server_end(&s, SIGKILL), -SIGKILL);
    assert_true(test_server_start(&s));
    assert_int_equal(status_of(&s, "GET", MODELS "/m:1", ""), 200);
    assert_int_equal(status_of(&s, "GET", MODELS "/n:1", ""), 200);
    assert_int_equal(test_server_end(&s, SIGTERM), 0);
    assert_true(test_server_logged(&s, "redis_away"));
    assert_false(test_server_logged(&s, PASSWORD));
    test_server_release(&s);
}

/* Two on one Redis: each shows what the other has written, once it is asked for it by number. */
static void a_second_node_joins(void **state)
{
    (void)state;
    struct test_server first, second;
    char seq[24], target[128];
    be_on_redis(&first);
    be_on_redis(&second);
    assert_true(test_server_start(&first));
    assert_true(test_server_start(&second));
    struct client_reply reply = make(&first, "shared");
    assert_int_equal(reply.status, 201);
    assert_true(client_header(&reply, "Paddock-Seq", seq, sizeof seq));
    client_reply_release(&reply);
    snprintf(target, sizeof target, MODELS "/shared:1?min_seq=%s", seq);
    assert_int_equal(status_of(&second, "GET", target, ""), 200);
    assert_int_equal(status_of(&second, "POST", MODELS,
                               "{\"name\":\"shared\",\"version\":\"1\","
                               "\"type\":\"classifier\"}"),
                     409);
    assert_int_equal(test_server_end(&first, SIGKILL), -SIGKILL);
    make_at_last(&second, "alone");
    assert_true(test_server_start(&first));
    assert_int_equal(status_of(&first, "GET", MODELS "/alone:1", ""), 200);
    assert_int_equal(test_server_end(&first, SIGTERM), 0);
    assert_int_equal(test_server_end(&second, SIGTERM), 0);
    assert_false(test_server_logged(&second, PASSWORD));
    test_server_release(&second);
    test_server_release(&first);
}

static void the_password_is_not_shown(void **state)
{
    (void)state;
    struct test_server s;
    be_on_redis(&s);
    assert_true(test_server_start(&s));
    struct client_reply reply = ask(&s, "GET", "/api/models/enterprise/config", "");
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "\"redis-url\":{\"value\":\"***\""));
    assert_null(strstr(reply.body, PASSWORD));
    client_reply_release(&reply);
    test_server_release(&s);
}

int main(void)
{
    static const char *const ARGS[] = {"--requirepass", PASSWORD, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_goes_and_comes_back),
        cmocka_unit_test(a_second_node_joins),
        cmocka_unit_test(the_password_is_not_shown),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&redis);
    redis.args = ARGS;
    if (!test_redis_start(&redis))
        return 1;
    snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%u/0", PASSWORD, redis.port);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_redis_release(&redis);
    return failed;
}
