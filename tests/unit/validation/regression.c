#include "validation/regression.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <string.h>

/* A world of one test with up to eight measurements on each side. */
struct world {
    struct arena *arena;
    struct run subject, baseline;
    struct test_result tests[2];
    struct measurement figures[2][8];
    struct regression *found;
    size_t found_len;
};

static void setup(struct world *w)
{
    *w = (struct world){.arena = arena_new(1 << 20)};
    for (int i = 0; i < 2; i++) {
        struct run *r = i ? &w->baseline : &w->subject;
        run_init(r);
        test_result_init(&w->tests[i]);
        w->tests[i].test_id = "t";
        w->tests[i].name = "holdout";
        w->tests[i].type = "regression";
        w->tests[i].status = "passed";
        w->tests[i].measurements = w->figures[i];
        r->results = &w->tests[i];
        r->results_len = 1;
    }
}

/* Add a figure to the subject (side 0) or the baseline (1). */
static void add(struct world *w, int side, struct measurement m)
{
    m.unit = m.unit ? m.unit : "";
    w->figures[side][w->tests[side].measurements_len++] = m;
}

static struct measurement mean_of(const char *name, double value, int64_t n, double variance)
{
    return (struct measurement){.name = name,
                                .value = value,
                                .better = "higher",
                                .target = NAN,
                                .samples = n,
                                .variance = variance};
}

static struct measurement share_of(const char *name, double value, int64_t n)
{
    struct measurement m = mean_of(name, value, n, NAN);
    m.unit = "ratio";
    return m;
}

static void find(struct world *w, const struct comparison_input *more)
{
    struct comparison_input in = more ? *more : (struct comparison_input){0};
    struct err e = {0};
    in.subject = &w->subject;
    in.baseline = &w->baseline;
    assert_true(regressions_find(&in, w->arena, &w->found, &w->found_len, &e));
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-9 * fabs(expected) + 1e-300);
}

/* Expected: scipy.stats.ttest_ind_from_stats(.71, sqrt(.04), 900, .75, sqrt(.05), 800, False) and
 * its t.ppf interval. */
static void means_are_compared_by_welch(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    add(&w, 0, mean_of("score", 0.71, 900, 0.04));
    add(&w, 1, mean_of("score", 0.75, 800, 0.05));
    find(&w, NULL);
    assert_int_equal(w.found_len, 1);
    const struct regression *r = &w.found[0];
    assert_int_equal(r->by, COMPARED_BY_MEANS);
    assert_near(r->delta, -0.04);
    assert_near(r->delta_ratio, -0.04 / 0.75);
    assert_near(r->p_value, 0.00011411576280795988);
    assert_true(r->confidence.lo < -0.04 && r->confidence.hi > -0.04 && r->confidence.hi < 0);
    assert_true(r->worse && r->significant && !r->low_sample && !r->incomparable);
    arena_free(w.arena);
}

static void shares_are_compared_by_counts(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    add(&w, 0, share_of("accuracy", 0.90, 1000));
    add(&w, 1, share_of("accuracy", 0.95, 1000));
    add(&w, 0, share_of("auc", 0.91234, 1000)); /* no whole count: a bare value */
    add(&w, 1, share_of("auc", 0.95, 1000));
    struct measurement with_variance = share_of("recall", 0.5, 50);
    with_variance.variance = 0.25 * 50 / 49;
    add(&w, 0, with_variance);
    add(&w, 1, with_variance);
    find(&w, NULL);
    assert_int_equal(w.found_len, 3);
    assert_int_equal(w.found[0].by, COMPARED_BY_PROPORTION);
    assert_true(w.found[0].significant && w.found[0].p_value < 1e-4);
    assert_int_equal(w.found[1].by, COMPARED_BY_VALUE);
    assert_true(isnan(w.found[1].p_value) && isnan(w.found[1].confidence.lo));
    assert_true(w.found[1].significant); /* beyond the margin, and nothing tells it is chance */
    assert_int_equal(w.found[2].by, COMPARED_BY_PROPORTION);
    assert_false(w.found[2].worse || w.found[2].significant);
    arena_free(w.arena);
}

