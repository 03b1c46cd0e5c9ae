/* Server-sent events of the journal, as a client that reconnects uses them: nothing is lost and
 * nothing comes twice, over restarts and crashes, with filters, in numbers, and when it is slow. */
#include "support/client.h"
#include "support/events.h"
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BASE "/api/models/enterprise"

static struct test_server server;

/* --- changes --- */

static int call(const char *method, const char *path, const char *headers, const char *body)
{
    struct client_reply reply;
    char all[512];
    snprintf(all, sizeof all, "Content-Type: application/json\r\n%s", headers);
    assert_true(client_call(server.port, method, path, all, body, strlen(body), &reply));
    int status = reply.status;
    client_reply_release(&reply);
    return status;
}

static void registered(const char *name, const char *ns)
{
    char headers[128], body[128];
    snprintf(headers, sizeof headers, "Paddock-Namespace: %s\r\n", ns);
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"version\":\"1\",\"type\":\"other\"}", name);
    assert_int_equal(call("POST", BASE "/registry", headers, body), 201);
}

/* One entry: another description of m:1. */
static void described(const char *text)
{
    char body[64];
    snprintf(body, sizeof body, "{\"description\":\"%s\"}", text);
    assert_int_equal(call("PATCH", BASE "/registry/m:1", "", body), 200);
}

static void begin(const char *const *args)
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

/* --- a reader of events --- */

static bool follow_as(struct events *e, const char *query, const char *headers, int rcvbuf)
{
    char target[512];
    snprintf(target, sizeof target, BASE "/events%s", query);
    return events_open(e, server.port, target, headers, rcvbuf);
}

static void follow(struct events *e, const char *query, const char *headers)
{
    assert_true(follow_as(e, query, headers, 0));
}

