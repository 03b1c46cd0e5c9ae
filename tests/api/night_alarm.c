/* What got worse for good: forty nights of a model are written into its store, the last four of
 * them bad, and a real night of a real server has to say so; another one, in which the test is
 * measured anew, that it is over. */
#include "support/client.h"
#include "support/server.h"
#include "support/unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"
#include "validation/run_store.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASE   "/api/models/enterprise"
#define DAY_MS INT64_C(86400000)
#define NIGHTS 40
#define BAD    4
#define OLD    5
#define WAIT_S 120

#define MODEL                                                                                      \
    "{\"name\":\"odds\",\"version\":\"1\",\"type\":\"classifier\",\"runtime\":{\"kind\":\"exec\"," \
    "\"command\":[\"/bin/sh\",\"-c\",\"i=0; while read -r l; do i=$((i+1)); case \\\"$l\\\" in "   \
    "*metadata*) echo \\\"{\\\\\\\"id\\\\\\\":$i,\\\\\\\"name\\\\\\\":\\\\\\\"s\\\\\\\","          \
    "\\\\\\\"inputs\\\\\\\":[{\\\\\\\"name\\\\\\\":\\\\\\\"x\\\\\\\",\\\\\\\"datatype\\\\\\\":"    \
    "\\\\\\\"FP64\\\\\\\",\\\\\\\"shape\\\\\\\":[1]}],\\\\\\\"outputs\\\\\\\":[{"                  \
    "\\\\\\\"name\\\\\\\":\\\\\\\"y\\\\\\\",\\\\\\\"datatype\\\\\\\":\\\\\\\"FP64\\\\\\\","        \
    "\\\\\\\"shape\\\\\\\":[1]}]}\\\";; *infer*) echo \\\"{\\\\\\\"id\\\\\\\":$i,"                 \
    "\\\\\\\"outputs\\\\\\\":[{\\\\\\\"name\\\\\\\":\\\\\\\"y\\\\\\\",\\\\\\\"datatype\\\\\\\":"   \
    "\\\\\\\"FP64\\\\\\\",\\\\\\\"shape\\\\\\\":[1],\\\\\\\"data\\\\\\\":[1]}]}\\\";; "            \
    "*) echo \\\"{\\\\\\\"id\\\\\\\":$i}\\\";; esac; done\"]}}"

static struct test_server server;
static char *night_run; /* id of the run of a night */

static json_t *say(const char *method, const char *path, const char *body, int status)
{
    struct client_reply r = {0};
    assert_true(client_call(server.port, method, path,
                            body ? "Content-Type: application/json\r\n" : "", body ? body : "",
                            body ? strlen(body) : 0, &r));
    if (r.status != status)
        fail_msg("%s %s: wanted %d, got %d %s", method, path, status, r.status, r.body);
    json_t *json = json_loads(r.body, 0, NULL);
    client_reply_release(&r);
    return json;
}

