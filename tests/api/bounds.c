/* What happens at the server's bounds: keys under way and too many of them, connections, changes of
 * one command, a full disk, the end. Each says so with its own problem, and each passes. */
#include "support/client.h"
#include "support/openapi_check.h"
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define REGISTRY "/api/models/enterprise/registry"
#define NAMES    "/api/models/enterprise/registered-models"

static struct test_server server;
static json_t *openapi;

static void start(const char *const *args)
{
    test_server_init(&server);
    server.args = args;
    assert_true(test_server_start(&server));
}

static int end(void **state)
{
    (void)state;
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

/* --- calls --- */

static bool code_is(const struct client_reply *reply, const char *code)
{
    json_t *json = json_loads(reply->body, 0, NULL);
    const char *got = json_string_value(json_object_get(json, "code"));
    bool same = got && strcmp(got, code) == 0;
    json_decref(json);
    return same;
}

/* One call; its status. With `code`: asserts that the problem is of this kind, with Retry-After if
 * it is to pass. */
static int call(const char *method, const char *path, const char *headers, const char *body,
                const char *code)
{
    struct client_reply reply;
    char all[1024], after[16];
    snprintf(all, sizeof all, "%s%s", body ? "Content-Type: application/json\r\n" : "", headers);
    assert_true(client_call(server.port, method, path, all, body, body ? strlen(body) : 0, &reply));
    int status = reply.status;
    if (code && !code_is(&reply, code))
        fail_msg("%s %s: wanted %s, got %d %s", method, path, code, status, reply.body);
    if (code && strcmp(path, "/healthz") != 0 &&
        !openapi_announces(openapi, method, path, status, code))
        fail_msg("%s %s: %d %s is not announced", method, path, status, code);
    if (status == 503)
        assert_true(client_header(&reply, "Retry-After", after, sizeof after));
    client_reply_release(&reply);
    return status;
}

/* Send one registration on an open connection, without waiting. */
static void send_registration(int fd, const char *name, const char *key)
{
    char text[1024], body[256];
    int len = snprintf(body, sizeof body, "{\"name\":\"%s\",\"type\":\"other\"}", name);
    int n = snprintf(text, sizeof text,
                     "POST " REGISTRY " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     "%s%s%sContent-Length: %d\r\n\r\n%s",
                     key ? "Idempotency-Key: " : "", key ? key : "", key ? "\r\n" : "", len, body);
    assert_true(client_send(fd, text, (size_t)n));
}

/* --- Idempotency-Keys --- */

/* Two with one key at the same time: one registers, the other is told that it is under way or, when
 * it came late, gets the first one's answer. Never are there two models. */
static void a_key_under_way(void **state)
{
    (void)state;
    start((const char *const[]){"--threads", "1", NULL});
    int one = client_connect(server.port), two = client_connect(server.port), seen = 0;
    for (int i = 0; i < 2000 && seen < 3; i++) {
        char key[32];
        struct client_reply a, b;
        snprintf(key, sizeof key, "key-%d", i);
        send_registration(one, key, key);
        send_registration(two, key, key);
        assert_true(client_read(one, false, &a) && client_read(two, false, &b));
        const struct client_reply *refused = a.status == 409 ? &a : b.status == 409 ? &b : NULL;
        const struct client_reply *made = refused == &a ? &b : &a;
        assert_int_equal(made->status, 201);
        if (refused && code_is(refused, "IDEMPOTENCY_KEY_IN_USE"))
            seen++;
        else
            assert_string_equal(a.body, b.body);
        client_reply_release(&a);
        client_reply_release(&b);
    }
    close(one);
    close(two);
    assert_int_equal(seen, 3);
}

static void too_many_keys(void **state)
{
    (void)state;
    start((const char *const[]){"--idempotency-keys-max", "100", NULL});
    for (int i = 0; i < 101; i++) {
        char header[64], body[64];
        snprintf(header, sizeof header, "Idempotency-Key: k%d\r\n", i);
        snprintf(body, sizeof body, "{\"name\":\"n%d\",\"type\":\"other\"}", i);
        bool last = i == 100;
        assert_int_equal(
            call("POST", REGISTRY, header, body, last ? "IDEMPOTENCY_KEYS_FULL" : NULL),
            last ? 503 : 201);
    }
    /* Those that are kept are still answered, and without a key all goes on. */
    assert_int_equal(call("POST", REGISTRY, "Idempotency-Key: k7\r\n",
                          "{\"name\":\"n7\",\"type\":\"other\"}", NULL),
                     201);
    assert_int_equal(call("GET", REGISTRY "/n100:1", "", NULL, "MODEL_NOT_FOUND"), 404);
    assert_int_equal(call("POST", REGISTRY, "", "{\"name\":\"n100\",\"type\":\"other\"}", NULL),
                     201);
}

/* --- connections --- */

static void too_many_connections(void **state)
{
    (void)state;
    start((const char *const[]){"--connections-max", "16", "--connections-per-address", "16",
                                "--threads", "1", NULL});
    int held[16];
    for (int i = 0; i < 16; i++) {
        struct client_reply reply;
        held[i] = client_connect(server.port);
        send_registration(held[i], "held", NULL); /* so that it is accepted for certain */
        assert_true(client_read(held[i], false, &reply));
        client_reply_release(&reply);
    }
    assert_int_equal(call("GET", "/healthz", "", NULL, "OVERLOADED"), 503);
    for (int i = 0; i < 16; i++)
        close(held[i]);
    int status = 503;
    for (int i = 0; i < 200 && status != 200; i++, pause_ms(10))
        status = call("GET", "/healthz", "", NULL, NULL);
    assert_int_equal(status, 200);
}

/* --- one command --- */

#define VERSIONS 4200

static void register_many(void)
{
    enum { AT_ONCE = 64 };
    int fd[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        fd[i] = client_connect(server.port);
    for (int n = 0; n < VERSIONS; n += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            send_registration(fd[i], "many", NULL);
        for (int i = 0; i < AT_ONCE; i++) {
            struct client_reply reply;
            assert_true(client_read(fd[i], false, &reply));
            assert_int_equal(reply.status, 201);
            client_reply_release(&reply);
        }
    }
    for (int i = 0; i < AT_ONCE; i++)
        close(fd[i]);
}

static void too_many_changes_at_once(void **state)
{
    (void)state;
    start(NULL);
    register_many();
    assert_int_equal(call("PATCH", NAMES "/many", "", "{\"name\":\"more\"}", "TOO_MANY_CHANGES"),
                     409);
    assert_int_equal(call("DELETE", NAMES "/many", "", NULL, "TOO_MANY_CHANGES"), 409);
    assert_int_equal(call("GET", NAMES "/more", "", NULL, "REGISTERED_MODEL_NOT_FOUND"), 404);
    assert_int_equal(call("GET", REGISTRY "/many:1", "", NULL, NULL), 200);
}

/* --- a disk that takes no more --- */

static void limit_files(rlim_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};
    assert_int_equal(prlimit(server.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static int patch(const char *text)
{
    char body[64];
    snprintf(body, sizeof body, "{\"description\":\"%s\"}", text);
    return call("PATCH", REGISTRY "/m:1", "", body, NULL);
}

/* The status once the operation works again; it may take the server some seconds to try. */
static int until_works(int (*try)(const char *), const char *arg)
{
    int status = 503;
    for (int i = 0; i < 600 && status == 503; i++, pause_ms(50))
        status = try(arg);
    return status;
}

static int ready(const char *code)
{
    return call("GET", "/readyz", "", NULL, code);
}

static int record(const char *code)
{
    return call("POST", REGISTRY "/m:1/inference", "", "{\"latency_ms\":1}", code);
}

/* A name with a stable and a canary that share its traffic. */
static void begin_rollout(void)
{
    static const struct {
        const char *method, *path, *body;
    } STEPS[] = {
        {"POST", REGISTRY, "{\"name\":\"n\",\"version\":\"1\",\"type\":\"other\"}"},
        {"POST", REGISTRY "/n:1/status", "{\"status\":\"canary\"}"},
        {"POST", REGISTRY "/n:1/status", "{\"status\":\"stable\"}"},
        {"POST", REGISTRY, "{\"name\":\"n\",\"version\":\"2\",\"type\":\"other\"}"},
        {"POST", REGISTRY "/n:2/status", "{\"status\":\"canary\"}"},
        {"PATCH", "/api/models/enterprise/routes/n",
         "{\"strategy\":\"weighted\",\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},"
         "\"params\":{\"weights\":{\"new\":50,\"old\":50}}}"},
    };
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
        assert_in_range(call(STEPS[i].method, STEPS[i].path, "", STEPS[i].body, NULL), 200, 201);
}

/* How many of twenty units the canary serves; each answer says that the store is gone, or not. */
static int canary_serves(bool degraded)
{
    int n = 0;
    for (int i = 0; i < 20; i++) {
        char body[128];
        struct client_reply reply;
        int len = snprintf(body, sizeof body,
                           "{\"model_name\":\"n\",\"context\":{\"targetingKey\":\"u%d\"}}", i);
        assert_true(client_call(server.port, "POST", "/api/models/enterprise/selection",
                                "Content-Type: application/json\r\n", body, (size_t)len, &reply));
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.body, "\"reason\":\"STRATEGY\""));
        assert_non_null(strstr(reply.body, degraded ? "\"degraded\":true" : "\"degraded\":false"));
        n += strstr(reply.body, "\"model_id\":\"n:2\"") != NULL;
        client_reply_release(&reply);
    }
    return n;
}

/* Changes are refused and say so, reads and selections go on; when there is room again so do
 * changes, and nothing that was acknowledged is lost, nothing that was refused is there. */
static void a_full_disk(void **state)
{
    (void)state;
    start(NULL);
    assert_int_equal(
        call("POST", REGISTRY, "", "{\"name\":\"m\",\"version\":\"1\",\"type\":\"other\"}", NULL),
        201);
    assert_int_equal(patch("before"), 200);
    assert_int_equal(record(NULL), 202);
    begin_rollout();
    int canary = canary_serves(false);
    assert_in_range(canary, 1, 19);
    limit_files(1);
    assert_int_equal(
        call("PATCH", REGISTRY "/m:1", "", "{\"description\":\"full\"}", "STORE_UNAVAILABLE"), 503);
    assert_int_equal(call("GET", REGISTRY "/m:1", "", NULL, NULL), 200);
    assert_int_equal(record("STORE_UNAVAILABLE"), 503);
    assert_int_equal(ready("STORE_UNAVAILABLE"), 503);
    assert_int_equal(canary_serves(true), canary);
    assert_int_equal(call("GET", "/healthz", "", NULL, NULL), 200);
    limit_files(RLIM_INFINITY);
    assert_int_equal(until_works(patch, "after"), 200);
    assert_int_equal(until_works(record, NULL), 202);
    assert_int_equal(until_works(ready, NULL), 200);
    assert_int_equal(test_server_end(&server, SIGKILL), -SIGKILL);
    assert_true(test_server_start(&server));
    struct client_reply reply;
    assert_true(client_call(server.port, "GET", REGISTRY "/m:1", "", NULL, 0, &reply));
    assert_non_null(strstr(reply.body, "\"description\":\"after\""));
    assert_non_null(strstr(reply.body, "\"revision\":3"));
    client_reply_release(&reply);
    assert_true(client_call(server.port, "GET", REGISTRY "/m:1/metrics", "", NULL, 0, &reply));
    assert_non_null(strstr(reply.body, "\"lifetime\":{\"total\":2,"));
    client_reply_release(&reply);
}

/* --- the end --- */

/* What was begun is finished, on a connection that then closes; nobody new is let in. */
static void the_end_waits_for_what_has_begun(void **state)
{
    static const char HEAD[] = "POST " REGISTRY " HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n"
                               "Content-Type: application/json\r\n\r\n{\"name\":";
    static const char REST[] = "\"a\",\"type\":\"other\"}";
    (void)state;
    struct client_reply reply;
    start(NULL);
    int fd = client_connect(server.port), idle = client_connect(server.port);
    send_registration(idle, "b", NULL);
    assert_true(client_read(idle, false, &reply));
    client_reply_release(&reply);
    assert_true(client_send(fd, HEAD, strlen(HEAD)));
    pause_ms(100); /* the head has arrived */
    kill(server.pid, SIGTERM);
    char byte;
    assert_true(read(idle, &byte, 1) == 0); /* the idle one is closed: the end has begun */
    int late = 0;
    for (int i = 0; i < 500 && late >= 0; i++, pause_ms(10)) {
        late = client_connect(server.port);
        if (late >= 0)
            close(late); /* another loop's listener */
    }
    assert_true(late < 0);
    assert_true(client_send(fd, REST, strlen(REST)));
    assert_true(client_read(fd, false, &reply));
    assert_int_equal(reply.status, 201);
    assert_true(reply.closed);
    client_reply_release(&reply);
    close(fd);
    close(idle);
    assert_int_equal(test_server_end(&server, 0), 0);
    assert_true(test_server_start(&server));
    assert_int_equal(call("GET", REGISTRY "/a:1", "", NULL, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_key_under_way, end),
        cmocka_unit_test_teardown(too_many_keys, end),
        cmocka_unit_test_teardown(too_many_connections, end),
        cmocka_unit_test_teardown(too_many_changes_at_once, end),
        cmocka_unit_test_teardown(a_full_disk, end),
        cmocka_unit_test_teardown(the_end_waits_for_what_has_begun, end),
    };
    openapi = openapi_read();
    int failed = openapi ? cmocka_run_group_tests_name("bounds", tests, NULL, NULL) : 1;
    json_decref(openapi);
    return failed;
}
