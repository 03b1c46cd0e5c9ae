/* OFREP's stream that tells clients to fetch their flags again: who may listen, what is told, and
 * that nothing is missed between an answer and its stream. */
#include "support/client.h"
#include "support/events.h"
#include "support/server.h"
#include "support/unit.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASE "/api/models/enterprise"
#define FLAG "{\"key\":\"f\",\"variants\":{\"on\":true,\"off\":false},\"default_variant\":\"on\"}"

static struct test_server server;
static char token[128]; /* a header line, or "" */

static int end(void **state)
{
    (void)state;
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

static void begin(const char *const *args)
{
    token[0] = '\0';
    test_server_init(&server);
    server.args = args;
    assert_true(test_server_start(&server));
}

static void ask(const char *method, const char *path, const char *headers, const char *body,
                struct client_reply *reply)
{
    char all[512];
    snprintf(all, sizeof all, "Content-Type: application/json\r\n%s%s", token, headers);
    assert_true(client_call(server.port, method, path, all, body, strlen(body), reply));
}

static int call(const char *method, const char *path, const char *headers, const char *body)
{
    struct client_reply reply;
    ask(method, path, headers, body, &reply);
    int status = reply.status;
    client_reply_release(&reply);
    return status;
}

/* What the bulk answer says where to listen. */
static void stream_of(const char *headers, char *out, size_t size)
{
    struct client_reply reply;
    ask("POST", "/ofrep/v1/evaluate/flags", headers, "{}", &reply);
    assert_int_equal(reply.status, 200);
    json_t *answer = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL), *list, *first;
    list = json_object_get(answer, "eventStreams");
    first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(first, "type")), "sse");
    const json_t *endpoint = json_object_get(first, "endpoint");
    snprintf(out, size, "%s", json_string_value(json_object_get(endpoint, "requestUri")));
    json_decref(answer);
    client_reply_release(&reply);
}

static void listen_to(struct events *e, const char *target, const char *headers)
{
    if (!events_open(e, server.port, target, headers, 0))
        fail_msg("%s: %s", target, e->head);
}

/* The next event tells to fetch again, and what it names can be waited for. */
static void told(struct events *e)
{
    char path[128];
    assert_true(events_next(e, NULL));
    json_t *data = json_loads(e->data, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(data, "type")), "refetchEvaluation");
    assert_true(json_is_integer(json_object_get(data, "lastModified")));
    snprintf(path, sizeof path, "/ofrep/v1/evaluate/flags?flagConfigEtag=%s",
             json_string_value(json_object_get(data, "etag")));
    json_decref(data);
    assert_int_equal(call("POST", path, "", "{}"), 200);
}

static void each_kind_of_change(void **state)
{
    (void)state;
    static const char *const CHANGES[][3] = {
        {"PATCH", BASE "/flags/f", "{\"default_variant\":\"off\"}"},
        {"POST", BASE "/segments", "{\"segment\":\"s\",\"units\":[\"u1\"]}"},
        {"POST", BASE "/layers", "{\"layer\":\"l\"}"},
        {"DELETE", BASE "/flags/f", ""},
    };
    struct events e, other;
    char target[800];
    begin(NULL);
    assert_int_equal(call("POST", BASE "/flags", "", FLAG), 201);
    stream_of("Paddock-Namespace: odds\r\n", target, sizeof target);
    listen_to(&other, target, ""); /* the ticket says where, not the header */
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        if (i)
            events_close(&e);
        stream_of("", target, sizeof target);
        listen_to(&e, target, "");
        assert_in_range(call(CHANGES[i][0], CHANGES[i][1], "", CHANGES[i][2]), 200, 204);
        told(&e);
    }
    assert_int_equal(
        call("POST", BASE "/registry", "", "{\"name\":\"m\",\"version\":\"1\",\"type\":\"other\"}"),
        201);
    events_silent(&e);
    events_silent(&other);
    events_close(&e);
    events_close(&other);
}

static void change(const char *method, const char *path, const char *body)
{
    int status = call(method, path, "", body);
    if (status < 200 || status > 204)
        fail_msg("%s %s: %d", method, path, status);
}

/* The flags stay as they are; who serves behind one of them does not. */
static void models_behind_flags(void **state)
{
    (void)state;
    static const char *const BEFORE[][3] = {
        {"POST", BASE "/registry", "{\"name\":\"m\",\"version\":\"1\",\"type\":\"other\"}"},
        {"POST", BASE "/registry", "{\"name\":\"m\",\"version\":\"2\",\"type\":\"other\"}"},
        {"POST", BASE "/registry/m:1/status", "{\"status\":\"canary\"}"},
        {"POST", BASE "/registry/m:2/status", "{\"status\":\"canary\"}"},
        {"PUT", BASE "/registered-models/m/aliases/best", "{\"model_id\":\"m:1\"}"},
        {"POST", BASE "/flags", FLAG},
        {"PUT", BASE "/routes/m",
         "{\"arms\":{\"on\":\"@best\",\"off\":\"@stable\"},\"flag\":\"f\"}"},
    };
    static const char *const CHANGES[][3] = {
        {"PUT", BASE "/registered-models/m/aliases/best", "{\"model_id\":\"m:2\"}"},
        {"POST", BASE "/registry/m:1/status", "{\"status\":\"stable\"}"},
    };
    struct events e;
    char target[800];
    begin(NULL);
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++)
        change(BEFORE[i][0], BEFORE[i][1], BEFORE[i][2]);
    stream_of("", target, sizeof target);
    listen_to(&e, target, "");
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        change(CHANGES[i][0], CHANGES[i][1], CHANGES[i][2]);
        told(&e);
    }
    events_close(&e);
}

