/* Bulks of OFREP and batches of selection whose policies take long: whoever asks the same loop for
 * something else does not wait for them, and they are answered rightly. */
#include "support/client.h"
#include "support/server.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define API      "/api/models/enterprise"
#define BULK     "/ofrep/v1/evaluate/flags"
#define JSON     "Content-Type: application/json\r\n"
#define CONTEXT  "{\"context\":{\"targetingKey\":\"u1\"}}"
#define FLAGS    100
#define CONTEXTS 300
#define TRIES    20
#define MOST     0.2 /* of the time; it was all of it when the loop did them in one go */

static const char HEAVY[] =
    "return { summary = 'takes long', decide = function(flag, ctx, env)\n"
    "  local n = 0\n"
    "  for i = 1, 30000 do n = n + i end\n"
    "  return n > 0 and env.bucket(ctx.targetingKey) < 50 and 'on' or 'off', 'SPLIT'\n"
    "end }\n";

static struct test_server server;

/* A call that has to succeed; the answer is the caller's to free. */
static json_t *call(const char *method, const char *path, const char *headers, const char *body)
{
    struct client_reply reply;
    assert_true(client_call(server.port, method, path, headers, body, strlen(body), &reply));
    if (reply.status / 100 != 2)
        fail_msg("%s: %d %s", path, reply.status, reply.body);
    json_t *json = json_loads(reply.body, 0, NULL);
    client_reply_release(&reply);
    return json;
}

static void change(const char *method, const char *path, const char *body)
{
    json_decref(call(method, path, JSON, body));
}

static int begin(void **state)
{
    (void)state;
    char body[512];
    test_server_init(&server);
    server.args = (const char *const[]){"--threads", "1", NULL};
    if (!test_server_start(&server))
        return -1;
    json_decref(call("PUT", API "/policies/rollout/heavy", "Content-Type: text/x-lua\r\n", HEAVY));
    for (int i = 0; i < FLAGS; i++) {
        snprintf(body, sizeof body,
                 "{\"key\":\"f%03d\",\"policy\":\"heavy\",\"variants\":{\"off\":0,\"on\":1},"
                 "\"default_variant\":\"off\"}",
                 i);
        change("POST", API "/flags", body);
    }
    change("POST", API "/registry", "{\"name\":\"odds\",\"version\":\"1\",\"type\":\"other\"}");
    change("POST", API "/registry/odds:1/status", "{\"status\":\"canary\"}");
    change("POST", API "/registry/odds:1/status", "{\"status\":\"stable\"}");
    change("POST", API "/routes",
           "{\"route\":\"r\",\"match\":{\"model_name\":\"odds\"},\"flag\":\"f000\",\"arms\":{"
           "\"on\":\"@stable\",\"off\":\"@canary\"}}");
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_server_release(&server);
    return 0;
}

static void write_request(struct bytes *out, const char *path, const char *headers,
                          const char *body)
{
    bytes_printf(out, "POST %s HTTP/1.1\r\nHost: a\r\n" JSON "%sContent-Length: %zu\r\n\r\n%s",
                 path, headers, strlen(body), body);
    assert_false(out->full);
}

static void write_batch(struct bytes *out)
{
    struct bytes body = BYTES_INIT(1 << 18);
    bytes_text(&body, "{\"route\":\"r\",\"contexts\":[");
    for (int i = 0; i < CONTEXTS; i++)
        bytes_printf(&body, "%s{\"targetingKey\":\"u%d\"}", i ? "," : "", i);
    bytes_text(&body, "]}");
    write_request(out, API "/selection/batch", "", body.data);
    bytes_release(&body);
}

/* The one that is under way on `fd` ends. */
static json_t *finish(int fd, int status, char etag[64])
{
    struct client_reply reply;
    assert_true(client_read(fd, false, &reply));
    if (reply.status != status)
        fail_msg("%d %s", reply.status, reply.body);
    if (etag)
        assert_true(client_header(&reply, "ETag", etag, 64));
    json_t *json = reply.len ? json_loads(reply.body, 0, NULL) : NULL;
    client_reply_release(&reply);
    return json;
}

/* The machine may stop anybody at any time: one good try of some is enough. */
static void holds_up_nobody(const struct bytes *request, const char *list, size_t n)
{
    struct client other = {server.port, -1};
    double least = 1;
    int fd = client_connect(server.port);
    for (int i = 0; i < TRIES && least > MOST; i++) {
        double wait = client_longest_wait(fd, &other, request->data, request->len);
        assert_true(wait >= 0);
        json_t *json = finish(fd, 200, NULL);
        assert_int_equal(json_array_size(json_object_get(json, list)), n);
        json_decref(json);
        least = wait < least ? wait : least;
    }
    print_message("longest wait: %.2f of the time\n", least);
    assert_true(least <= MOST);
    client_close(&other);
    close(fd);
}

