/* Records in, windows out: tiers, lateness, edges, restarts. */
#include "fixture.h"

#include "support/random.h"

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

static void test_empty(void **state)
{
    struct fixture *f = *state;
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.total, 0);
    assert_true(isnan(m.latency.p50) && isnan(m.latency.min) && isnan(m.latency.mean));
    assert_int_equal(m.from, START - HOUR);
    assert_int_equal(m.to, START);
    assert_false(m.latency.exact);
    assert_true(m.latency.low_sample);
    assert_int_equal(m.recent.count, 0);
    assert_int_equal(m.recent.capacity, 10000);
    assert_int_equal(m.n_errors + m.n_scores + m.n_series, 0);
}

static void test_counts(void **state)
{
    struct fixture *f = *state;
    fixture_send(f, 1,
                 "{\"latency_ms\":10,\"scores\":{\"brier\":0.25,\"auc\":1}}\n"
                 "{\"latency_ms\":30,\"success\":false,\"error_type\":\"timeout\"}\n"
                 "{\"latency_ms\":20,\"success\":false,\"error_type\":\"bad\"}\n"
                 "{\"latency_ms\":40,\"success\":false,\"error_type\":\"timeout\",\"scores\":{"
                 "\"brier\":0.75}}\n"
                 "{\"latency_ms\":50,\"success\":false}\n"
                 "{\"latency_ms\":60,\"timestamp\":\"2026-11-23T03:00:00Z\"}\n");
    struct metrics m = fixture_window(f, 1, HOUR);
    assert_int_equal(m.total, 6);
    assert_int_equal(m.failure, 4);
    assert_int_equal(m.success, 2);
    assert_int_equal(m.clock_skewed, 1);
    assert_int_equal(m.mismatched, 0);
    assert_int_equal(m.n_errors, 2);
    assert_string_equal(m.errors[0].type, "timeout");
    assert_int_equal(m.errors[0].count, 2);
    assert_string_equal(m.errors[1].type, "bad");
    assert_int_equal(m.n_scores, 2);
    assert_string_equal(m.scores[0].name, "brier");
    assert_int_equal(m.scores[0].count, 2);
    assert_true(m.scores[0].mean == 0.5 && m.scores[0].min == 0.25 && m.scores[0].max == 0.75);
    assert_true(m.scores[0].variance == 0.125);
    assert_true(m.latency.min == 10 && m.latency.max == 60 && m.latency.mean == 35);
    assert_true(m.latency.p50 == 30 && m.latency.p99 == 60);
    assert_true(m.latency.exact && m.latency.error_bound_ratio == 0);
    assert_int_equal(m.lifetime.total, 6);
    assert_int_equal(m.lifetime.failure, 4);
    assert_int_equal(m.recent.count, 6);
    assert_true(m.recent.p50 == 30 && m.recent.max == 60);
    assert_int_equal(fixture_window(f, 2, HOUR).total, 0);
}