/* Between the answer and the stream, and while the stream was away. */
static void nothing_is_missed(void **state)
{
    (void)state;
    struct events e;
    char target[800], last[64];
    begin((const char *const[]){"--cors-origins", "https://app.example.com", NULL});
    stream_of("", target, sizeof target);
    assert_int_equal(call("POST", BASE "/flags", "", FLAG), 201);
    listen_to(&e, target, "Origin: https://app.example.com\r\n");
    assert_non_null(strstr(e.head, "Access-Control-Allow-Origin: https://app.example.com\r\n"));
    told(&e);
    events_close(&e);
    snprintf(last, sizeof last, "Last-Event-ID: %lu\r\n", e.id);
    listen_to(&e, target, last);
    events_silent(&e);
    events_close(&e);
    assert_int_equal(test_server_end(&server, SIGKILL), -SIGKILL);
    assert_true(test_server_start(&server)); /* tickets outlive the server */
    assert_int_equal(call("PATCH", BASE "/flags/f", "", "{\"description\":\"x\"}"), 200);
    listen_to(&e, target, last);
    told(&e);
    events_close(&e);
}

/* A hundred changes in one go are a few events. */
static void many_changes_are_few_events(void **state)
{
    (void)state;
    struct events e;
    char target[800], body[64];
    begin(NULL);
    assert_int_equal(call("POST", BASE "/flags", "", FLAG), 201);
    stream_of("", target, sizeof target);
    listen_to(&e, target, "");
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < 100; i++) {
        snprintf(body, sizeof body, "{\"description\":\"%d\"}", i);
        assert_int_equal(call("PATCH", BASE "/flags/f", "", body), 200);
    }
    unsigned events = 0;
    do {
        told(&e);
        events++;
    } while (e.id < 101);
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_in_range(events, 1, 3 + (unsigned)(now.tv_sec - from.tv_sec));
    events_close(&e);
}

static void refused(const char *target, const char *status)
{
    struct events e;
    assert_false(events_open(&e, server.port, target, "", 0));
    if (strncmp(e.head + 9, status, 3) != 0)
        fail_msg("%s: wanted %s, got %s", target, status, e.head);
    events_close(&e);
}

/* A ticket is its token's: it opens nothing once that is gone, and what was open ends. */
static void as_long_as_the_token(void **state)
{
    (void)state;
    struct events e;
    struct client_reply reply;
    char anonymous[800], target[800];
    begin(NULL);
    stream_of("", anonymous, sizeof anonymous);
    listen_to(&e, anonymous, "");
    ask("POST", BASE "/tokens", "", "{\"token_id\":\"root\",\"role\":\"admin\"}", &reply);
    const char *secret = strstr(reply.body, "pdk_");
    snprintf(token, sizeof token, "Authorization: Bearer %.*s\r\n", (int)strcspn(secret, "\""),
             secret);
    client_reply_release(&reply);
    assert_false(events_next(&e, NULL)); /* nobody is anonymous any more */
    events_close(&e);
    refused(anonymous, "401");
    assert_int_equal(call("POST", BASE "/tokens", "",
                          "{\"token_id\":\"page\",\"grants\":[{\"namespace\":\"default\","
                          "\"names\":[\"f*\"],\"actions\":[\"select\"]}]}"),
                     201);
    stream_of("", target, sizeof target);
    listen_to(&e, target, "");
    assert_int_equal(call("POST", BASE "/flags", "", FLAG), 201);
    told(&e);
    target[strlen("/ofrep/v1/events?ticket=") + 20] ^= 1;
    refused(target, "401");
    refused("/ofrep/v1/events", "400");
    assert_int_equal(call("DELETE", BASE "/tokens/root", "", ""), 204);
    assert_false(events_next(&e, NULL));
    events_close(&e);
}

/* More than 16 MiB of flags: that is said, as OFREP says things, and single ones go on. */
static void more_than_is_answered(void **state)
{
    enum { FLAGS = 68, LONG = 260000 };
    struct client_reply reply;
    char path[64];
    static char text[LONG + 1], body[LONG + 100];
    (void)state;
    begin(NULL);
    memset(text, 'x', LONG);
    snprintf(body, sizeof body, "{\"default_variant\":\"a\",\"variants\":{\"a\":\"%s\"}}", text);
    for (int i = 0; i < FLAGS; i++) {
        snprintf(path, sizeof path, "/api/models/enterprise/flags/f%d", i);
        assert_int_equal(call("PUT", path, "", body), 201);
    }
    ask("POST", "/ofrep/v1/evaluate/flags", "", "{}", &reply);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "\"errorCode\":\"GENERAL\""));
    assert_false(client_header(&reply, "ETag", path, sizeof path));
    client_reply_release(&reply);
    assert_int_equal(call("POST", "/ofrep/v1/evaluate/flags/f1", "", "{}"), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_kind_of_change, end),
        cmocka_unit_test_teardown(models_behind_flags, end),
        cmocka_unit_test_teardown(nothing_is_missed, end),
        cmocka_unit_test_teardown(many_changes_are_few_events, end),
        cmocka_unit_test_teardown(as_long_as_the_token, end),
        cmocka_unit_test_teardown(more_than_is_answered, end),
    };
    return cmocka_run_group_tests_name("refetch", tests, NULL, NULL);
}
