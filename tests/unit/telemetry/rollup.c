/* What memory and store know together is exact at every moment at which the process may die. */
#include "fixture.h"

#include "support/random.h"

#include "telemetry/series.h"
#include "store/wait.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* A store in front of the memory store, whose appends fail from a moment on. */
struct failing_store {
    struct store store; /* first */
    struct store_ops ops;
    struct store *inner;
    int appends_left; /* -1: no limit */
    int appends;
    size_t rows_max;    /* of one append */
    useconds_t read_us; /* what a read takes */
};

static struct failing_store *failing_of(struct store *s)
{
    return (struct failing_store *)(void *)s;
}

static void failing_append(struct store *s, struct series_append *a)
{
    struct failing_store *d = failing_of(s);
    d->appends++;
    if (a->n > d->rows_max)
        d->rows_max = a->n;
    if (d->appends_left == 0) {
        a->ok = fail(&a->err, &ERR_IO, "the disk is gone");
        a->done(a);
        return;
    }
    if (d->appends_left > 0)
        d->appends_left--;
    d->inner->ops->append(d->inner, a);
}

static void failing_read(struct store *s, struct series_read *r)
{
    usleep(failing_of(s)->read_us);
    failing_of(s)->inner->ops->read(failing_of(s)->inner, r);
}

static bool failing_mark(struct store *s, const char *name, int64_t *value, bool *found,
                         struct err *e)
{
    return failing_of(s)->inner->ops->mark(failing_of(s)->inner, name, value, found, e);
}

struct test {
    struct fixture f; /* first */
    struct failing_store store;
};

static int set_up(void **state)
{
    static struct test t;
    fixture_prepare(&t.f);
    t.store = (struct failing_store){.inner = t.f.inner, .appends_left = -1};
    t.store.ops =
        (struct store_ops){.append = failing_append, .read = failing_read, .mark = failing_mark};
    t.store.store.ops = &t.store.ops;
    t.f.config.store = &t.store.store;
    fixture_open(&t.f);
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    fixture_release(*state);
    return 0;
}

#define MODELS 5

/* Everything that was sent, to compare with. */
struct sent {
    struct {
        uint64_t uid;
        int64_t ms;
    } records[20000];
    size_t n;
};

static void send_some(struct fixture *f, struct sent *s, uint64_t *seed)
{
    struct bytes b = BYTES_INIT(SIZE_MAX);
    struct err e = {0};
    int n = (int)(random_u64(seed) % 20) + 1;
    for (int i = 0; i < n; i++) {
        uint64_t uid = random_u64(seed) % MODELS + 1;
        int64_t age = random_u64(seed) % 3 ? (int64_t)(random_u64(seed) % (2 * MINUTE))
                                           : (int64_t)exp(random_uniform(seed) * log(60.0 * DAY));
        int64_t ms = f->clock.wall_ms - age;
        bytes_printf(&b,
                     "{\"model_id\":\"m%llu\",\"latency_ms\":%d,\"timestamp\":%lld,\"success\":"
                     "false,\"error_type\":\"e%d\"}\n",
                     (unsigned long long)uid, i + 1, (long long)ms, (int)(random_u64(seed) % 5));
        s->records[s->n].uid = uid;
        s->records[s->n++].ms = ms;
    }
    assert_true(fixture_scan(f, 0, b.data, &e));
    assert_true(fixture_append(f, NULL, NULL, &e));
    bytes_release(&b);
}

static uint64_t sent_between(const struct sent *s, uint64_t uid, int64_t from, int64_t to)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->records[i].uid == uid && s->records[i].ms >= from && s->records[i].ms < to;
    return n;
}