static void a_bulk_holds_up_nobody(void **state)
{
    (void)state;
    struct bytes request = BYTES_INIT(4096);
    write_request(&request, BULK, "", CONTEXT);
    holds_up_nobody(&request, "flags", FLAGS);
    bytes_release(&request);
}

static void a_batch_holds_up_nobody(void **state)
{
    (void)state;
    struct bytes request = BYTES_INIT(1 << 19);
    write_batch(&request);
    holds_up_nobody(&request, "decisions", CONTEXTS);
    bytes_release(&request);
}

/* Each flag gives what it gives alone, and what the client knows is not sent again. */
static void a_bulk_is_answered_as_single_ones_are(void **state)
{
    (void)state;
    char etag[64], again[64], header[96], path[96];
    struct bytes request = BYTES_INIT(4096), known = BYTES_INIT(4096);
    int fd = client_connect(server.port);
    const json_t *flag;
    size_t i;
    write_request(&request, BULK, "", CONTEXT);
    assert_true(client_send(fd, request.data, request.len));
    json_t *bulk = finish(fd, 200, etag), *flags = json_object_get(bulk, "flags");
    json_array_foreach(flags, i, flag) {
        snprintf(path, sizeof path, BULK "/f%03zu", i);
        json_t *single = call("POST", path, JSON, CONTEXT);
        json_object_del(json_object_get(single, "metadata"), "decision_id");
        assert_true(json_equal(single, flag));
        json_decref(single);
    }
    json_decref(bulk);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
    write_request(&known, BULK, header, CONTEXT);
    assert_true(client_send(fd, known.data, known.len));
    assert_null(finish(fd, 304, again));
    assert_string_equal(etag, again);
    close(fd);
    bytes_release(&request);
    bytes_release(&known);
}

static int64_t revision_of(const json_t *bulk, size_t i)
{
    const json_t *flag = json_array_get(json_object_get(bulk, "flags"), i);
    return json_integer_value(json_object_get(json_object_get(flag, "metadata"), "flag_revision"));
}

/* The first flag and then the last are changed while a bulk is under way: its answer is of one
 * state of both, and its tag that of this state. */
static void a_bulk_is_of_one_state(void **state)
{
    (void)state;
    struct bytes request = BYTES_INIT(4096);
    int fd = client_connect(server.port), overtaken = 0;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    char body[64], etag[64], after[64];
    write_request(&request, BULK, "", CONTEXT);
    for (int i = 0; i < 2 * TRIES && overtaken < 3; i++) {
        snprintf(body, sizeof body, "{\"description\":\"%d\"}", i);
        assert_true(client_send(fd, request.data, request.len));
        usleep(3000);
        change("PATCH", API "/flags/f000", body);
        change("PATCH", API "/flags/f099", body);
        const bool during = poll(&answer, 1, 0) == 0;
        json_t *bulk = finish(fd, 200, etag);
        const int64_t ahead = revision_of(bulk, 0) - revision_of(bulk, FLAGS - 1);
        assert_true(ahead == 0 || ahead == 1);
        if (during) { /* both were changed before it was answered */
            overtaken++;
            assert_int_equal(revision_of(bulk, 0), i + 2);
            assert_int_equal(revision_of(bulk, FLAGS - 1), i + 2);
            assert_true(client_send(fd, request.data, request.len));
            json_decref(finish(fd, 200, after));
            assert_string_equal(etag, after);
        }
        json_decref(bulk);
    }
    assert_true(overtaken > 0);
    close(fd);
    bytes_release(&request);
}

/* It ends though the loop ends and its client has left. */
static void the_end_comes_in_between(void **state)
{
    (void)state;
    struct bytes request = BYTES_INIT(1 << 19);
    write_batch(&request);
    for (int i = 0; i < 8; i++) {
        int fd = client_connect(server.port);
        assert_true(client_send(fd, request.data, request.len));
        if (i % 2)
            close(fd); /* the others wait */
    }
    bytes_release(&request);
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bulk_holds_up_nobody),
        cmocka_unit_test(a_batch_holds_up_nobody),
        cmocka_unit_test(a_bulk_is_answered_as_single_ones_are),
        cmocka_unit_test(a_bulk_is_of_one_state),
        cmocka_unit_test(the_end_comes_in_between), /* the last: of the server, too */
    };
    return cmocka_run_group_tests_name("slices", tests, begin, end);
}
