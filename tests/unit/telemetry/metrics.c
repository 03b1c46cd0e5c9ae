/* What a query answers: exactness, bounds, quantiles, series, the ring. */
#include "fixture.h"

#include "support/random.h"

#include "stats/exact.h"
#include "stats/quantile.h"

#include <math.h>

static int set_up(void **state)
{
    static struct fixture f;
    fixture_init(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_release(*state);
    return 0;
}

/* Send `n` lognormal latencies now; they are also put into `values`. */
static void send_many(struct fixture *f, uint64_t uid, size_t n, uint64_t *seed, double *values)
{
    struct bytes b = BYTES_INIT(SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        double value = random_latency(seed);
        if (values)
            values[i] = value;
        bytes_printf(&b, "{\"latency_ms\":%.17g}\n", value);
    }
    fixture_send(f, uid, b.data);
    bytes_release(&b);
}

static void assert_near(double value, double right, double ratio)
{
    if (!(fabs(value - right) <= ratio * right))
        fail_msg("%g is not within %g of %g", value, ratio, right);
}

static void test_exact_and_not(void **state)
{
    struct fixture *f = *state;
    static double values[20000];
    static const double qs[] = {0, 0.25, 0.5, 0.95, 0.99, 0.999, 1};
    struct metrics_query q = {.window_ms = HOUR, .n_quantiles = 7};
    memcpy(q.quantiles, qs, sizeof qs);
    uint64_t seed = 1;
    for (size_t n = 5000; n <= 20000; n += 5000) {
        double sorted[7], recent[3];
        static double copy[20000];
        send_many(f, 1, 5000, &seed, values + n - 5000);
        struct metrics m = fixture_ask(f, 1, &q);
        memcpy(copy, values, n * sizeof *values);
        exact_quantiles(copy, n, qs, sorted, 7);
        assert_int_equal(m.latency.count, n);
        assert_int_equal(m.latency.exact, n <= 10000);
        for (int i = 0; i < 7; i++)
            assert_near(m.latency.quantiles[i], sorted[i],
                        n <= 10000 ? 0 : m.latency.error_bound_ratio);
        assert_near(m.latency.p95, sorted[3], n <= 10000 ? 0 : 0.00543);
        assert_true(m.latency.min == sorted[0] && m.latency.max == sorted[6]);
        size_t kept = n < 10000 ? n : 10000;
        memcpy(copy, values + n - kept, kept * sizeof *values);
        exact_quantiles(copy, kept, (double[]){0.5, 0.95, 0.99}, recent, 3);
        assert_int_equal(m.recent.count, kept);
        assert_int_equal(m.recent.capacity, 10000);
        assert_true(m.recent.p50 == recent[0] && m.recent.p95 == recent[1] &&
                    m.recent.p99 == recent[2]);
    }
}

/* A window is exact when the ring has all of it, whatever else there is. */
static void test_exact_window(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    send_many(f, 1, 20000, &seed, NULL);
    f->clock.wall_ms += 10 * MINUTE;
    send_many(f, 1, 500, &seed, NULL);
    assert_true(fixture_window(f, 1, 5 * MINUTE).latency.exact);
    assert_false(fixture_window(f, 1, 15 * MINUTE).latency.exact);
    /* A late record pushes an old one out, not one of the window. */
    fixture_record(f, 1, START - DAY, 3);
    assert_true(fixture_window(f, 1, 5 * MINUTE).latency.exact);
    send_many(f, 2, 3, &seed, NULL);
    fixture_record(f, 2, START - DAY, 3);
    assert_int_equal(fixture_window(f, 2, 7 * DAY).total, 4);
    assert_true(fixture_window(f, 2, 7 * DAY).latency.exact);
}

/* Constants come out as they went in, by rank; Prometheus' formula is off by up to a bucket. */
static void test_methods(void **state)
{
    struct fixture *f = *state;
    struct bytes b = BYTES_INIT(SIZE_MAX);
    struct sketch s;
    sketch_init(&s, SKETCH_SCALE);
    for (int i = 0; i < 15000; i++) {
        bytes_text(&b, "{\"latency_ms\":42}\n");
        sketch_add(&s, 42);
    }
    fixture_send(f, 1, b.data);
    bytes_release(&b);
    struct metrics_query q = {.window_ms = HOUR};
    struct metrics m = fixture_ask(f, 1, &q);
    assert_false(m.latency.exact);
    assert_true(m.latency.p50 == 42 && m.latency.p99 == 42);
    q.method = METHOD_PROMQL;
    m = fixture_ask(f, 1, &q);
    assert_true(m.latency.p95 == sketch_quantile_promql(&s, 0.95));
    assert_true(m.latency.p95 != 42);
    sketch_release(&s);
}

static void test_low_sample(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    struct metrics_query deep = {.window_ms = HOUR, .quantiles = {0.999}, .n_quantiles = 1};
    send_many(f, 1, 367, &seed, NULL);
    assert_true(fixture_window(f, 1, HOUR).latency.low_sample);
    send_many(f, 1, 1, &seed, NULL);
    assert_false(fixture_window(f, 1, HOUR).latency.low_sample);
    assert_true(fixture_ask(f, 1, &deep).latency.low_sample);
    send_many(f, 1, 3687 - 368, &seed, NULL);
    assert_true(fixture_ask(f, 1, &deep).latency.low_sample);
    send_many(f, 1, 1, &seed, NULL);
    assert_false(fixture_ask(f, 1, &deep).latency.low_sample);
}

static void test_error_kinds(void **state)
{
    struct fixture *f = *state;
    struct bytes b = BYTES_INIT(SIZE_MAX);
    for (int i = 0; i < 100; i++)
        bytes_printf(
            &b,
            "{\"latency_ms\":1,\"success\":false,\"error_type\":\"e%d\",\"scores\":{\"s%d\":%d}}\n",
            i, i, i);
    fixture_send(f, 1, b.data);
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.n_errors, 65);
    assert_string_equal(m.errors[0].type, "other");
    assert_int_equal(m.errors[0].count, 36);
    assert_int_equal(m.n_scores, 65);
    assert_string_equal(m.scores[64].name, "other");
    assert_int_equal(m.scores[64].count, 36);
    /* The kinds stay the same over a restart, and one that is called "other" takes in the others.
     */
    fixture_restart(f);
    fixture_send(f, 1, b.data);
    m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.n_errors, 65);
    assert_int_equal(m.errors[0].count, 72);
    bytes_clear(&b);
    bytes_text(&b, "{\"latency_ms\":1,\"success\":false,\"error_type\":\"other\"}\n");
    for (int i = 0; i < 70; i++)
        bytes_printf(&b, "{\"latency_ms\":1,\"success\":false,\"error_type\":\"e%d\"}\n", i);
    fixture_send(f, 2, b.data);
    m = fixture_window(f, 2, HOUR);
    assert_int_equal(m.n_errors, 64);
    assert_string_equal(m.errors[0].type, "other");
    assert_int_equal(m.errors[0].count, 8);
    bytes_release(&b);
}