/* Every window of every model counts just what was sent. */
static void compare(struct fixture *f, const struct sent *s, const char *when, int round)
{
    static const int64_t windows[] = {5 * MINUTE, HOUR, DAY, 7 * DAY, 90 * DAY};
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        for (int w = 0; w < 5; w++) {
            arena_reset(f->arena);
            struct metrics m = fixture_window(f, uid, windows[w]);
            uint64_t expected = sent_between(s, uid, m.from, INT64_MAX), errors = 0;
            for (size_t i = 0; i < m.n_errors; i++)
                errors += m.errors[i].count;
            if (m.total != expected || m.failure != expected || errors != expected ||
                m.lifetime.total != sent_between(s, uid, 0, INT64_MAX))
                fail_msg("%s, round %d, model %d, window %d: %d and %d errors of %d, ever %d of %d",
                         when, round, (int)uid, w, (int)m.total, (int)errors, (int)expected,
                         (int)m.lifetime.total, (int)sent_between(s, uid, 0, INT64_MAX));
        }
}

/* Random work; at random moments the store refuses, the process dies, or is stopped. */
static void test_random_crashes(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    struct sent *s = mem_zero(1, sizeof *s);
    struct err e;
    uint64_t seed = 3;
    int failures = 0;
    for (int round = 0; round < 250; round++) {
        for (int i = 0; i < 3; i++)
            send_some(f, s, &seed);
        f->clock.wall_ms +=
            (int64_t)exp(random_uniform(&seed) * log(random_u64(&seed) % 10 ? 300e3 : 30e6));
        t->store.appends_left = random_u64(&seed) % 3 ? -1 : (int)(random_u64(&seed) % 3);
        if (random_u64(&seed) % 2)
            failures += !telemetry_roll_up(f->telemetry, &e);
        if (random_u64(&seed) % 4 == 0) {
            fixture_crash(f);
        } else if (random_u64(&seed) % 8 == 0) {
            fixture_restart(f);
        }
        t->store.appends_left = -1;
        if (round % 5 == 0)
            compare(f, s, "random", round);
    }
    assert_true(failures > 10);
    fixture_roll_up(f);
    compare(f, s, "rolled up", 0);
    fixture_crash(f);
    compare(f, s, "crashed", 0);
    free(s);
}

/* The log shrinks to what is not rolled up, and only then. */
static void test_log_released(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    struct telemetry_stats stats;
    struct err e;
    struct bytes b = BYTES_INIT(SIZE_MAX);
    for (int i = 0; i < 5000; i++)
        bytes_printf(&b, "{\"latency_ms\":%d}\n", i);
    for (int i = 0; i < 30; i++)
        fixture_send(f, 1, b.data);
    bytes_release(&b);
    telemetry_stats(f->telemetry, &stats);
    assert_true(stats.log_bytes > 30 * 5000 * 16);
    assert_true(stats.segments >= 3);
    t->store.appends_left = 0;
    assert_false(telemetry_roll_up(f->telemetry, &e));
    telemetry_stats(f->telemetry, &stats);
    assert_true(stats.segments >= 3);
    t->store.appends_left = -1;
    f->clock.wall_ms += MINUTE;
    fixture_roll_up(f);
    telemetry_stats(f->telemetry, &stats);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.rolled_up_to, f->clock.wall_ms);
    assert_int_equal(stats.records, 150000);
    assert_int_equal(stats.batches, 30);
    assert_true(stats.syncs >= 1 && stats.syncs <= 30 && stats.available);
    fixture_crash(f);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 150000);
}

/* Thousands of models are written in transactions of about a thousand rows; nothing when nothing
 * changed. */
static void test_chunks(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    struct bytes b = BYTES_INIT(SIZE_MAX);
    for (int i = 1; i <= 3000; i++)
        bytes_printf(&b, "{\"model_id\":\"m%d\",\"latency_ms\":%d}\n", i, i);
    fixture_send(f, 0, b.data);
    bytes_release(&b);
    fixture_roll_up(f);
    assert_in_range(t->store.appends, 6, 8);
    assert_in_range(t->store.rows_max, 900, 1010);
    t->store.appends = 0;
    fixture_roll_up(f);
    assert_int_equal(t->store.appends, 0);
    fixture_crash(f);
    struct telemetry_stats stats;
    telemetry_stats(f->telemetry, &stats);
    assert_int_equal(stats.models_live, 3000);
    assert_int_equal(fixture_window(f, 2999, HOUR).total, 1);
}

