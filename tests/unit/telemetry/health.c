#include "telemetry/health.h"

#include "stats/grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

/* One model's hour: `per_minute` records of about `latency` ms (a fixed spread), `failed` of them
 * failures. */
struct traffic {
    struct sketch minutes[HEALTH_MINUTES], five;
    struct health_arm arm;
};

static uint32_t seed;

static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / 16777216.0;
}

static void fill(struct traffic *t, int minutes, uint64_t per_minute, uint64_t failed,
                 double from_ms, double to_ms)
{
    memset(&t->arm, 0, sizeof t->arm);
    sketch_init(&t->five, GRID_SCALE);
    for (int i = 0; i < minutes; i++) {
        double latency = from_ms + (to_ms - from_ms) * i / minutes;
        sketch_init(&t->minutes[i], GRID_SCALE);
        for (uint64_t k = 0; k < per_minute; k++)
            assert_true(sketch_add(&t->minutes[i], latency * (0.5 + uniform())));
        t->arm.minutes[i] =
            (struct health_minute){(int64_t)i * 60000, per_minute, failed, &t->minutes[i]};
        if (i >= minutes - 5) {
            t->arm.five_total += per_minute;
            t->arm.five_failed += failed;
            assert_true(sketch_merge(&t->five, &t->minutes[i]));
        }
    }
    t->arm.n_minutes = (size_t)minutes;
    t->arm.five = &t->five;
}

static void drop(struct traffic *t)
{
    for (size_t i = 0; i < t->arm.n_minutes; i++)
        sketch_release(&t->minutes[i]);
    sketch_release(&t->five);
}

static const struct slo NONE = {NAN, NAN, NAN, NAN};

static struct health_validated validated = {CHECK_UNKNOWN, "no run"};

static void judge(const struct traffic *s, const struct traffic *b, struct slo slo,
                  struct health_report *out)
{
    memset(out, 0, sizeof *out);
    health_judge(&s->arm, b ? &b->arm : NULL, &slo, &validated, 1000, out);
    assert_int_equal(out->checked_at, 1000);
}

static void no_traffic_is_unknown(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 0, 0, 0, 1, 1);
    judge(&s, NULL, NONE, &h);
    assert_int_equal(h.status, HEALTH_UNKNOWN);
    assert_int_equal(h.trend, TREND_UNKNOWN);
    for (int i = 0; i < HEALTH_CHECKS; i++) {
        assert_int_equal(h.checks[i].status, CHECK_UNKNOWN);
        assert_true(strlen(h.checks[i].detail) > 0);
    }
    drop(&s);
}

static void within_thresholds_is_healthy(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 60, 100, 0, 20, 20);
    judge(&s, NULL, (struct slo){50, 60, 0.02, 10}, &h);
    assert_int_equal(h.status, HEALTH_HEALTHY);
    assert_int_equal(h.trend, TREND_STEADY);
    assert_int_equal(h.checks[HEALTH_LATENCY_P95].status, CHECK_PASS);
    assert_true(h.checks[HEALTH_LATENCY_P95].lo <= h.checks[HEALTH_LATENCY_P95].value);
    assert_int_equal(h.checks[HEALTH_TRAFFIC].status, CHECK_PASS);
    assert_float_equal(h.checks[HEALTH_TRAFFIC].value, 100, 1e-9);
    drop(&s);
}

static void fails_only_when_the_interval_clears(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 5, 100, 6, 20, 20); /* 30 of 500: Wilson 4.2 .. 8.4 % */
    judge(&s, NULL, (struct slo){NAN, NAN, 0.05, NAN}, &h);
    assert_int_equal(h.checks[HEALTH_ERROR_RATE].status, CHECK_WARN);
    assert_int_equal(h.status, HEALTH_DEGRADED);
    judge(&s, NULL, (struct slo){NAN, NAN, 0.04, NAN}, &h);
    assert_int_equal(h.checks[HEALTH_ERROR_RATE].status, CHECK_FAIL);
    assert_int_equal(h.status, HEALTH_UNHEALTHY);
    judge(&s, NULL, (struct slo){10, NAN, NAN, NAN}, &h);
    assert_int_equal(h.checks[HEALTH_LATENCY_P95].status, CHECK_FAIL);
    drop(&s);
}

