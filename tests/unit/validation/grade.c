/* The shipped default policy grades what a comparison found. */
#include "validation/grade.h"

#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct policies *catalog;
    struct grade_by_policy by;
    struct arena *arena;
};

static void setup(struct world *w)
{
    char dir[4096];
    struct err e = {0};
    snprintf(dir, sizeof dir, "%s/scripts/lua", getenv("PADDOCK_SOURCE"));
    const char *const dirs[] = {dir, NULL};
    *w = (struct world){.arena = arena_new(1 << 16)};
    w->catalog = policies_open(dirs, &CLOCK_SYSTEM, &e);
    assert_non_null(w->catalog);
    w->by = (struct grade_by_policy){.set = policy_set_new(w->catalog),
                                     .policy = "default",
                                     .model_id = "m:2",
                                     .name = "m",
                                     .version = "2",
                                     .status = "canary"};
}

static void teardown(struct world *w)
{
    policy_set_free(w->by.set);
    policies_close(w->catalog);
    arena_free(w->arena);
}

static struct regression drop_to(double candidate)
{
    return (struct regression){.test_id = "t",
                               .test_type = "regression",
                               .measurement = "accuracy",
                               .unit = "1",
                               .better = "higher",
                               .target = NAN,
                               .baseline = 1,
                               .candidate = candidate,
                               .delta = candidate - 1,
                               .delta_ratio = candidate - 1,
                               .confidence = {candidate - 1.001, candidate - 0.999},
                               .p_value = 1e-6,
                               .margin = 0.01,
                               .samples = 1000,
                               .worse = true};
}

static void the_default_policy_grades_in_margins(void **state)
{
    (void)state;
    static const struct {
        double candidate;
        enum severity severity;
    } rows[] = {{0.995, SEVERITY_NONE},
                {0.985, SEVERITY_LOW},
                {0.975, SEVERITY_MEDIUM},
                {0.95, SEVERITY_HIGH}};
    struct world w;
    setup(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct regression r = drop_to(rows[i].candidate);
        const struct grading g = grade_by_policy(&w.by, &r, w.arena);
        assert_int_equal(g.severity, rows[i].severity);
        assert_string_equal(g.policy, "default");
        assert_true(g.reason && *g.reason);
    }
    struct regression r = drop_to(0.95);
    const struct history_point past[] = {{.value = 1}, {.value = 0.99}};
    r.history = past;
    r.history_len = 2;
    r.incomparable = true;
    r.why = "the test was changed since";
    assert_int_equal(grade_by_policy(&w.by, &r, w.arena).severity, SEVERITY_NONE);
    teardown(&w);
}

static void a_margin_of_a_target_is_a_share_of_it(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct regression r = drop_to(0);
    r.better = "target";
    r.target = 100;
    r.baseline = 1e-9;
    r.delta = 0.5; /* half a margin further off */
    r.confidence = (struct interval){0.4, 0.6};
    assert_int_equal(grade_by_policy(&w.by, &r, w.arena).severity, SEVERITY_NONE);
    r.delta = 5;
    r.confidence = (struct interval){4, 6};
    assert_int_equal(grade_by_policy(&w.by, &r, w.arena).severity, SEVERITY_HIGH);
    teardown(&w);
}

static void a_policy_that_is_not_there_means_medium(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    w.by.policy = "nobody";
    const struct regression r = drop_to(0.5);
    const struct grading g = grade_by_policy(&w.by, &r, w.arena);
    assert_int_equal(g.severity, SEVERITY_MEDIUM);
    assert_non_null(strstr(g.reason, "failed"));
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_policy_grades_in_margins),
        cmocka_unit_test(a_margin_of_a_target_is_a_share_of_it),
        cmocka_unit_test(a_policy_that_is_not_there_means_medium),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
