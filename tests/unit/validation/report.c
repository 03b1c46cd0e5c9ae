#include "validation/report.h"

#include "base/json.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

struct world {
    struct arena *arena;
    struct run run;
    struct test_result tests[2];
    struct regression regressions[3];
    struct report_input in;
    struct report report;
};

static void setup(struct world *w)
{
    *w = (struct world){.arena = arena_new(1 << 20)};
    run_init(&w->run);
    for (int i = 0; i < 2; i++) {
        test_result_init(&w->tests[i]);
        w->tests[i].test_id = i ? "t2" : "t1";
        w->tests[i].name = i ? "load" : "holdout";
        w->tests[i].status = "passed";
    }
    for (int i = 0; i < 3; i++)
        w->regressions[i] = (struct regression){.test_id = "t1",
                                                .test_name = "holdout",
                                                .measurement = "accuracy",
                                                .baseline = 0.95,
                                                .candidate = 0.9,
                                                .delta = -0.05,
                                                .delta_ratio = -0.05 / 0.95,
                                                .confidence = {NAN, NAN},
                                                .p_value = 0.0002,
                                                .severity = "low"};
    w->run.run_id = "r1";
    w->run.model_id = "m:2";
    w->run.status = "passed";
    w->run.complete = true;
    w->run.baseline = (struct run_baseline){"r0", "m:1"};
    w->run.results = w->tests;
    w->run.results_len = 2;
    w->run.regressions = w->regressions;
    w->in = (struct report_input){.model_id = "m:2", .run = &w->run};
}

static const char *summary(struct world *w)
{
    struct err e = {0};
    assert_true(report_build(&w->in, w->arena, &w->report, &e));
    return w->report.summary;
}

static void the_sentence_says_what_to_do(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    assert_string_equal(summary(&w),
                        "Ready to promote: all tests passed and nothing is worse than m:1.");
    w.run.complete = false;
    assert_string_equal(summary(&w),
                        "Run every gate test before promoting: the last run was not complete.");
    w.run.complete = true;
    w.run.baseline = (struct run_baseline){0};
    assert_non_null(strstr(summary(&w), "nothing to compare with"));
    w.run.status = "cancelled";
    assert_non_null(strstr(summary(&w), "cancelled"));
    w.run.status = "running";
    assert_string_equal(summary(&w), "Wait: a validation run is under way.");
    w.in.run = NULL;
    assert_string_equal(summary(&w), "Start a validation run: there is none yet.");
    assert_null(w.report.run_id);
    arena_free(w.arena);
}

static void the_worst_regression_is_named(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    w.run.regressions_len = 1;
    w.run.severity = "low";
    assert_string_equal(summary(&w), "May be promoted if this is accepted: accuracy of 'holdout' "
                                     "went from 0.95 to 0.9 (-5.3 %, p = 0.0002).");
    w.run.regressions_len = 3;
    w.run.severity = "high";
    w.regressions[1].severity = "high";
    w.regressions[1].measurement = "auc";
    w.regressions[1].p_value = w.regressions[1].delta_ratio = NAN;
    w.regressions[2].severity = "medium";
    assert_string_equal(summary(&w), "Do not promote: auc of 'holdout' went from 0.95 to 0.9, and "
                                     "2 more are listed.");
    arena_free(w.arena);
}

static void failed_tests_are_named(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    w.run.status = "failed";
    w.tests[1].status = "crashed";
    w.tests[1].message = "signal 11 (SIGSEGV)";
    assert_string_equal(summary(&w), "Do not promote: test 'load' crashed (signal 11 (SIGSEGV)).");
    w.tests[0].status = "failed";
    assert_string_equal(summary(&w),
                        "Do not promote: test 'holdout' failed, and 1 more did not pass.");
    w.run.status = "error";
    w.run.results_len = 0;
    assert_non_null(strstr(summary(&w), "Run the validation again"));
    arena_free(w.arena);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    struct world w;
    char name[5000];
    setup(&w);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    w.run.regressions_len = 1;
    w.run.severity = "medium";
    w.regressions[0].measurement = w.regressions[0].test_name = name;
    const char *text = summary(&w);
    assert_true(strlen(text) < 400);
    assert_non_null(strstr(text, "xxx..."));
    arena_free(w.arena);
}

/* 60 days of a test with one measurement that steps and one that climbs. */
static struct history *two_series(struct world *w)
{
    struct history *h = history_new();
    uint64_t seed = 11;
    for (int i = 0; i < 60; i++) {
        struct measurement *m = arena_zero(w->arena, 3 * sizeof *m);
        struct test_result t = w->tests[0];
        struct run r = w->run;
        static const char *const names[] = {"accuracy", "latency_ms", "quiet"};
        for (int k = 0; k < 3; k++) {
            measurement_init(&m[k]);
            m[k].name = names[k];
            m[k].value = 100 + random_normal(&seed);
        }
        m[0].value -= i >= 45 ? 6 : 0;
        m[1].value += 0.3 * i;
        m[1].better = "lower";
        t.measurements = m;
        t.measurements_len = 3;
        r.results = &t;
        r.results_len = 1;
        r.finished_at = DAY_MS * (i + 1);
        assert_true(history_add(h, &r));
    }
    return h;
}