static void test_series(void **state)
{
    struct fixture *f = *state;
    f->clock.wall_ms = START + 10 * MINUTE + 30 * SECOND;
    fixture_record(f, 1, START + 2 * MINUTE, 5);
    fixture_record(f, 1, START + 2 * MINUTE + 59 * SECOND, 7);
    fixture_send(f, 1, "{\"latency_ms\":9,\"success\":false}");
    struct metrics_query q = {.window_ms = 10 * MINUTE, .resolution_ms = MINUTE};
    struct metrics m = fixture_ask(f, 1, &q);
    assert_int_equal(m.resolution_ms, MINUTE);
    assert_int_equal(m.n_series, 11);
    assert_int_equal(m.series[0].start, START);
    assert_int_equal(m.series[2].start, START + 2 * MINUTE);
    assert_int_equal(m.series[2].count, 2);
    assert_int_equal(m.series[2].failure, 0);
    assert_near(m.series[2].p50, 5, 0.00543);
    assert_true(m.series[2].p99 == 7);
    assert_true(isnan(m.series[3].p50) && m.series[3].count == 0);
    assert_int_equal(m.series[10].failure, 1);
    /* Rounded up to whole slots; the first point begins where the window does. */
    q.resolution_ms = 3 * MINUTE + 1;
    m = fixture_ask(f, 1, &q);
    assert_int_equal(m.resolution_ms, 4 * MINUTE);
    assert_int_equal(m.n_series, 3);
    assert_int_equal(m.series[1].start % (4 * MINUTE), 0);
    uint64_t total = 0;
    for (size_t i = 0; i < m.n_series; i++)
        total += m.series[i].count;
    assert_int_equal(total, 3);
    q = (struct metrics_query){.window_ms = DAY, .resolution_ms = SECOND};
    m = fixture_ask(f, 1, &q);
    assert_int_equal(m.resolution_ms, 15 * MINUTE);
    assert_int_equal(m.n_series, 97);
}