/* The same examples for both: pairs see what two separate samples cannot. */
static void pairs_go_before_all_else(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    w.tests[1].test_revision = 9; /* does not matter: both sides ran now */
    struct measurement both = mean_of("log_loss", 0.52, 400, 0.20);
    both.better = "lower";
    both.pairs = (struct measurement_pairs){400, 0.02, 0.01};
    add(&w, 0, both);
    add(&w, 1, mean_of("log_loss", 0.4, 400, 0.20));
    find(&w, NULL);
    assert_int_equal(w.found_len, 1);
    const struct regression *r = &w.found[0];
    assert_int_equal(r->by, COMPARED_BY_PAIRS);
    assert_false(r->incomparable);
    assert_near(r->baseline, 0.5);
    assert_near(r->delta, 0.02);
    assert_near(r->p_value, 7.549295214159837e-05); /* 2 * scipy.stats.t.sf(4, 399) */
    assert_true(r->significant);
    struct comparison_input alone = {.subject = &w.subject};
    struct err e = {0};
    assert_true(regressions_find(&alone, w.arena, &w.found, &w.found_len, &e));
    assert_int_equal(w.found_len, 1); /* needs no run of the baseline's */
    arena_free(w.arena);
}

static void directions_decide_what_is_worse(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct measurement low = mean_of("latency", 12, 0, NAN), high = mean_of("score", 12, 0, NAN);
    struct measurement near = mean_of("bias", 0.5, 0, NAN);
    low.better = "lower";
    near.better = "target";
    near.target = 1;
    add(&w, 0, low), add(&w, 0, high), add(&w, 0, near);
    low.value = high.value = 10;
    near.value = 1.25;
    add(&w, 1, low), add(&w, 1, high), add(&w, 1, near);
    find(&w, NULL);
    assert_true(w.found[0].worse && w.found[0].significant);
    assert_false(w.found[1].worse);
    assert_true(w.found[2].worse); /* 0.5 from the target instead of 0.25 */
    assert_near(w.found[2].delta, 0.25);
    assert_near(w.found[2].delta_ratio, 0.25);
    arena_free(w.arena);
}

static void the_interval_of_distances_goes_through_the_target(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct measurement m = mean_of("bias", 0.1, 100, 1);
    m.better = "target";
    m.target = 0;
    add(&w, 0, m);
    m.value = -0.1;
    add(&w, 1, m);
    find(&w, NULL);
    const struct regression *r = &w.found[0];
    assert_true(fabs(r->delta) < 1e-15 && isnan(r->delta_ratio) == false);
    assert_near(r->confidence.lo, -0.1); /* it may lie on the target itself */
    assert_true(r->confidence.hi > 0.2 && r->confidence.hi < 0.5);
    arena_free(w.arena);
}

static void a_harm_within_the_margin_is_not_significant(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    add(&w, 0, mean_of("score", 0.995, 100000000, 0.01));
    add(&w, 1, mean_of("score", 1, 100000000, 0.01));
    find(&w, NULL);
    assert_true(w.found[0].p_value < 1e-9 && w.found[0].worse);
    assert_false(w.found[0].significant); /* half a percent: sure, and of no matter */
    struct regression_rules strict = REGRESSION_RULES;
    strict.margin_ratio = 0.001;
    find(&w, &(struct comparison_input){.rules = &strict});
    assert_true(w.found[0].significant);
    w.figures[0][0].margin_ratio = 0.02; /* the test knows better */
    find(&w, &(struct comparison_input){.rules = &strict});
    assert_false(w.found[0].significant);
    arena_free(w.arena);
}

