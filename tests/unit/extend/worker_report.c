/* The report of a worker, line by line, and the verdict from it. */
#include <paddock/plugin.h> /* before cmocka, which has macros of common names */

#include "support/unit.h"
#include "extend/worker_report.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONCE "0123456789abcdef0123456789abcdef"
#define EXIT  "{\"end\":\"exit\",\"code\":0,\"signal\":0,\"detail\":\"\",\"foreign\":0}"
#define CHECK "{\"name\":\"a\",\"ok\":true,\"level\":\"fail\",\"detail\":\"d\"}"
#define WRONG "{\"name\":\"b\",\"ok\":false,\"level\":\"fail\",\"detail\":\"5 is not 6\"}"
#define WARN  "{\"name\":\"c\",\"ok\":false,\"level\":\"warn\",\"detail\":\"slow\"}"

struct fixture {
    struct arena *arena;
    struct worker_report report;
    struct worker_result result;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->arena = arena_new(4u << 20);
    worker_report_init(&f->report, NONCE, f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    worker_report_release(&f->report);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void feed(struct fixture *f, const char *text)
{
    worker_report_feed(&f->report, text, strlen(text));
}

static void line(struct fixture *f, const char *kind, const char *body)
{
    char text[4096];
    snprintf(text, sizeof text, "{\"nonce\":\"%s\",\"%s\":%s}\n", NONCE, kind, body);
    feed(f, text);
}

static void expect(struct fixture *f, enum worker_status status, const char *message)
{
    worker_report_result(&f->report, 0, &f->result);
    assert_string_equal(f->result.message, message);
    assert_int_equal(f->result.status, status);
}

static void checks_decide(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    line(f, "check", CHECK);
    line(f, "check", WARN);
    line(f, "end", "{\"checks\":2,\"duration_ns\":1500000}");
    line(f, "stage", EXIT);
    expect(f, WORKER_PASSED, "2 checks, 1 warnings");
    assert_true(f->result.duration_ms == 1.5);
}

static void the_first_wrong_check_is_the_message(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    for (int i = 0; i < REPORT_CHECKS; i++)
        line(f, "check", CHECK);
    line(f, "check", WRONG); /* one more than is listed, but it decides */
    line(f, "check", WRONG);
    line(f, "skip", "{\"message\":\"not here\"}");
    line(f, "end", "{\"checks\":1002}");
    line(f, "stage", EXIT);
    expect(f, WORKER_FAILED, "b: 5 is not 6");
    assert_int_equal(f->result.n_checks, REPORT_CHECKS);
    assert_int_equal(f->result.checks_total, 1002);
    assert_string_equal(f->result.checks[REPORT_CHECKS - 1].name, "b");
}

static void no_check_is_an_error(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    line(f, "end", "{\"checks\":0}");
    line(f, "stage", EXIT);
    expect(f, WORKER_ERROR, "the test made no check");
}

static void skipping_is_told(void **state)
{
    struct fixture *f = *state;
    line(f, "skip", "{\"message\":\"no baseline\"}");
    line(f, "end", "{\"checks\":0}");
    line(f, "stage", EXIT);
    expect(f, WORKER_SKIPPED, "no baseline");
}

static void foreign_lines_are_an_error(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    line(f, "check", CHECK);
    feed(f, "rubbish\n");
    line(f, "end", "{\"checks\":1}");
    line(f, "stage", EXIT);
    expect(f, WORKER_ERROR,
           "the plugin wrote 0 bytes of its own to descriptor 3, which is the host's");
}

static void a_lost_check_is_an_error(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    line(f, "check", CHECK);
    line(f, "end", "{\"checks\":2}");
    line(f, "stage", EXIT);
    expect(f, WORKER_ERROR, "2 checks were made, 1 arrived");
}

static void a_crash_outweighs_checks(void **state)
{
    struct fixture *f = *state;
    line(f, "run", "{}");
    line(f, "check", WRONG);
    line(f, "crash", "{\"signal\":11,\"where\":\"address 0x0\"}");
    line(f, "stage", "{\"end\":\"signal\",\"signal\":11,\"detail\":\"\"}");
    expect(f, WORKER_CRASHED, "ended by SIGSEGV: address 0x0");
    assert_int_equal(f->result.signal, SIGSEGV);
}

static void the_second_stage_cannot_end_twice(void **state)
{
    struct fixture *f = *state;
    line(f, "stage", "{\"end\":\"timeout\",\"detail\":\"it was not over after 5 ms\"}");
    line(f, "stage", EXIT);
    expect(f, WORKER_TIMEOUT, "it was not over after 5 ms");
}

static void a_silent_worker_is_an_error(void **state)
{
    struct fixture *f = *state;
    worker_report_result(&f->report, SIGKILL, &f->result);
    assert_int_equal(f->result.status, WORKER_ERROR);
    assert_string_equal(f->result.message, "the worker was killed by SIGKILL");
}

static void measurements_are_read(void **state)
{
    struct fixture *f = *state;
    line(f, "measure",
         "{\"name\":\"m\",\"value\":2,\"unit\":\"ms\",\"better\":1,\"critical\":true,\"target\":0,"
         "\"margin_ratio\":0.1,\"samples\":3,\"variance\":0.25,\"values\":[1,2,3],"
         "\"baseline_values\":[1,2]}");
    line(f, "measure", "{\"name\":\"n\",\"value\":\"2\"}");
    line(f, "measure", "{\"name\":\"o\",\"value\":1,\"variance\":null,\"values\":[1,\"x\"]}");
    worker_report_result(&f->report, 0, &f->result);
    assert_int_equal(f->result.n_measurements, 2);
    const struct worker_measurement *m = f->result.measurements;
    assert_true(m[0].n_values == 3 && m[0].values[2] == 3);
    assert_null(m[0].baseline_values); /* not as many: not paired */
    assert_true(m[0].variance == 0.25 && m[0].samples == 3 && m[0].better == PADDOCK_LOWER);
    assert_true(isnan(m[1].variance) && !m[1].values && m[1].n_values == 0 && !m[1].unit);
}

static void a_flood_is_bounded(void **state)
{
    struct fixture *f = *state;
    char text[2200];
    memset(text, 'x', sizeof text);
    snprintf(text, 40, "{\"name\":\"a\",\"ok\":true,\"detail\":\"");
    text[strlen(text)] = 'x';
    snprintf(text + 2100, 8, "\"}");
    for (int i = 0; i < 100000; i++)
        line(f, "check", text);
    worker_report_result(&f->report, 0, &f->result);
    assert_true(f->report.overrun);
    assert_true(f->result.n_checks <= REPORT_CHECKS);
}

static void a_line_comes_in_pieces(void **state)
{
    struct fixture *f = *state;
    const char *text = "{\"nonce\":\"" NONCE "\",\"check\":" CHECK "}\n";
    for (const char *at = text; *at; at++)
        worker_report_feed(&f->report, at, 1);
    assert_int_equal(f->report.checks_total, 1);
    assert_int_equal(f->report.foreign, 0);
}

#define CASE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(checks_decide),
        CASE(the_first_wrong_check_is_the_message),
        CASE(no_check_is_an_error),
        CASE(skipping_is_told),
        CASE(foreign_lines_are_an_error),
        CASE(a_lost_check_is_an_error),
        CASE(a_crash_outweighs_checks),
        CASE(the_second_stage_cannot_end_twice),
        CASE(a_silent_worker_is_an_error),
        CASE(measurements_are_read),
        CASE(a_flood_is_bounded),
        CASE(a_line_comes_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