/* At most 1,000 points, whatever is asked. */
/* A window that ended before the retention begins: it is empty, whatever is asked of it. */
static void test_forgotten_window(void **state)
{
    struct fixture *f = *state;
    fixture_record(f, 1, f->clock.wall_ms, 5);
    struct metrics_query q = {
        .from = START - 400 * DAY, .to = START - 300 * DAY, .resolution_ms = HOUR};
    struct metrics m = fixture_ask(f, 1, &q);
    assert_int_equal(m.total, 0);
    assert_int_equal(m.n_series, 0);
    assert_int_equal(m.from, m.to);
    assert_int_equal(m.lifetime.total, 1);
}

static void test_long_series(void **state)
{
    telemetry_close(((struct fixture *)*state)->telemetry);
    struct fixture *f = *state;
    f->config.retention_days = 2000;
    fixture_open(f);
    fixture_record(f, 1, f->clock.wall_ms, 5);
    struct metrics_query q = {.window_ms = 2000 * DAY, .resolution_ms = 6 * HOUR};
    struct metrics m = fixture_ask(f, 1, &q);
    assert_in_range(m.n_series, 800, 1000);
    assert_int_equal(m.resolution_ms % (6 * HOUR), 0);
    assert_int_equal(m.series[m.n_series - 1].count, 1);
}

/* --- the ring over restarts --- */

static void test_ring_saved(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    struct err e;
    send_many(f, 1, 12000, &seed, NULL);
    send_many(f, 2, 10, &seed, NULL);
    struct metrics before = fixture_window(f, 1, HOUR);
    fixture_restart(f);
    struct metrics after = fixture_window(f, 1, HOUR);
    assert_int_equal(after.recent.count, 10000);
    assert_true(after.recent.p50 == before.recent.p50 && after.recent.p99 == before.recent.p99);
    /* Saved, more records, killed: checkpoint and log together. */
    send_many(f, 1, 700, &seed, NULL);
    assert_true(rings_save(f->telemetry, &e));
    send_many(f, 1, 300, &seed, NULL);
    before = fixture_window(f, 1, HOUR);
    fixture_crash(f);
    after = fixture_window(f, 1, HOUR);
    assert_int_equal(after.recent.count, 10000);
    assert_true(after.recent.p50 == before.recent.p50 && after.recent.p99 == before.recent.p99 &&
                after.recent.min == before.recent.min && after.recent.max == before.recent.max);
    assert_int_equal(fixture_window(f, 2, HOUR).recent.count, 10);
}

/* Of a batch that is longer than the ring its end stays, wherever the ring's next place is. */
static void test_ring_shorter_than_a_batch(void **state)
{
    static double values[10400 + 25000 + 7];
    struct fixture *f = *state;
    const size_t sizes[] = {10400, 25000, 7};
    uint64_t seed = 1;
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        double recent[5];
        send_many(f, 1, sizes[i], &seed, values + n);
        n += sizes[i];
        static double copy[10000];
        memcpy(copy, values + n - 10000, sizeof copy);
        exact_quantiles(copy, 10000, (double[]){0, 0.5, 0.95, 0.99, 1}, recent, 5);
        struct metrics m = fixture_window(f, 1, HOUR);
        assert_int_equal(m.total, n);
        assert_int_equal(m.recent.count, 10000);
        assert_true(m.recent.min == recent[0] && m.recent.p50 == recent[1] &&
                    m.recent.p95 == recent[2] && m.recent.p99 == recent[3] &&
                    m.recent.max == recent[4]);
    }
}

/* The log behind a checkpoint is gone for one model: that one's ring begins anew, the other's goes
 * on. */