static void tell(const char *method, const char *path, const char *body, int status)
{
    json_decref(say(method, path, body, status));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* A night by hand, to its end. */
static void night(void)
{
    char path[256];
    json_t *begun = say("POST", BASE "/validation/nightly", NULL, 202), *now = NULL;
    snprintf(path, sizeof path, BASE "/validation/nightly/%s", text_of(begun, "batch_id"));
    time_t until = time(NULL) + WAIT_S;
    do {
        json_decref(now);
        now = say("GET", path, NULL, 200);
        assert_true(time(NULL) < until);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    } while (strcmp(text_of(now, "state"), "done") != 0);
    const json_t *run = json_array_get(json_object_get(now, "items"), 0);
    assert_non_null(run);
    free(night_run);
    night_run = strdup(text_of(run, "run_id"));
    json_decref(now);
    json_decref(begun);
}

/* The state of the alert about the name's nights, "" if there is none. (The runs themselves may be
 * alerts, too: on a busy machine one is slower than the other.) */
static void night_alert(char state[32], char *summary, size_t size)
{
    json_t *list = say("GET", BASE "/alerts?kind=regression", NULL, 200);
    const json_t *one;
    size_t i;
    *state = '\0';
    json_array_foreach(json_object_get(list, "items"), i, one) {
        if (strcmp(text_of(one, "dedupe_key"), "nightly:odds") != 0)
            continue;
        assert_string_equal(text_of(one, "severity"), "medium");
        assert_string_equal(text_of(one, "model_id"), "odds:1");
        snprintf(state, 32, "%s", text_of(one, "state"));
        snprintf(summary, size, "%s", text_of(one, "summary"));
    }
    json_decref(list);
}

/* The report of the model carries the open alert, and none when there is none. */
static void report_says(const char *alarm)
{
    json_t *report = say("GET", BASE "/validation/regression-report/odds:1", NULL, 200);
    const json_t *told = json_object_get(report, "alarm");
    assert_non_null(told);
    if (alarm)
        assert_string_equal(text_of(told, "summary"), alarm);
    else
        assert_true(json_is_null(told));
    json_decref(report);
}

/* Copies of the real run, a day apart: quiet nights, then some as slow as no shell is fast. */
static void write_past(void)
{
    struct err e = {0};
    struct run_place where;
    struct run r;
    const char *text;
    size_t len;
    struct arena *a = arena_new((size_t)64 << 20);
    struct store *s = store_sqlite_open(server.dir, &CLOCK_SYSTEM, &e);
    assert_non_null(s);
    assert_true(run_find(s, "default", night_run, a, &where, &text, &len, &e));
    assert_true(run_decode(text, len, a, &r, &e));
    assert_true(r.results_len == 1 && r.results[0].measurements_len > 0);
    const struct run real = r;
    for (int i = 0; i < NIGHTS; i++) {
        const int64_t ago = (NIGHTS - i) * DAY_MS;
        r.run_id = arena_printf(a, "past-%d-%d", i, 1);
        r.batch_id = arena_printf(a, "past-%d", i);
        r.queued_at = real.queued_at - ago;
        r.started_at = real.started_at - ago;
        r.finished_at = real.finished_at - ago;
        for (size_t k = 0; k < r.results[0].measurements_len; k++)
            if (strcmp(r.results[0].measurements[k].better, "lower") == 0)
                r.results[0].measurements[k].value =
                    i < NIGHTS - BAD ? 1e-6 * (10 + i * 7 % 5) : 1000 + i;
        assert_true(run_put(s, &r, "default", where.uid, false, &e));
    }
    for (size_t k = 0; k < r.results[0].measurements_len; k++)
        if (strcmp(r.results[0].measurements[k].better, "lower") == 0)
            r.results[0].measurements[k].value = 1e-5;
    for (int i = 0; i < OLD; i++) {
        r.run_id = arena_printf(a, "old-%d", i);
        r.batch_id = arena_printf(a, "old-night-%d", i);
        r.queued_at = r.finished_at = real.queued_at - (300 + i) * DAY_MS;
        assert_true(run_put(s, &r, "default", where.uid, false, &e));
    }
    s->ops->close(s);
    arena_free(a);
}

static void restart(const char *days)
{
    static const char *args[] = {"--exec-dirs", "/bin", "--run-retention-days", NULL, NULL};
    args[3] = days;
    server.args = args;
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
    assert_true(test_server_start(&server));
}

/* Runs of a name's history; the status of a GET of one run. */
static json_int_t runs(void)
{
    json_t *list = say("GET", BASE "/validation/history/odds:1", NULL, 200);
    json_int_t n = json_integer_value(json_object_get(list, "total"));
    json_decref(list);
    return n;
}

static void await_runs(json_int_t n)
{
    time_t until = time(NULL) + WAIT_S;
    while (runs() != n) {
        assert_true(time(NULL) < until);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

static void alarms_once_it_is_for_good(void **state)
{
    (void)state;
    char now[32], summary[512];
    tell("POST", BASE "/registry", MODEL, 201);
    tell("POST", BASE "/registry/odds:1/status", "{\"status\":\"canary\"}", 200);
    tell("POST", BASE "/registry/odds:1/status", "{\"status\":\"stable\"}", 200);
    tell("POST", BASE "/validation/tests",
         "{\"test_id\":\"fast\",\"model_name\":\"odds\",\"type\":\"performance\","
         "\"config\":{\"requests\":60,\"concurrency\":1},\"timeout_ms\":120000}",
         201);
    night();
    night_alert(now, summary, sizeof summary);
    assert_string_equal(now, "");
    report_says(NULL);
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
    write_past();
    assert_true(test_server_start(&server));
    night();
    night_alert(now, summary, sizeof summary);
    assert_string_equal(now, "open");
    assert_non_null(strstr(summary, "Find out why: "));
    assert_non_null(strstr(summary, "of 'fast' has been at "));
    report_says(summary);
}

static void and_says_when_it_is_over(void **state)
{
    (void)state;
    char now[32], summary[512];
    tell("PATCH", BASE "/validation/tests/fast", "{\"config\":{\"requests\":50,\"concurrency\":1}}",
         200);
    night();
    night_alert(now, summary, sizeof summary);
    assert_string_equal(now, "resolved");
    report_says(NULL);
}

/* What is older than the setting goes; what is pinned can be asked for and compared with. */
static void old_runs_go(void **state)
{
    (void)state;
    json_int_t before = runs();
    tell("PUT", BASE "/validation/baseline/odds:1", "{\"run_id\":\"old-2\"}", 200);
    restart("60");
    await_runs(before - OLD);
    tell("GET", BASE "/validation/runs/old-1", NULL, 404);
    tell("GET", BASE "/validation/runs/old-2", NULL, 200);
    json_t *run =
        say("POST", BASE "/validation/run", "{\"model_id\":\"odds:1\",\"wait_ms\":60000}", 200);
    assert_string_equal(text_of(json_object_get(run, "baseline"), "run_id"), "old-2");
    json_decref(run);
    restart("20"); /* nights of the past go too; the newest ones stay */
    await_runs(20 - 1 + 3 + 1);
    tell("GET", BASE "/validation/runs/past-0-1", NULL, 404);
    tell("GET", BASE "/validation/runs/past-39-1", NULL, 200);
    tell("GET", BASE "/validation/runs/old-2", NULL, 200);
}

static int setup(void **state)
{
    static const char *const args[] = {"--exec-dirs", "/bin", "--run-retention-days", "3650", NULL};
    (void)state;
    test_server_init(&server);
    server.args = args;
    return test_server_start(&server) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_server_release(&server);
    free(night_run);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alarms_once_it_is_for_good),
        cmocka_unit_test(and_says_when_it_is_over),
        cmocka_unit_test(old_runs_go),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
