/* Every kind of problem that the server says it has (GET /problems) is demanded by a case of some
 * .http file, or is provoked elsewhere.
 */
#include "support/unit.h"

#include "support/client.h"
#include "support/server.h"

#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of problems that no case there can provoke, and who does. */
static const char *const ELSEWHERE[][2] = {
    {"IDEMPOTENCY_KEY_IN_USE", "api/bounds"},
    {"IDEMPOTENCY_KEYS_FULL", "api/bounds"},
    {"OVERLOADED", "api/bounds"},
    {"STORE_UNAVAILABLE", "api/bounds"},
    {"TOO_MANY_CHANGES", "api/bounds"},
    {"OUT_OF_MEMORY", "cannot be provoked from outside"},
    {"DATA_CORRUPT", "unit/telemetry and unit/store damage what is stored"},
    {"INTERNAL_ERROR", "cannot be provoked: it would be a bug"},
};

static bool demanded_in(const char *path, const char *demand)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (!found && getline(&line, &size, f) >= 0)
        found = strstr(line, demand);
    free(line);
    fclose(f);
    return found;
}

static bool provoked(const char *code, const glob_t *files)
{
    char demand[128];
    snprintf(demand, sizeof demand, "\"code\":\"%s\"", code);
    for (size_t i = 0; i < files->gl_pathc; i++)
        if (demanded_in(files->gl_pathv[i], demand))
            return true;
    for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++)
        if (strcmp(ELSEWHERE[i][0], code) == 0)
            return true;
    return false;
}

static void test_every_problem_is_demanded(void **state)
{
    (void)state;
    struct test_server server;
    struct client_reply reply;
    size_t i, missing = 0;
    json_t *kind;
    glob_t files;
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s/tests/api/*.http", getenv("PADDOCK_SOURCE"));
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    test_server_init(&server);
    assert_true(test_server_start(&server));
    assert_true(client_call(server.port, "GET", "/problems?limit=1000", "", NULL, 0, &reply));
    json_t *list = json_loads(reply.body, 0, NULL), *items = json_object_get(list, "items");
    assert_true(json_array_size(items) > 40);
    json_array_foreach(items, i, kind) {
        const char *code = json_string_value(json_object_get(kind, "code"));
        if (!provoked(code, &files)) {
            print_error("no case demands %s\n", code);
            missing++;
        }
    }
    json_decref(list);
    client_reply_release(&reply);
    test_server_release(&server);
    globfree(&files);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_problem_is_demanded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