static void history_gives_trends_and_changes(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct history *h = two_series(&w);
    w.in.history = h;
    assert_non_null(strstr(summary(&w), "Ready"));
    assert_int_equal(w.report.trends_len, 1);
    assert_string_equal(w.report.trends[0].measurement, "latency_ms");
    assert_true(fabs(w.report.trends[0].trend.slope_per_day - 0.3) < 0.05);
    assert_int_equal(w.report.changes_len, 1);
    assert_string_equal(w.report.changes[0].measurement, "accuracy");
    assert_true(llabs(w.report.changes[0].at - 46 * DAY_MS) <= DAY_MS);

    struct night_alarm alarms[2];
    const struct history_series *list[] = {history_at(h, 0), history_at(h, 1)};
    w.in.alarms = alarms;
    w.in.alarms_len = night_judge(list, 2, 0, NULL, alarms);
    assert_int_equal(w.in.alarms_len, 2);
    const char *text = summary(&w);
    assert_non_null(strstr(text, "Find out why: accuracy of 'holdout' has been at 9"));
    assert_non_null(strstr(text, ", and 1 more has changed."));
    w.in.alarms = alarms + 1;
    w.in.alarms_len = 1;
    assert_non_null(strstr(summary(&w), "latency_ms of 'holdout' changes by 0."));
    history_free(h);
    arena_free(w.arena);
}

/* What the nights have raised is told after what the run itself says, and with it. */
static void an_open_alarm_is_told(void **state)
{
    (void)state;
    const struct report_alarm alarm = {.alert_id = "a1",
                                       .severity = "medium",
                                       .summary = "Find out why: p95 has been at 9.",
                                       .first_at = 86400000,
                                       .last_at = 2 * 86400000};
    struct world w;
    struct bytes b = BYTES_INIT(1 << 16);
    setup(&w);
    w.in.alarm = &alarm;
    assert_string_equal(summary(&w), alarm.summary);
    report_encode(&w.report, &b);
    assert_non_null(strstr(b.data, "\"alarm\":{\"alert_id\":\"a1\",\"severity\":\"medium\","
                                   "\"first_at\":\"1970-01-02T00:00:00.000Z\","
                                   "\"last_at\":\"1970-01-03T00:00:00.000Z\","
                                   "\"summary\":\"Find out why: p95 has been at 9.\"}}"));
    w.run.status = "failed";
    w.tests[0].status = "failed";
    assert_string_equal(summary(&w), "Do not promote: test 'holdout' failed.");
    assert_ptr_equal(w.report.alarm, &alarm);
    bytes_release(&b);
    arena_free(w.arena);
}

static void the_json_is_as_the_contract_has_it(void **state)
{
    (void)state;
    static const char *const members[] = {"model_id", "run_id",        "baseline",
                                          "severity", "summary",       "regressions",
                                          "trends",   "change_points", "alarm"};
    struct world w;
    struct bytes b = BYTES_INIT(1 << 16);
    struct err e = {0};
    setup(&w);
    struct history *h = two_series(&w);
    w.in.history = h;
    w.run.regressions_len = 2;
    w.run.severity = "low";
    (void)summary(&w);
    report_encode(&w.report, &b);
    json_t *read = json_read(b.data, b.len, &e);
    assert_non_null(read);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        assert_non_null(json_object_get(read, members[i]));
    assert_int_equal(json_object_size(read), sizeof members / sizeof members[0]);
    assert_int_equal(json_array_size(json_object_get(read, "regressions")), 2);
    const json_t *trend = json_array_get(json_object_get(read, "trends"), 0);
    assert_int_equal(json_integer_value(json_object_get(trend, "points")), 60);
    assert_int_equal(json_object_size(trend), 5);
    const json_t *change = json_array_get(json_object_get(read, "change_points"), 0);
    assert_true(json_is_string(json_object_get(change, "at")));
    assert_int_equal(json_object_size(change), 5);
    json_decref(read);
    w.in.run = NULL;
    w.in.history = NULL;
    bytes_clear(&b);
    (void)summary(&w);
    report_encode(&w.report, &b);
    assert_non_null(strstr(b.data, "\"run_id\":null,\"baseline\":null,\"severity\":\"none\""));
    bytes_release(&b);
    history_free(h);
    arena_free(w.arena);
}

static void a_small_arena_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    setup(&w);
    struct history *h = two_series(&w);
    struct arena *small = arena_new(64);
    w.in.history = h;
    assert_false(report_build(&w.in, small, &w.report, &e));
    assert_ptr_equal(e.kind, &ERR_MEMORY);
    arena_free(small);
    history_free(h);
    arena_free(w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sentence_says_what_to_do),
        cmocka_unit_test(the_worst_regression_is_named),
        cmocka_unit_test(failed_tests_are_named),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(history_gives_trends_and_changes),
        cmocka_unit_test(an_open_alarm_is_told),
        cmocka_unit_test(the_json_is_as_the_contract_has_it),
        cmocka_unit_test(a_small_arena_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