static void expect(struct events *e, const char *type, const char *entity_id)
{
    assert_true(events_next(e, NULL));
    json_t *entry = json_loads(e->data, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(e->type, type);
    assert_string_equal(json_string_value(json_object_get(entry, "action")), type);
    assert_string_equal(json_string_value(json_object_get(entry, "entity_id")), entity_id);
    assert_int_equal(json_integer_value(json_object_get(entry, "seq")), e->id);
    json_decref(entry);
}

/* The description that the event's entry leads to. */
static void expect_description(struct events *e, const char *text)
{
    char want[64];
    assert_true(events_next(e, NULL));
    snprintf(want, sizeof want, "\"description\":\"%s\"", text);
    const char *after = strstr(e->data, "\"after\":");
    assert_non_null(after);
    assert_non_null(strstr(after, want));
}

/* --- the tests --- */

/* Without Last-Event-ID: from now on. With it: from there. Each event is its journal entry. */
static void from_now_and_from_an_id(void **state)
{
    (void)state;
    struct events now, all, some;
    begin(NULL);
    registered("m", "default");
    follow(&now, "", "");
    described("one");
    expect(&now, "model.updated", "m:1");
    assert_int_equal(now.id, 3);
    follow(&all, "", "Last-Event-ID: 0\r\n");
    expect(&all, "model.registered", "m:1");
    expect(&all, "registered_model.registered", "m");
    expect(&all, "model.updated", "m:1");
    events_silent(&all);
    follow(&some, "?last_event_id=2", "");
    expect(&some, "model.updated", "m:1");
    events_close(&some);
    follow(&some, "?last_event_id=2", "Last-Event-ID: 1\r\n"); /* what browsers send again */
    expect(&some, "registered_model.registered", "m");
    described("two");
    expect_description(&now, "two");
    expect_description(&all, "two");
    events_close(&now);
    events_close(&all);
    events_close(&some);
    assert_false(follow_as(&some, "", "Last-Event-ID: one\r\n", 0));
    events_close(&some);
    assert_false(follow_as(&some, "?types=model.exploded", "", 0));
    events_close(&some);
}

static void types_and_namespaces(void **state)
{
    (void)state;
    struct events models, odds, every, exact;
    begin(NULL);
    registered("m", "default");
    follow(&models, "?types=model.*,alias.set", "");
    follow(&exact, "?types=model.updated", "Last-Event-ID: 0\r\n");
    follow(&odds, "", "Paddock-Namespace: odds\r\n");
    follow(&every, "?types=model.registered", "Paddock-Namespace: *\r\nLast-Event-ID: 0\r\n");
    registered("x", "odds");
    described("one");
    assert_int_equal(
        call("PUT", BASE "/registered-models/m/aliases/a", "", "{\"model_id\":\"m:1\"}"), 200);
    expect(&models, "model.updated", "m:1");
    expect(&models, "model.aliases_changed", "m:1");
    expect(&models, "alias.set", "m");
    events_silent(&models);
    expect(&exact, "model.updated", "m:1");
    events_silent(&exact);
    expect(&odds, "model.registered", "x:1");
    expect(&odds, "registered_model.registered", "x");
    events_silent(&odds);
    expect(&every, "model.registered", "m:1");
    expect(&every, "model.registered", "x:1");
    events_silent(&every);
    events_close(&models);
    events_close(&exact);
    events_close(&odds);
    events_close(&every);
}

static void number_text(char *out, size_t size, int n)
{
    snprintf(out, size, "change-%d", n);
}

/* A reader that reconnects after each end of its stream, as browsers do, while the server is
 * stopped and killed between changes: it sees each change once and in order. */
static void no_gap_over_restarts(void **state)
{
    (void)state;
    struct events e;
    char text[32], header[64];
    unsigned long last = 0;
    int written = 0, seen = 0;
    begin(NULL);
    registered("m", "default");
    last = 2;
    for (int round = 0; round < 6; round++) {
        snprintf(header, sizeof header, "Last-Event-ID: %lu\r\n", last);
        follow(&e, "?types=model.updated", header);
        for (int i = 0; i < 5; i++) {
            number_text(text, sizeof text, written++);
            described(text);
        }
        for (int i = 0; i < 3; i++) { /* not all of them: the rest is missed */
            number_text(text, sizeof text, seen++);
            expect_description(&e, text);
            last = e.id;
        }
        int number = round % 2 ? SIGKILL : SIGTERM;
        assert_int_equal(test_server_end(&server, number), number == SIGKILL ? -SIGKILL : 0);
        events_close(&e);
        assert_true(test_server_start(&server));
    }
    snprintf(header, sizeof header, "Last-Event-ID: %lu\r\n", last);
    follow(&e, "?types=model.updated", header);
    while (seen < written) {
        number_text(text, sizeof text, seen++);
        expect_description(&e, text);
    }
    events_silent(&e);
    events_close(&e);
}

static void send_description(int fd, int n)
{
    char body[64], text[256];
    int len = snprintf(body, sizeof body, "{\"description\":\"change-%d\"}", n);
    int size = snprintf(text, sizeof text,
                        "PATCH " BASE "/registry/m:1 HTTP/1.1\r\nHost: a\r\nContent-Type: "
                        "application/json\r\nContent-Length: %d\r\n\r\n%s",
                        len, body);
    assert_true(client_send(fd, text, (size_t)size));
}

/* More changes than the server keeps in memory: the beginning comes from the store, and what is
 * written meanwhile comes behind it, in one unbroken sequence. */
static void far_behind(void **state)
{
    enum { CHANGES = 6400, AT_ONCE = 64 };
    (void)state;
    struct events e;
    int fd[AT_ONCE];
    begin(NULL);
    registered("m", "default");
    for (int i = 0; i < AT_ONCE; i++)
        fd[i] = client_connect(server.port);
    for (int n = 0; n < CHANGES; n += AT_ONCE) {
        if (n == CHANGES - 3 * AT_ONCE)
            follow(&e, "?types=model.*", "Last-Event-ID: 2\r\n");
        for (int i = 0; i < AT_ONCE; i++)
            send_description(fd[i], n + i);
        for (int i = 0; i < AT_ONCE; i++) {
            struct client_reply reply;
            assert_true(client_read(fd[i], false, &reply));
            assert_int_equal(reply.status, 200);
            client_reply_release(&reply);
        }
    }
    for (unsigned long n = 0; n < CHANGES; n++) {
        char revision[64];
        assert_true(events_next(&e, NULL));
        assert_int_equal(e.id, 3 + n);
        snprintf(revision, sizeof revision, "\"revision\":%lu}", 2 + n);
        assert_non_null(strstr(strstr(e.data, "\"after\":"), revision));
    }
    events_silent(&e);
    events_close(&e);
    for (int i = 0; i < AT_ONCE; i++)
        close(fd[i]);
}

static void heartbeats(void **state)
{
    (void)state;
    struct events e;
    unsigned comments = 0;
    begin((const char *const[]){"--events-heartbeat-ms", "300", NULL});
    registered("m", "default");
    follow(&e, "", "");
    struct timespec pause = {.tv_sec = 3};
    nanosleep(&pause, NULL);
    described("one");
    assert_true(events_next(&e, &comments));
    assert_true(comments >= 2); /* the sweep looks once a second */
    events_close(&e);
}

static long metric(const char *name)
{
    struct client_reply reply;
    assert_true(client_call(server.port, "GET", "/metrics", "", NULL, 0, &reply));
    const char *at = strstr(reply.body, name);
    while (at && (at[strlen(name)] != ' ' || at[-1] != '\n'))
        at = strstr(at + 1, name);
    long value = at ? strtol(at + strlen(name), NULL, 10) : -1;
    client_reply_release(&reply);
    return value;
}

static void until_followers(long wanted)
{
    long now = -1;
    for (int i = 0; i < 600 && now != wanted; i++) {
        struct timespec pause = {.tv_nsec = 20000000};
        now = metric("paddock_events_followers");
        if (now != wanted)
            nanosleep(&pause, NULL);
    }
    assert_int_equal(now, wanted);
}

/* Each of many gets each event; those that leave are forgotten. */
static void many_followers(void **state)
{
    enum { MANY = 400, CHANGES = 10 };
    (void)state;
    static struct events e[MANY];
    const struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    begin(NULL);
    registered("m", "default");
    for (int i = 0; i < MANY; i++)
        follow(&e[i], "", "");
    assert_int_equal(metric("paddock_events_followers"), MANY);
    for (int n = 0; n < CHANGES; n++) {
        char text[32];
        number_text(text, sizeof text, n);
        described(text);
    }
    for (int i = 0; i < MANY; i++) {
        for (int n = 0; n < CHANGES; n++) {
            char text[32];
            number_text(text, sizeof text, n);
            expect_description(&e[i], text);
        }
        events_close(&e[i]);
    }
    until_followers(0);
}

/* A reader that reads no more is cut off after a while; it has cost little memory, others got all
 * in time, and it can take up where it was. */
static void a_stalled_reader_is_cut(void **state)
{
    enum { CHANGES = 400 };
    (void)state;
    struct events good, stalled;
    static char body[20000];
    begin((const char *const[]){"--write-timeout-ms", "1500", NULL});
    registered("m", "default");
    follow(&good, "", "");
    assert_true(follow_as(&stalled, "", "", 4096));
    long before = test_server_rss_kb(&server);
    for (int n = 0; n < CHANGES; n++) { /* about 40 kB of journal each */
        int len = snprintf(body, sizeof body, "{\"description\":\"%d ", n);
        memset(body + len, 'x', 19000 - (size_t)len);
        snprintf(body + 19000, sizeof body - 19000, "\"}");
        assert_int_equal(call("PATCH", BASE "/registry/m:1", "", body), 200);
        assert_true(events_next(&good, NULL));
        assert_int_equal(good.id, 3 + n);
    }
    until_followers(1);
    events_close(&stalled);
    described("last");
    expect_description(&good, "last");
    events_close(&good);
    follow(&stalled, "", "Last-Event-ID: 2\r\n");
    for (int i = 0; i < CHANGES; i++) {
        assert_true(events_next(&stalled, NULL));
        assert_int_equal(stalled.id, 3 + i);
    }
    expect_description(&stalled, "last");
    events_close(&stalled);
    /* The ring of entries for followers is memory as well: some 16 MB here. AddressSanitizer keeps
     * what was freed: up to 256 MB, and its own. */
    assert_true(test_server_rss_kb(&server) - before < (SANITIZED ? 600 : 120) * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(from_now_and_from_an_id, end),
        cmocka_unit_test_teardown(types_and_namespaces, end),
        cmocka_unit_test_teardown(no_gap_over_restarts, end),
        cmocka_unit_test_teardown(far_behind, end),
        cmocka_unit_test_teardown(heartbeats, end),
        cmocka_unit_test_teardown(many_followers, end),
        cmocka_unit_test_teardown(a_stalled_reader_is_cut, end),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
