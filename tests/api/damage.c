/* A record log with a damaged block is refused with the file's name and the way out; the way out
 * leads on with what can be read, and is needed only once. */
#include "support/client.h"
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "/api/models/enterprise/registry/a:1"

static struct test_server server;

static int call(const char *method, const char *path, const char *body, json_t **answer)
{
    struct client_reply reply;
    assert_true(client_call(server.port, method, path, "Content-Type: application/json\r\n", body,
                            strlen(body), &reply));
    int status = reply.status;
    if (answer)
        *answer = json_loads(reply.body, 0, NULL);
    client_reply_release(&reply);
    return status;
}

static json_int_t recorded(void)
{
    json_t *metrics;
    assert_int_equal(call("GET", MODEL "/metrics", "", &metrics), 200);
    json_int_t n =
        json_integer_value(json_object_get(json_object_get(metrics, "inferences"), "total"));
    json_decref(metrics);
    return n;
}

/* Change a byte of the first block's records. */
static void damage_first_block(void)
{
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/records/*.seg", server.dir);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    FILE *f = fopen(found.gl_pathv[0], "r+");
    globfree(&found);
    assert_non_null(f);
    fseek(f, 160, SEEK_SET); /* the segment's head has 64 bytes, a block's head 52 */
    int byte = fgetc(f);
    fseek(f, 160, SEEK_SET);
    fputc(byte ^ 1, f);
    fclose(f);
}

static void damage_is_accepted_when_told(void **state)
{
    (void)state;
    static const char *const accept[] = {"--accept-record-damage", NULL};
    test_server_init(&server);
    assert_true(test_server_start(&server));
    assert_int_equal(
        call("PUT", MODEL, "{\"name\":\"a\",\"version\":\"1\",\"type\":\"other\"}", NULL), 201);
    assert_int_equal(
        call("POST", MODEL "/inference", "[{\"latency_ms\":1},{\"latency_ms\":2}]", NULL), 202);
    assert_int_equal(call("POST", MODEL "/inference", "{\"latency_ms\":3}", NULL), 202);
    assert_int_equal(recorded(), 3);
    test_server_end(&server, SIGKILL);
    damage_first_block();
    assert_false(test_server_start(&server));
    assert_true(test_server_logged(&server, "--accept-record-damage"));
    server.args = accept;
    assert_true(test_server_start(&server));
    assert_true(test_server_logged(&server, "records_lost"));
    assert_int_equal(recorded(), 1);
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
    server.args = NULL;
    assert_true(test_server_start(&server));
    assert_int_equal(recorded(), 1);
}

static int end(void **state)
{
    (void)state;
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(damage_is_accepted_when_told, end),
    };
    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