/* Which tier answers, and between which edges. */
static void test_plan(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t window, from;
        double bound;
    } cases[] = {
        {10 * SECOND, -15 * SECOND, 0.00543},     {MINUTE, -65 * SECOND, 0.00543},
        {5 * MINUTE, -6 * MINUTE, 0.00543},       {HOUR, -61 * MINUTE, 0.00543},
        {2 * HOUR, -135 * MINUTE, 0.0109},        {DAY, -DAY - 15 * MINUTE, 0.0109},
        {2 * DAY, -2 * DAY - HOUR, 0.0219},       {7 * DAY, -7 * DAY - HOUR, 0.0219},
        {30 * DAY, -30 * DAY - 6 * HOUR, 0.0219},
    };
    f->clock.wall_ms = START + 10 * HOUR + 7 * MINUTE + 3 * SECOND + 400;
    fixture_record(f, 1, f->clock.wall_ms, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct metrics m = fixture_window(f, 1, cases[i].window);
        struct metrics_query q = {.window_ms = cases[i].window};
        int64_t slot = i < 2   ? 5 * SECOND
                       : i < 4 ? MINUTE
                       : i < 6 ? 15 * MINUTE
                       : i < 8 ? HOUR
                               : 6 * HOUR;
        int64_t from = f->clock.wall_ms - cases[i].window;
        assert_int_equal(m.from, from - from % slot);
        assert_int_equal(m.to, f->clock.wall_ms);
        assert_int_equal(m.total, 1);
        assert_int_equal(telemetry_reads_disk(f->telemetry, &q), i == 8);
        assert_true(m.latency.exact);
        q.method = METHOD_PROMQL;
        assert_true(fabs(fixture_ask(f, 1, &q).latency.error_bound_ratio - cases[i].bound) <
                    0.00005);
    }
    struct metrics_query from_to = {.from = START + 9 * HOUR + 20 * MINUTE,
                                    .to = START + 9 * HOUR + 30 * MINUTE + 1};
    struct metrics m = fixture_ask(f, 1, &from_to);
    assert_int_equal(m.from, from_to.from);
    assert_int_equal(m.to, START + 9 * HOUR + 31 * MINUTE);
    from_to = (struct metrics_query){.from = START - 200 * DAY, .to = START + DAY};
    m = fixture_ask(f, 1, &from_to);
    int64_t oldest = f->clock.wall_ms - 90 * DAY;
    assert_int_equal(m.from, oldest - oldest % (6 * HOUR));
    assert_int_equal(m.to, f->clock.wall_ms);
    struct err e;
    struct metrics_query empty = {.from = 5000, .to = 5000};
    assert_false(telemetry_metrics(f->telemetry, 1, &empty, f->arena, &m, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
}

/* A minute window counts by 5 s slots once the server is up for a minute, by minutes before. */
static void test_minute_window(void **state)
{
    struct fixture *f = *state;
    f->clock.wall_ms = START + 2 * SECOND;
    fixture_record(f, 1, f->clock.wall_ms, 1);
    assert_int_equal(fixture_window(f, 1, MINUTE).from, START - MINUTE);
    f->clock.wall_ms = START + 90 * SECOND;
    fixture_record(f, 1, f->clock.wall_ms, 2);
    fixture_record(f, 1, START + 29 * SECOND, 3);
    fixture_record(f, 1, START + 30 * SECOND, 4);
    fixture_record(f, 1, START + 60 * SECOND, 5);
    struct metrics m = fixture_window(f, 1, MINUTE);
    assert_int_equal(m.from, START + 30 * SECOND);
    assert_int_equal(m.total, 3);
    assert_true(m.latency.min == 2 && m.latency.max == 5);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 5);
}

/* Times of records for each tier, and how they are counted there, at once and after settling. */
static void test_late(void **state)
{
    struct fixture *f = *state;
    static const int64_t ages[] = {0,           7 * SECOND, 40 * SECOND, 3 * MINUTE,
                                   59 * MINUTE, 3 * HOUR,   23 * HOUR,   2 * DAY,
                                   6 * DAY,     8 * DAY,    80 * DAY};
    enum { N = sizeof ages / sizeof *ages };
    f->clock.wall_ms = START + 100 * SECOND + 123;
    int64_t now = f->clock.wall_ms;
    for (int i = N - 1; i >= 0; i--) /* newest last, then once more the other way round */
        fixture_record(f, 1, now - ages[i], i + 1);
    for (int i = 0; i < N; i++)
        fixture_record(f, 1, now - ages[i], i + 1);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            struct metrics m = fixture_window(f, 1, ages[i] ? ages[i] : SECOND);
            /* After a restart the last minute is counted by whole minutes. */
            int reaches = round >= 2 && i < 3 ? 2 : i;
            assert_int_equal(m.total, 2 * (reaches + 1));
            assert_true(m.latency.max == reaches + 1 && m.latency.min == 1);
        }
        assert_int_equal(fixture_window(f, 1, DAY).lifetime.total, 2 * N);
        if (round == 0)
            fixture_roll_up(f);
        if (round == 1)
            fixture_crash(f);
        if (round == 2)
            fixture_restart(f);
    }
}

/* A record on an edge belongs to the slot that begins there. */
static void test_edges(void **state)
{
    struct fixture *f = *state;
    f->clock.wall_ms = START + 10 * MINUTE;
    fixture_record(f, 1, START + 5 * MINUTE, 1);
    fixture_record(f, 1, START + 5 * MINUTE - 1, 2);
    assert_int_equal(fixture_count(f, 1, START + 5 * MINUTE, START + 6 * MINUTE), 1);
    assert_int_equal(fixture_count(f, 1, START + 4 * MINUTE, START + 5 * MINUTE), 1);
    assert_int_equal(fixture_count(f, 1, START + 5 * MINUTE, 0), 1);
    assert_int_equal(fixture_count(f, 1, START + 4 * MINUTE, 0), 2);
    /* Up to 5 minutes ahead it waits in its slot until its time comes. */
    fixture_record(f, 1, START + 13 * MINUTE, 3);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 2);
    assert_int_equal(fixture_window(f, 1, HOUR).lifetime.total, 3);
    f->clock.wall_ms = START + 13 * MINUTE + 1;
    assert_int_equal(fixture_window(f, 1, HOUR).total, 3);
}

