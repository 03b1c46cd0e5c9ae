#include "validation/history.h"

#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A run of one test with one measurement. */
struct one {
    struct run run;
    struct test_result test;
    struct measurement m;
};

static void make(struct one *o, int64_t at, double value)
{
    run_init(&o->run);
    test_result_init(&o->test);
    measurement_init(&o->m);
    o->m.name = "accuracy";
    o->m.value = value;
    o->test.test_id = "t";
    o->test.name = "holdout";
    o->test.status = "passed";
    o->test.measurements = &o->m;
    o->test.measurements_len = 1;
    o->run.run_id = "r";
    o->run.model_id = "m:1";
    o->run.finished_at = at;
    o->run.results = &o->test;
    o->run.results_len = 1;
}

static void values_gather_in_order(void **state)
{
    (void)state;
    struct history *h = history_new();
    struct one o[3];
    struct regression bad = {.test_id = "t", .measurement = "accuracy", .severity = "high"};
    for (int i = 0; i < 3; i++) {
        make(&o[i], 1000 * (i + 1), i);
        o[i].run.regressions = &bad;
        o[i].run.regressions_len = i == 1;
        assert_true(history_add(h, &o[i].run));
    }
    assert_int_equal(history_count(h), 1);
    const struct history_series *s = history_find(h, "t", "accuracy");
    assert_ptr_equal(s, history_at(h, 0));
    assert_int_equal(s->len, 3);
    assert_true(s->points[2].value == 2 && s->points[2].at == 3000);
    assert_int_equal(s->points[1].severity, SEVERITY_HIGH);
    assert_int_equal(s->points[2].severity, SEVERITY_NONE);
    assert_string_equal(s->test_name, "holdout");
    assert_null(history_find(h, "t", "auc"));
    size_t len;
    assert_ptr_equal(history_points(h, &o[2].test, &o[2].m, &len), s->points);
    assert_int_equal(len, 3);
    history_free(h);
}

static void what_counts_for_nothing_is_left_out(void **state)
{
    (void)state;
    struct history *h = history_new();
    struct one o;
    make(&o, 1000, 1);
    o.run.trial = true;
    assert_true(history_add(h, &o.run));
    o.run.trial = false;
    o.test.status = "crashed";
    assert_true(history_add(h, &o.run));
    assert_int_equal(history_count(h), 0);
    o.test.status = "failed"; /* it measured all the same */
    assert_true(history_add(h, &o.run));
    assert_int_equal(history_count(h), 1);
    history_free(h);
    history_free(NULL);
}

static void another_way_of_measuring_begins_anew(void **state)
{
    (void)state;
    struct result_dataset data = {"d", "aa"};
    for (int what = 0; what < 4; what++) {
        struct history *h = history_new();
        struct one o;
        size_t len;
        make(&o, 1000, 1);
        assert_true(history_add(h, &o.run));
        o.test.test_revision += what == 0;
        o.test.config_sha256 = what == 1 ? "x" : NULL;
        o.test.plugin.sha256 = what == 2 ? "x" : NULL;
        o.test.datasets = &data;
        o.test.datasets_len = what == 3;
        assert_null(history_points(h, &o.test, &o.m, &len));
        assert_int_equal(len, 0);
        assert_true(history_add(h, &o.run));
        assert_int_equal(history_find(h, "t", "accuracy")->len, 1);
        history_free(h);
    }
}

static void old_values_make_room(void **state)
{
    (void)state;
    struct history *h = history_new();
    for (int i = 0; i < HISTORY_POINTS_MAX + 10; i++) {
        struct one o;
        make(&o, i + 1, i);
        assert_true(history_add(h, &o.run));
    }
    const struct history_series *s = history_at(h, 0);
    assert_int_equal(s->len, HISTORY_POINTS_MAX);
    assert_true(s->points[0].value == 10);
    assert_true(s->points[s->len - 1].value == HISTORY_POINTS_MAX + 9);
    history_free(h);
}

static void there_is_a_bound(void **state)
{
    (void)state;
    static struct measurement many[RESULT_MEASUREMENTS_MAX];
    static char names[RESULT_MEASUREMENTS_MAX][16];
    struct history *h = history_new();
    struct one o;
    make(&o, 1, 1);
    for (size_t i = 0; i < RESULT_MEASUREMENTS_MAX; i++) {
        measurement_init(&many[i]);
        snprintf(names[i], sizeof names[i], "m%zu", i);
        many[i].name = names[i];
    }
    o.test.measurements = many;
    o.test.measurements_len = RESULT_MEASUREMENTS_MAX;
    for (size_t i = 0; i < HISTORY_SERIES_MAX / RESULT_MEASUREMENTS_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%zu", i);
        o.test.test_id = id;
        assert_true(history_add(h, &o.run));
    }
    o.test.test_id = "one more";
    assert_false(history_add(h, &o.run));
    assert_int_equal(history_count(h), HISTORY_SERIES_MAX);
    history_free(h);
}

static void long_names_are_told_apart(void **state)
{
    (void)state;
    struct history *h = history_new();
    struct one o;
    char name[1001];
    make(&o, 1, 1);
    memset(name, 'a', 1000);
    name[1000] = '\0';
    o.m.name = name;
    assert_true(history_add(h, &o.run));
    assert_non_null(history_find(h, "t", name));
    name[999] = 'b';
    assert_null(history_find(h, "t", name));
    history_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_gather_in_order),
        cmocka_unit_test(what_counts_for_nothing_is_left_out),
        cmocka_unit_test(another_way_of_measuring_begins_anew),
        cmocka_unit_test(old_values_make_room),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(long_names_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