static void what_was_measured_otherwise_is_incomparable(void **state)
{
    (void)state;
    struct result_dataset before = {"d", "aa"}, after = {"d", "bb"};
    for (int what = 0; what < 4; what++) {
        struct world w;
        setup(&w);
        add(&w, 0, mean_of("score", 0.1, 900, 0.04));
        add(&w, 1, mean_of("score", 0.75, 800, 0.05));
        w.tests[0].test_revision += what == 0;
        w.tests[0].config_sha256 = what == 1 ? "other" : NULL;
        w.tests[0].plugin.sha256 = what == 2 ? "other" : NULL;
        w.tests[0].datasets = &after;
        w.tests[1].datasets = what == 3 ? &before : &after;
        w.tests[0].datasets_len = w.tests[1].datasets_len = 1;
        find(&w, NULL);
        assert_int_equal(w.found_len, 1);
        assert_true(w.found[0].incomparable && w.found[0].why && !w.found[0].significant);
        assert_true(isnan(w.found[0].p_value) && isnan(w.found[0].confidence.lo));
        arena_free(w.arena);
    }
}

static void what_has_no_counterpart_is_left_out(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    add(&w, 0, mean_of("new", 1, 10, 1));
    add(&w, 1, mean_of("old", 1, 10, 1));
    find(&w, NULL);
    assert_int_equal(w.found_len, 0);
    add(&w, 1, mean_of("new", 1, 10, 1));
    find(&w, NULL);
    assert_int_equal(w.found_len, 1);
    assert_true(w.found[0].low_sample);
    struct measurement seen = mean_of("seen", 1, 10, 1);
    seen.better = NULL; /* only to be looked at */
    add(&w, 0, seen), add(&w, 1, seen);
    find(&w, NULL);
    assert_int_equal(w.found_len, 1);
    w.tests[1].status = "crashed";
    find(&w, NULL);
    assert_int_equal(w.found_len, 0);
    arena_free(w.arena);
}

static const struct history_point *past(void *self, const struct test_result *t,
                                        const struct measurement *m, size_t *len)
{
    static struct history_point points[12];
    (void)t;
    assert_string_equal(m->name, "p99_ms");
    for (int i = 0; i < 12; i++)
        points[i] = (struct history_point){.value = 100 + (i % 2 ? 5 : -5)};
    *len = *(size_t *)self;
    return points;
}

static void bare_values_are_held_against_their_history(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    struct measurement m = mean_of("p99_ms", 112, 5000, NAN);
    m.better = "lower";
    add(&w, 0, m);
    m.value = 100;
    add(&w, 1, m);
    size_t len = 12;
    struct comparison_input in = {.history = past, .history_self = &len};
    find(&w, &in);
    assert_int_equal(w.found[0].by, COMPARED_BY_HISTORY);
    /* 2 * scipy.stats.t.sf(12 / (sqrt(2) * numpy.std(past, ddof=1)), 11) */
    assert_near(w.found[0].p_value, 0.13248561188088084);
    assert_false(w.found[0].significant); /* it has moved as much before */
    assert_int_equal(w.found[0].history_len, 12);
    len = 9;
    find(&w, &in);
    assert_int_equal(w.found[0].by, COMPARED_BY_VALUE);
    assert_true(w.found[0].significant);
    arena_free(w.arena);
}

/* Of 400 runs without a change, one in twenty may call something significant, however many
 * measurements it has. */
static void many_measurements_do_not_make_false_alarms(void **state)
{
    (void)state;
    uint64_t seed = 4;
    int alarms = 0;
    for (int run = 0; run < 400; run++) {
        struct world w;
        setup(&w);
        for (int i = 0; i < 8; i++) {
            static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
            double sum[2] = {0, 0};
            for (int k = 0; k < 2; k++)
                sum[k] = 10 + random_normal(&seed) * sqrt(25.0 / 100);
            add(&w, 0, mean_of(names[i], sum[0], 100, 25));
            add(&w, 1, mean_of(names[i], sum[1], 100, 25));
        }
        find(&w, NULL);
        bool any = false;
        for (size_t i = 0; i < w.found_len; i++)
            any |= w.found[i].p_value <= 0.05;
        for (size_t i = 0; i < w.found_len; i++) /* intervals and p-values say the same */
            assert_true((w.found[i].p_value <= 0.05) ==
                        (w.found[i].confidence.lo > 0 || w.found[i].confidence.hi < 0));
        alarms += any;
        arena_free(w.arena);
    }
    assert_in_range(alarms, 8, 34);
}