/* Slots pass from tier to tier as time goes by, rolled up every minute or after a long pause. */
static void pass_of_time(struct fixture *f, int64_t step, int steps, bool crash)
{
    uint64_t sent = 0;
    for (int i = 0; i < steps; i++) {
        fixture_record(f, 1, f->clock.wall_ms, 10);
        sent++;
        f->clock.wall_ms += step;
        if (i % 3 == 0)
            fixture_roll_up(f);
        if (crash && i % 7 == 0)
            fixture_crash(f);
        if (crash && i % 11 == 0)
            fixture_restart(f);
    }
    int64_t begin = f->clock.wall_ms - steps * step;
    static const int64_t slots[] = {MINUTE, 15 * MINUTE, HOUR, 6 * HOUR};
    static const int64_t covers[] = {HOUR, DAY, 7 * DAY, 90 * DAY};
    for (int t = 0; t < 4; t++) {
        int64_t from = f->clock.wall_ms - covers[t];
        from = from < begin ? begin : from;
        from -= from % slots[t];
        uint64_t expected = 0;
        for (int i = 0; i < steps; i++)
            expected += begin + i * step >= from;
        /* Ask for a time that only this tier covers: just beyond what the finer one does. */
        struct metrics_query q = {.window_ms = covers[t]};
        uint64_t total = fixture_ask(f, 1, &q).total;
        if (total != expected)
            fail_msg("step %lld, tier %d: %llu instead of %llu", (long long)step, t,
                     (unsigned long long)total, (unsigned long long)expected);
    }
    assert_int_equal(fixture_window(f, 1, HOUR).lifetime.total, sent);
}

static void test_pass_of_time(void **state)
{
    (void)state;
    static const int64_t steps[] = {20 * SECOND, 7 * MINUTE, 50 * MINUTE, 5 * HOUR};
    for (int i = 0; i < 8; i++) {
        struct fixture f;
        fixture_init(&f);
        pass_of_time(&f, steps[i / 2], 150, i % 2);
        fixture_release(&f);
    }
}

/* The server is down for hours: what it had counted is in every tier that covers it. */
static void test_long_pause(void **state)
{
    struct fixture *f = *state;
    static const int64_t pauses[] = {2 * MINUTE, 2 * HOUR, 30 * HOUR, 8 * DAY};
    uint64_t n = 0;
    for (int i = 0; i < 4; i++)
        for (int how = 0; how < 3; how++) {
            fixture_record(f, 1, f->clock.wall_ms, 10);
            n++;
            if (how == 1)
                fixture_roll_up(f);
            int64_t then = f->clock.wall_ms;
            if (how < 2)
                telemetry_abandon(f->telemetry);
            else
                telemetry_close(f->telemetry);
            f->clock.wall_ms += pauses[i];
            fixture_open(f);
            assert_int_equal(fixture_count(f, 1, then, 0), 1);
            fixture_roll_up(f);
            assert_int_equal(fixture_count(f, 1, then, 0), 1);
            fixture_crash(f);
            assert_int_equal(fixture_count(f, 1, then, 0), 1);
            assert_int_equal(fixture_window(f, 1, 90 * DAY).total, n);
            f->clock.wall_ms += 13 * HOUR;
        }
}

/* Past the retention rows go, and the lifetime stays. */
static void count_rows(struct series_read *r)
{
    sem_post(r->owner);
}
static bool count_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    ++*(size_t *)ctx;
    return true;
}
static size_t rows(struct fixture *f, const char *key)
{
    size_t n = 0;
    sem_t done;
    sem_init(&done, 0, 0);
    struct series_read r = {
        .key = key, .each = count_row, .ctx = &n, .done = count_rows, .owner = &done};
    f->store->ops->read(f->store, &r);
    sem_wait(&done);
    sem_destroy(&done);
    return n;
}