static void test_ring_gap(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    struct err e;
    telemetry_close(f->telemetry);
    f->config.segment_bytes = 100 * 1000; /* one batch of 5,000 each */
    fixture_open(f);
    send_many(f, 1, 50, &seed, NULL);
    send_many(f, 2, 60, &seed, NULL);
    assert_true(rings_save(f->telemetry, &e));
    for (int i = 0; i < 20; i++) /* several segments */
        send_many(f, 1, 5000, &seed, NULL);
    fixture_roll_up(f);
    struct telemetry_stats stats;
    telemetry_stats(f->telemetry, &stats);
    assert_int_equal(stats.segments, 1);
    send_many(f, 1, 7, &seed, NULL);
    fixture_crash(f);
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.total, 100057);
    assert_int_equal(m.recent.count, 5007); /* what the last segment still holds */
    assert_int_equal(fixture_window(f, 2, HOUR).recent.count, 60);
    assert_true(fixture_window(f, 2, HOUR).latency.exact);
}

static void damage_rings(const struct fixture *f, long at, const void *bytes, size_t len)
{
    char path[TEMP_DIR_SIZE + 32];
    snprintf(path, sizeof path, "%s/records/rings", f->dir);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void test_ring_damaged(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    send_many(f, 1, 50, &seed, NULL);
    telemetry_close(f->telemetry);
    damage_rings(f, 60, "x", 1);
    fixture_open(f);
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.total, 50);
    assert_true(m.recent.count <= 50);
}

/* A damaged count is no reason to ask for 12 GB, and to end for want of them. */
static void test_ring_damaged_count(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    const uint32_t n = 1u << 30;
    send_many(f, 1, 50, &seed, NULL);
    telemetry_close(f->telemetry);
    damage_rings(f, 32, &n, sizeof n);
    fixture_open(f);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 50);
}

static void test_ring_budget(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    telemetry_close(f->telemetry);
    f->config.ring_budget_bytes = 40 * 1024; /* one ring of 2,048 and one of 1,024 */
    fixture_open(f);
    send_many(f, 1, 5000, &seed, NULL);
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.recent.count, 2048);
    assert_int_equal(m.recent.capacity, 2048);
    assert_false(m.latency.exact);
    send_many(f, 2, 5000, &seed, NULL);
    assert_int_equal(fixture_window(f, 2, HOUR).recent.count, 1024);
    struct telemetry_stats stats;
    telemetry_stats(f->telemetry, &stats);
    assert_true(stats.ring_bytes <= 40 * 1024);
}

/* --- for /metrics --- */

static struct exposed exposed[2];
static size_t n_exposed;
static void take_exposed(void *ctx, const struct exposed *x)
{
    (void)ctx;
    assert_true(n_exposed < 2);
    exposed[n_exposed++] = *x;
}

static void test_exposed(void **state)
{
    struct fixture *f = *state;
    fixture_send(
        f, 7,
        "{\"latency_ms\":0.5}\n{\"latency_ms\":0.51}\n{\"latency_ms\":1}\n{\"latency_ms\":64}\n"
        "{\"latency_ms\":100000,\"success\":false}\n{\"latency_ms\":0}\n");
    for (int i = 0; i < 3; i++) {
        n_exposed = 0;
        telemetry_each(f->telemetry, take_exposed, NULL);
        assert_int_equal(n_exposed, 1);
        const struct exposed *x = &exposed[0];
        assert_int_equal(x->uid, 7);
        assert_int_equal(x->success, 5);
        assert_int_equal(x->failure, 1);
        assert_int_equal(x->bucket[0], 2);
        assert_int_equal(x->bucket[1], 2);
        assert_int_equal(x->bucket[7], 1);
        assert_int_equal(x->bucket[EXPOSED_BUCKETS], 1);
        assert_near(x->latency_ms_sum, 100066.01, 1e-9);
        if (i == 0)
            fixture_roll_up(f);
        else
            fixture_restart(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_exact_and_not),
        TEST(test_exact_window),
        TEST(test_methods),
        TEST(test_low_sample),
        TEST(test_error_kinds),
        TEST(test_series),
        TEST(test_long_series),
        TEST(test_ring_saved),
        TEST(test_ring_gap),
        TEST(test_ring_damaged),
        TEST(test_ring_budget),
        TEST(test_exposed),
        TEST(test_forgotten_window),
        TEST(test_ring_damaged_count),
        TEST(test_ring_shorter_than_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