static struct grading by_size(void *self, const struct regression *r, struct arena *a)
{
    ++*(int *)self;
    if (r->incomparable)
        return (struct grading){SEVERITY_LOW, "p", r->why};
    if (!r->significant)
        return (struct grading){SEVERITY_NONE, "p", NULL};
    return (struct grading){fabs(r->delta_ratio) > 0.1 ? SEVERITY_HIGH : SEVERITY_MEDIUM, "p",
                            arena_text(a, "worse")};
}

/* What chance explains does not reach the policy; what cannot be compared does. */
static void chance_is_not_graded(void **state)
{
    (void)state;
    struct world w;
    int calls = 0;
    enum severity worst;
    setup(&w);
    add(&w, 0, mean_of("score", 0.74, 50, 0.04)), add(&w, 1, mean_of("score", 0.75, 50, 0.05));
    find(&w, NULL);
    assert_true(w.found[0].worse && w.found[0].chance && !w.found[0].significant);
    assert_int_equal(regressions_grade(w.found, w.found_len, by_size, &calls, w.arena, &worst), 0);
    assert_int_equal(calls, 0);
    w.tests[1].test_revision = 7;
    find(&w, NULL);
    assert_int_equal(regressions_grade(w.found, w.found_len, by_size, &calls, w.arena, &worst), 1);
    assert_int_equal(calls, 1);
    assert_int_equal(worst, SEVERITY_LOW);
    arena_free(w.arena);
}

static void the_policy_grades(void **state)
{
    (void)state;
    struct world w;
    setup(&w);
    add(&w, 0, mean_of("better", 2, 0, NAN)), add(&w, 1, mean_of("better", 1, 0, NAN));
    add(&w, 0, mean_of("bad", 0.95, 0, NAN)), add(&w, 1, mean_of("bad", 1, 0, NAN));
    add(&w, 0, mean_of("tiny", 0.999, 0, NAN)), add(&w, 1, mean_of("tiny", 1, 0, NAN));
    add(&w, 0, mean_of("worst", 0.5, 0, NAN)), add(&w, 1, mean_of("worst", 1, 0, NAN));
    find(&w, NULL);
    int calls = 0;
    enum severity worst = SEVERITY_LOW;
    assert_int_equal(regressions_grade(w.found, w.found_len, by_size, &calls, w.arena, &worst), 2);
    assert_int_equal(calls, 3);
    assert_int_equal(worst, SEVERITY_HIGH);
    assert_string_equal(w.found[0].measurement, "bad");
    assert_string_equal(w.found[0].severity, "medium");
    assert_string_equal(w.found[1].measurement, "worst");
    assert_string_equal(w.found[1].severity, "high");
    assert_string_equal(w.found[1].policy, "p");
    assert_int_equal(regressions_grade(NULL, 0, by_size, &calls, w.arena, &worst), 0);
    assert_int_equal(worst, SEVERITY_NONE);
    arena_free(w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_compared_by_welch),
        cmocka_unit_test(shares_are_compared_by_counts),
        cmocka_unit_test(pairs_go_before_all_else),
        cmocka_unit_test(directions_decide_what_is_worse),
        cmocka_unit_test(the_interval_of_distances_goes_through_the_target),
        cmocka_unit_test(a_harm_within_the_margin_is_not_significant),
        cmocka_unit_test(what_was_measured_otherwise_is_incomparable),
        cmocka_unit_test(what_has_no_counterpart_is_left_out),
        cmocka_unit_test(bare_values_are_held_against_their_history),
        cmocka_unit_test(many_measurements_do_not_make_false_alarms),
        cmocka_unit_test(chance_is_not_graded),
        cmocka_unit_test(the_policy_grades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