static void few_samples_tell_nothing(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 5, 3, 0, 20, 20);
    judge(&s, NULL, (struct slo){50, 50, 0.05, NAN}, &h);
    assert_int_equal(h.checks[HEALTH_ERROR_RATE].status, CHECK_UNKNOWN);
    assert_int_equal(h.checks[HEALTH_LATENCY_P99].status, CHECK_UNKNOWN);
    assert_int_equal(h.status, HEALTH_UNKNOWN);
    drop(&s);
}

static void too_little_traffic_fails(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 5, 10, 0, 20, 20);
    judge(&s, NULL, (struct slo){NAN, NAN, NAN, 100}, &h);
    assert_int_equal(h.checks[HEALTH_TRAFFIC].status, CHECK_FAIL);
    drop(&s);
}

static void equal_to_the_baseline_is_healthy(void **state)
{
    (void)state;
    struct traffic s, b;
    struct health_report h;
    fill(&b, 60, 200, 4, 20, 20);
    fill(&s, 60, 100, 2, 20, 20);
    judge(&s, &b, NONE, &h);
    assert_int_equal(h.status, HEALTH_HEALTHY);
    assert_float_equal(h.checks[HEALTH_ERROR_RATE].baseline, 0.02, 1e-9);
    drop(&s);
    drop(&b);
}

static void worse_than_the_baseline_warns(void **state)
{
    (void)state;
    struct traffic s, b;
    struct health_report h;
    fill(&b, 60, 200, 2, 20, 20);
    fill(&s, 60, 100, 8, 20, 20);
    judge(&s, &b, NONE, &h);
    assert_int_equal(h.checks[HEALTH_ERROR_RATE].status, CHECK_WARN);
    assert_int_equal(h.status, HEALTH_DEGRADED);
    drop(&s);
    fill(&s, 60, 100, 1, 30, 30);
    judge(&s, &b, NONE, &h);
    assert_int_equal(h.checks[HEALTH_ERROR_RATE].status, CHECK_PASS);
    assert_int_equal(h.checks[HEALTH_LATENCY_P95].status, CHECK_WARN);
    assert_int_equal(h.checks[HEALTH_LATENCY_P99].status, CHECK_WARN);
    drop(&s);
    drop(&b);
}

static void trends(void **state)
{
    (void)state;
    struct traffic s;
    struct health_report h;
    fill(&s, 60, 100, 0, 20, 40);
    judge(&s, NULL, NONE, &h);
    assert_int_equal(h.trend, TREND_WORSENING);
    drop(&s);
    fill(&s, 60, 100, 0, 40, 20);
    judge(&s, NULL, NONE, &h);
    assert_int_equal(h.trend, TREND_IMPROVING);
    drop(&s);
}

static enum health_status with_validation(const struct traffic *s, enum check_status status)
{
    struct health_report h;
    validated = (struct health_validated){status, "because"};
    judge(s, NULL, NONE, &h);
    assert_int_equal(h.checks[HEALTH_VALIDATION].status, status);
    assert_string_equal(h.checks[HEALTH_VALIDATION].detail, "because");
    validated = (struct health_validated){CHECK_UNKNOWN, "no run"};
    return h.status;
}

/* What its tests say counts like any check, but only inferences make a model healthy. */
static void validation_counts(void **state)
{
    (void)state;
    struct traffic s;
    fill(&s, 60, 100, 0, 30, 30);
    assert_int_equal(with_validation(&s, CHECK_UNKNOWN), HEALTH_HEALTHY);
    assert_int_equal(with_validation(&s, CHECK_PASS), HEALTH_HEALTHY);
    assert_int_equal(with_validation(&s, CHECK_WARN), HEALTH_DEGRADED);
    assert_int_equal(with_validation(&s, CHECK_FAIL), HEALTH_UNHEALTHY);
    drop(&s);
    fill(&s, 0, 0, 0, 1, 1);
    assert_int_equal(with_validation(&s, CHECK_PASS), HEALTH_UNKNOWN);
    assert_int_equal(with_validation(&s, CHECK_FAIL), HEALTH_UNHEALTHY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_traffic_is_unknown),
        cmocka_unit_test(within_thresholds_is_healthy),
        cmocka_unit_test(fails_only_when_the_interval_clears),
        cmocka_unit_test(few_samples_tell_nothing),
        cmocka_unit_test(too_little_traffic_fails),
        cmocka_unit_test(equal_to_the_baseline_is_healthy),
        cmocka_unit_test(worse_than_the_baseline_warns),
        cmocka_unit_test(trends),
        cmocka_unit_test(validation_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