/* A model that is idle is written when its slots close, then no more. */
static void test_idle(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    fixture_record(f, 1, f->clock.wall_ms, 5);
    for (int minute = 0; minute < 8 * 24 * 60; minute++) {
        f->clock.wall_ms += MINUTE;
        fixture_roll_up(f);
    }
    /* The record; the slots of 15 m, 1 h and 6 h; the ends of 1 h, 1 d and 7 d. */
    assert_in_range(t->store.appends, 4, 8);
    assert_int_equal(fixture_window(f, 1, 30 * DAY).total, 1);
    assert_int_equal(fixture_window(f, 1, 7 * DAY).total, 0);
}

static bool count_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    ++*(int *)ctx;
    return true;
}

/* What a failed round was to delete by age, the next one deletes. */
static void test_trimmed_after_failure(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    struct err e;
    int rows = 0;
    struct series_read read = {.key = "telemetry/6h/*", .each = count_row, .ctx = &rows};
    fixture_record(f, 1, f->clock.wall_ms, 5);
    f->clock.wall_ms += 7 * HOUR;
    fixture_roll_up(f);
    assert_true(store_read_wait(f->inner, &read, &e));
    assert_int_equal(rows, 1);
    f->clock.wall_ms += 91 * DAY;
    t->store.appends_left = 0;
    assert_false(telemetry_roll_up(f->telemetry, &e));
    t->store.appends_left = -1;
    fixture_roll_up(f);
    rows = 0;
    assert_true(store_read_wait(f->inner, &read, &e));
    assert_int_equal(rows, 0);
}

/* --- readers of the history --- */

#define READERS 3

struct reading {
    struct fixture *f;
    atomic_bool begun, stop;
};

static void *read_history(void *arg)
{
    struct reading *r = arg;
    const struct metrics_query q = {.window_ms = 90 * DAY};
    struct arena *a = arena_new(16 << 20);
    int64_t until = clock_mono_ns(&CLOCK_SYSTEM) + 3000000000;
    while (!atomic_load(&r->stop) && clock_mono_ns(&CLOCK_SYSTEM) < until) {
        struct metrics m;
        struct err e;
        if (!telemetry_metrics(r->f->telemetry, 1, &q, a, &m, &e))
            abort();
        atomic_store(&r->begun, true);
        arena_reset(a);
    }
    arena_free(a);
    return NULL;
}

/* There may always be somebody who reads long windows: a roll-up gets its turn all the same. */
static void test_not_starved(void **state)
{
    struct test *t = *state;
    struct fixture *f = &t->f;
    struct reading readings[READERS];
    pthread_t threads[READERS];
    fixture_record(f, 1, f->clock.wall_ms, 5);
    f->clock.wall_ms += 7 * HOUR; /* its slot of 6 hours moves to the store */
    t->store.read_us = 20000;
    for (int i = 0; i < READERS; i++) {
        readings[i].f = f;
        atomic_init(&readings[i].begun, false);
        atomic_init(&readings[i].stop, false);
        assert_int_equal(pthread_create(&threads[i], NULL, read_history, &readings[i]), 0);
        while (!atomic_load(&readings[i].begun))
            usleep(1000);
        usleep(7000); /* so that they do not end together */
    }
    int64_t begun = clock_mono_ns(&CLOCK_SYSTEM);
    fixture_roll_up(f);
    int64_t took_ms = (clock_mono_ns(&CLOCK_SYSTEM) - begun) / 1000000;
    for (int i = 0; i < READERS; i++)
        atomic_store(&readings[i].stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(took_ms, 0, 1500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_random_crashes), TEST(test_log_released),          TEST(test_chunks),
        TEST(test_idle),           TEST(test_trimmed_after_failure), TEST(test_not_starved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
