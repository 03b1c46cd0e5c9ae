/* Thousands of outcomes in one body: whoever asks the same loop for something else does not wait
 * until they are read. */
#include "support/client.h"
#include "support/server.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define API      "/api/models/enterprise"
#define JSON     "Content-Type: application/json\r\n"
#define OUTCOMES 5000
#define TRIES    20
#define MOST     0.1 /* of the time; it was 0.25 at least when the loop itself read them */

static struct test_server server;

static int begin(void **state)
{
    (void)state;
    test_server_init(&server);
    server.args = (const char *const[]){"--threads", "1", NULL};
    return test_server_start(&server) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

/* The answer to a call that has to succeed; the caller's to free. */
static json_t *post(const char *path, const char *body)
{
    struct client_reply reply;
    assert_true(client_call(server.port, "POST", path, JSON, body, strlen(body), &reply));
    if (reply.status / 100 != 2)
        fail_msg("%s: %d %s", path, reply.status, reply.body);
    json_t *json = json_loads(reply.body, 0, NULL);
    client_reply_release(&reply);
    return json;
}

/* A request with a score of one decision for each of OUTCOMES names. */
static void write_request(struct bytes *out)
{
    struct bytes body = BYTES_INIT(1 << 20);
    json_decref(post(API "/registry", "{\"name\":\"odds\",\"version\":\"1\",\"type\":\"other\"}"));
    json_decref(post(API "/registry/odds:1/status", "{\"status\":\"canary\"}"));
    json_decref(post(API "/registry/odds:1/status", "{\"status\":\"stable\"}"));
    json_t *decision = post(API "/selection", "{\"model_name\":\"odds\"}");
    const char *id = json_string_value(json_object_get(decision, "decision_id"));
    for (int i = 0; i < OUTCOMES; i++)
        bytes_printf(&body, "%c{\"decision_id\":\"%s\",\"scores\":{\"s%d\":1}}", i ? ',' : '[', id,
                     i);
    bytes_char(&body, ']');
    bytes_printf(out,
                 "POST " API "/selection/outcomes HTTP/1.1\r\nHost: a\r\n" JSON
                 "Content-Length: %zu\r\n\r\n",
                 body.len);
    bytes_add(out, body.data, body.len);
    assert_false(body.full || out->full);
    bytes_release(&body);
    json_decref(decision);
}

static void read_counts(int fd, const char *name)
{
    struct client_reply reply;
    assert_true(client_read(fd, false, &reply));
    json_t *json = json_loads(reply.body, 0, NULL);
    if (reply.status != 202 || json_integer_value(json_object_get(json, name)) != OUTCOMES)
        fail_msg("%d %s", reply.status, reply.body);
    json_decref(json);
    client_reply_release(&reply);
}

/* The machine may stop anybody at any time: one good try of some is enough. */
static void thousands_hold_up_nobody(void **state)
{
    (void)state;
    struct bytes request = BYTES_INIT(1 << 21);
    struct client other = {server.port, -1};
    double least = 1;
    write_request(&request);
    int fd = client_connect(server.port);
    assert_true(client_send(fd, request.data, request.len));
    read_counts(fd, "accepted");
    for (int i = 0; i < TRIES && least > MOST; i++) {
        double wait = client_longest_wait(fd, &other, request.data, request.len);
        assert_true(wait >= 0);
        read_counts(fd, "duplicate"); /* nothing is written: the time is that of reading them */
        least = wait < least ? wait : least;
    }
    print_message("longest wait: %.2f of the time\n", least);
    assert_true(least <= MOST);
    client_close(&other);
    close(fd);
    bytes_release(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thousands_hold_up_nobody, begin, end),
    };
    return cmocka_run_group_tests_name("outcomes", tests, NULL, NULL);
}