static void test_retention(void **state)
{
    struct fixture *f = *state;
    for (int day = 0; day < 10; day++) {
        fixture_record(f, 1, f->clock.wall_ms, 10);
        fixture_roll_up(f);
        f->clock.wall_ms += DAY;
    }
    fixture_roll_up(f);
    assert_int_equal(rows(f, "telemetry/6h/*"), 10);
    assert_int_equal(rows(f, "telemetry/1h/*"), 7);
    assert_int_equal(rows(f, "telemetry/15m/*"), 1);
    assert_int_equal(rows(f, "telemetry/1m/*"), 0);
    f->clock.wall_ms += 83 * DAY;
    fixture_roll_up(f);
    assert_int_equal(rows(f, "telemetry/6h/*"), 7);
    assert_int_equal(rows(f, "telemetry/1h/*"), 0);
    assert_int_equal(fixture_window(f, 1, 90 * DAY).total, 7);
    f->clock.wall_ms += 90 * DAY;
    fixture_roll_up(f);
    assert_int_equal(rows(f, "telemetry/6h/*"), 0);
    assert_int_equal(rows(f, "telemetry/model/*"), 1);
    assert_int_equal(fixture_window(f, 1, HOUR).lifetime.total, 10);
    fixture_restart(f);
    assert_int_equal(fixture_window(f, 1, HOUR).lifetime.total, 10);
}

/* Sketches do not depend on the order of arrival: the stored bytes are the same. */
struct copied {
    struct bytes bytes;
};
static bool copy_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct copied *c = ctx;
    (void)id;
    if (!strstr(key, "/model/")) {
        bytes_printf(&c->bytes, "%s %lld:", strrchr(key, '/') - 3, (long long)at);
        bytes_add(&c->bytes, data, len);
    }
    return true;
}
static char *stored(struct fixture *f, size_t *len)
{
    struct copied c = {BYTES_INIT(SIZE_MAX)};
    sem_t done;
    sem_init(&done, 0, 0);
    struct series_read r = {
        .key = "telemetry/*", .each = copy_row, .ctx = &c, .done = count_rows, .owner = &done};
    f->store->ops->read(f->store, &r);
    sem_wait(&done);
    sem_destroy(&done);
    return bytes_take(&c.bytes, len);
}

static void test_any_order(void **state)
{
    (void)state;
    enum { N = 4000, ORDERS = 4 };
    char *first = NULL;
    size_t first_len = 0;
    for (int order = 0; order < ORDERS; order++) {
        struct fixture f;
        fixture_init(&f);
        f.clock.wall_ms = START + 3 * DAY;
        uint64_t seed = 5, shuffle = (uint64_t)order;
        static struct {
            int64_t ms;
            double latency;
        } records[N];
        for (int i = 0; i < N; i++) {
            /* Most within the last minutes, some hours and weeks ago. */
            double age = exp(random_uniform(&seed) * log(40.0 * DAY));
            records[i].ms = f.clock.wall_ms - (int64_t)age;
            records[i].latency = random_latency(&seed);
        }
        for (int i = N - 1; order && i > 0; i--) {
            int k = (int)(random_u64(&shuffle) % (uint64_t)(i + 1));
            __typeof__(records[0]) swap = records[i];
            records[i] = records[k];
            records[k] = swap;
        }
        struct bytes b = BYTES_INIT(SIZE_MAX);
        for (int i = 0; i < N; i++) {
            bytes_printf(&b, "{\"latency_ms\":%.17g,\"timestamp\":%lld}\n", records[i].latency,
                         (long long)records[i].ms);
            if (i % (100 + 300 * order) == 99) {
                fixture_send(&f, 1, b.data);
                bytes_clear(&b);
                if (i % 1000 == 499 && order == 2)
                    fixture_roll_up(&f);
                if (order == 3)
                    fixture_crash(&f);
            }
        }
        if (b.len)
            fixture_send(&f, 1, b.data);
        bytes_release(&b);
        f.clock.wall_ms += 6 * HOUR;
        fixture_roll_up(&f);
        assert_int_equal(fixture_window(&f, 1, HOUR).lifetime.total, N);
        size_t len;
        char *bytes = stored(&f, &len);
        if (!first) {
            first = bytes;
            first_len = len;
        } else {
            assert_int_equal(len, first_len);
            assert_memory_equal(bytes, first, len);
            free(bytes);
        }
        fixture_release(&f);
    }
    assert_true(first_len > 20000);
    free(first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_counts),
        TEST(test_plan),
        TEST(test_minute_window),
        TEST(test_late),
        TEST(test_edges),
        cmocka_unit_test(test_pass_of_time),
        TEST(test_long_pause),
        TEST(test_retention),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
