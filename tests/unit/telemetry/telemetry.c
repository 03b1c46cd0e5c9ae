/* The write path: acknowledgement, refusal, keys, deletion, many threads. */
#include "fixture.h"

#include "extend/nursery.h"
#include "support/random.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* A batch with a key whose answer is `{"accepted":1}`, kept for 10 minutes. */
static void send_with_key(struct fixture *f, const char *key)
{
    struct err e = {0};
    struct kept_answer kept = {202, "", "application/json", "{\"accepted\":1}", 14};
    struct bytes value = BYTES_INIT(1000);
    sem_t done;
    sem_init(&done, 0, 0);
    kept_answer_encode(&kept, 99, &value);
    assert_true(fixture_scan(f, 1, "{\"latency_ms\":1}", &e));
    struct telemetry_write w = {.batch = f->batch,
                                .key = key,
                                .key_value = value.data,
                                .key_value_len = value.len,
                                .key_expires_ms = f->clock.wall_ms + 10 * MINUTE,
                                .done = fixture_done,
                                .owner = &done};
    assert_true(telemetry_append(f->telemetry, &w, &e));
    sem_wait(&done);
    assert_true(w.ok);
    sem_destroy(&done);
    bytes_release(&value);
}

/* kill -9, a new process. */
static void new_process(struct fixture *f, int64_t later)
{
    telemetry_abandon(f->telemetry);
    idempotency_free(f->keys);
    f->keys = f->config.keys = idempotency_new(100, 100000);
    f->clock.wall_ms += later;
    fixture_open(f);
}

static enum key_state ask_key(struct fixture *f, const char *key)
{
    struct kept_answer answer;
    struct err e;
    enum key_state state =
        idempotency_begin(f->keys, key, 99, f->clock.wall_ms, f->arena, &answer, &e);
    if (state == KEY_NEW)
        idempotency_abandon(f->keys, key);
    return state;
}

/* Keys live their ten minutes, however soon their part of the log is rolled up and deleted. */
static void test_keys_outlive_the_log(void **state)
{
    struct fixture *f = *state;
    char long_key[3000];
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = '\0';
    telemetry_close(f->telemetry);
    f->config.segment_bytes = 1000;
    fixture_open(f);
    send_with_key(f, "k1");
    f->clock.wall_ms += MINUTE;
    send_with_key(f, long_key);
    fixture_roll_up(f);
    fixture_record(f, 1, f->clock.wall_ms, 1);
    fixture_roll_up(f);
    fixture_record(f, 1, f->clock.wall_ms, 1);
    fixture_roll_up(f);
    send_with_key(f, "k3");
    struct telemetry_stats stats;
    telemetry_stats(f->telemetry, &stats);
    assert_true(stats.log_bytes < 3000); /* the long key is not in it */
    for (int i = 0; i < 4; i++) {
        new_process(f, MINUTE);
        assert_int_equal(ask_key(f, "k1"), KEY_REPLAY);
        assert_int_equal(ask_key(f, long_key), KEY_REPLAY);
        assert_int_equal(ask_key(f, "k3"), KEY_REPLAY);
        assert_int_equal(ask_key(f, "k4"), KEY_NEW);
        assert_int_equal(f->telemetry->keys.n, 3);
        if (i % 2)
            fixture_roll_up(f);
    }
    f->clock.wall_ms += 5 * MINUTE;
    fixture_roll_up(f); /* k1 has expired */
    assert_int_equal(f->telemetry->keys.n, 2);
    new_process(f, 30 * SECOND);
    assert_int_equal(ask_key(f, "k1"), KEY_NEW);
    assert_int_equal(ask_key(f, long_key), KEY_REPLAY);
    f->clock.wall_ms += HOUR;
    fixture_roll_up(f);
    assert_int_equal(f->telemetry->keys.n, 0);
    new_process(f, 0);
    assert_int_equal(ask_key(f, long_key), KEY_NEW);
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct kept_answer answer;
    send_with_key(f, "k1");
    telemetry_abandon(f->telemetry);
    f->clock.wall_ms += 5 * MINUTE;
    fixture_open(f);
    assert_int_equal(idempotency_begin(f->keys, "k1", 99, f->clock.wall_ms, f->arena, &answer, &e),
                     KEY_REPLAY);
    assert_int_equal(answer.status, 202);
    assert_string_equal(answer.body, "{\"accepted\":1}");
    assert_int_equal(idempotency_begin(f->keys, "k1", 98, f->clock.wall_ms, f->arena, &answer, &e),
                     KEY_FAIL);
    /* Expired ones stay away. */
    idempotency_free(f->keys);
    f->keys = f->config.keys = idempotency_new(100, 10000);
    telemetry_abandon(f->telemetry);
    f->clock.wall_ms += 6 * MINUTE;
    fixture_open(f);
    assert_int_equal(idempotency_begin(f->keys, "k1", 99, f->clock.wall_ms, f->arena, &answer, &e),
                     KEY_NEW);
    idempotency_abandon(f->keys, "k1");
}

/* --- a disk that fails --- */

struct failing_files {
    struct files files;
    atomic_bool failing;
};

static int failing_fdatasync(void *self, int fd)
{
    struct failing_files *d = self;
    if (atomic_load(&d->failing)) {
        errno = EIO;
        return -1;
    }
    return FILES_SYSTEM.fdatasync(NULL, fd);
}

static void test_failing_disk(void **state)
{
    struct fixture *f = *state;
    struct failing_files disk = {.files = FILES_SYSTEM};
    struct telemetry_stats stats;
    struct err e = {0};
    disk.files.fdatasync = failing_fdatasync;
    disk.files.self = &disk;
    telemetry_close(f->telemetry);
    f->config.files = &disk.files;
    fixture_open(f);
    fixture_record(f, 1, f->clock.wall_ms, 1);
    atomic_store(&disk.failing, true);
    assert_true(fixture_scan(f, 1, "{\"latency_ms\":2}", &e));
    assert_false(fixture_append(f, NULL, NULL, &e));
    assert_ptr_equal(e.kind, &ERR_IO);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 1); /* not counted */
    telemetry_stats(f->telemetry, &stats);
    assert_false(stats.available);
    assert_int_equal(stats.failures, 1);
    atomic_store(&disk.failing, false);
    assert_true(fixture_append(f, NULL, NULL, &e)); /* the same batch once more */
    telemetry_stats(f->telemetry, &stats);
    assert_true(stats.available);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 2);
    fixture_crash(f);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 2);
    telemetry_close(f->telemetry);
    f->config.files = NULL;
    fixture_open(f);
}

static void test_log_full(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    telemetry_close(f->telemetry);
    f->config.log_max_bytes = 5000;
    fixture_open(f);
    int sent = 0;
    while (fixture_scan(f, 1, "{\"latency_ms\":2}", &e) && fixture_append(f, NULL, NULL, &e))
        sent++;
    assert_ptr_equal(e.kind, &ERR_BUSY);
    assert_in_range(sent, 20, 50);
    struct telemetry_stats stats;
    telemetry_stats(f->telemetry, &stats);
    assert_int_equal(stats.refused_batches, 1);
    assert_int_equal(stats.queued_bytes + stats.queued_batches, 0);
    assert_int_equal(fixture_window(f, 1, HOUR).total, sent);
}

/* --- a log that is damaged --- */

static void test_damaged_log(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        fixture_record(f, 1, f->clock.wall_ms, 1);
    telemetry_abandon(f->telemetry);
    char path[TEMP_DIR_SIZE + 64];
    snprintf(path, sizeof path, "%s/records/00000000000000000001.seg", f->dir);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 64 + 48 + 10, SEEK_SET);
    fputc('x', file);
    fclose(file);
    struct err e = {0};
    assert_null(telemetry_open(&f->config, &e));
    assert_ptr_equal(e.kind, &ERR_CORRUPT);
    assert_non_null(strstr(e.detail, path));
    f->config.accept_damage = true;
    fixture_open(f);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 2);
    f->config.accept_damage = false;
}

/* --- deletion --- */

static bool only_two(void *ctx, uint64_t uid)
{
    (void)ctx;
    return uid == 2;
}

static void assert_models(struct fixture *f, uint64_t n)
{
    struct telemetry_stats stats;
    fixture_record(f, 2, f->clock.wall_ms, 1); /* what was posted before has been done then */
    telemetry_stats(f->telemetry, &stats);
    assert_int_equal(stats.models_live, n);
}

static void test_forget(void **state)
{
    struct fixture *f = *state;
    fixture_send(f, 0,
                 "{\"model_id\":\"m1\",\"latency_ms\":1}\n{\"model_id\":\"m2\",\"latency_ms\":1}");
    fixture_roll_up(f);
    telemetry_forget(f->telemetry, 1);
    assert_models(f, 1);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 0);
    /* Records that were on their way do not bring it back. */
    fixture_send(f, 0,
                 "{\"model_id\":\"m2\",\"latency_ms\":1,\"score\":1}\n"
                 "{\"model_id\":\"m1\",\"latency_ms\":1,\"score\":2}\n"
                 "{\"model_id\":\"m2\",\"latency_ms\":1,\"score\":4}");
    struct metrics m = fixture_window(f, 2, HOUR);
    assert_int_equal(m.scores[0].count, 2);
    assert_true(m.scores[0].mean == 2.5);
    assert_models(f, 1);
    fixture_roll_up(f); /* deletes its rows */
    fixture_restart(f);
    /* The log still has its records, but the registry does not know it. */
    telemetry_forget_unknown(f->telemetry, only_two, NULL);
    assert_models(f, 1);
    assert_int_equal(fixture_window(f, 2, HOUR).total, 6);
    telemetry_forget(f->telemetry, 12345);
}

/* --- many threads --- */

enum { SENDERS = 3, BATCHES = 60, RECORDS = 100 };

struct sender {
    struct fixture *f;
    uint64_t uid;
    unsigned sent;
};

static void *send_batches(void *arg)
{
    struct sender *s = arg;
    struct arena *a = arena_new(1 << 20);
    struct batch *b = batch_new();
    static _Thread_local struct faults faults;
    struct bytes body = BYTES_INIT(SIZE_MAX);
    sem_t done;
    sem_init(&done, 0, 0);
    for (int i = 0; i < BATCHES; i++) {
        struct err e = {0};
        struct batch_config config = {.format = BATCH_NDJSON,
                                      .resolve = fixture_resolve,
                                      .now_ms = START,
                                      .oldest_ms = START - 90 * DAY};
        bytes_clear(&body);
        for (int k = 0; k < RECORDS; k++)
            bytes_printf(
                &body, "{\"model_id\":\"m%d\",\"latency_ms\":%d,\"timestamp\":%lld,\"score\":1}\n",
                k % 4 + 1, k + 1, (long long)(START - k * 40 * SECOND));
        faults_init(&faults, a);
        batch_start(b, &config, &faults);
        struct telemetry_write w = {.batch = b, .done = fixture_done, .owner = &done};
        if (batch_feed(b, body.data, body.len) && batch_end(b, &e) &&
            telemetry_append(s->f->telemetry, &w, &e)) {
            sem_wait(&done);
            s->sent += w.ok ? RECORDS : 0;
        }
    }
    sem_destroy(&done);
    bytes_release(&body);
    batch_free(b);
    arena_free(a);
    return NULL;
}

struct asker {
    struct fixture *f;
    atomic_bool stop;
    unsigned asked;
};

static void ignore(void *ctx, const struct exposed *x)
{
    (void)ctx, (void)x;
}

static void *ask(void *arg)
{
    struct asker *q = arg;
    struct arena *a = arena_new(16 << 20);
    uint64_t last[5] = {0};
    while (!atomic_load(&q->stop)) {
        struct metrics m;
        struct err e;
        struct telemetry_stats stats;
        static const int64_t windows[] = {MINUTE, HOUR, DAY, 30 * DAY};
        uint64_t uid = q->asked % 4 + 1;
        struct metrics_query query = {.window_ms = windows[q->asked % 3], .resolution_ms = MINUTE};
        if (q->asked % 50 == 0)
            query.window_ms = windows[3];
        if (!telemetry_metrics(q->f->telemetry, uid, &query, a, &m, &e))
            return "a query failed";
        if (m.lifetime.total < last[uid] || m.total > m.lifetime.total)
            return "counts went back";
        last[uid] = m.lifetime.total;
        if (q->asked++ % 20 == 0) {
            telemetry_each(q->f->telemetry, ignore, NULL);
            telemetry_stats(q->f->telemetry, &stats);
        }
        arena_reset(a);
    }
    arena_free(a);
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture *f = *state;
    struct sender senders[SENDERS];
    struct asker asker = {.f = f};
    pthread_t threads[SENDERS], asking;
    struct err e;
    void *wrong;
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, send_batches, &senders[i]), 0);
    }
    assert_int_equal(pthread_create(&asking, NULL, ask, &asker), 0);
    for (int i = 0; i < 10; i++) {
        fixture_roll_up(f);
        assert_true(rings_save(f->telemetry, &e));
        usleep(3000);
    }
    unsigned sent = 0;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        sent += senders[i].sent;
    }
    atomic_store(&asker.stop, true);
    pthread_join(asking, &wrong);
    if (wrong)
        fail_msg("%s", (const char *)wrong);
    assert_int_equal(sent, SENDERS * BATCHES * RECORDS);
    for (int round = 0; round < 2; round++) {
        uint64_t total = 0;
        for (uint64_t uid = 1; uid <= 4; uid++) {
            struct metrics m = fixture_window(f, uid, DAY);
            total += m.total;
            assert_int_equal(m.scores[0].count, m.total);
        }
        assert_int_equal(total, sent);
        fixture_crash(f);
    }
}

/* The threads that run in the server: the one for roll-ups too. */
static void test_own_threads(void **state)
{
    struct fixture *f = *state;
    telemetry_close(f->telemetry);
    f->config.no_roll_up_thread = false;
    fixture_open(f);
    fixture_record(f, 1, f->clock.wall_ms, 1);
    fixture_restart(f);
    assert_int_equal(fixture_window(f, 1, HOUR).total, 1);
}

static int writers_nice;

/* [log writer] */
static void note_nice(struct telemetry_write *w)
{
    writers_nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    fixture_done(w);
}

/* A client waits for each record, and nobody for a test of the night. */
static void test_records_go_before_tests(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    const int own = getpriority(PRIO_PROCESS, (id_t)gettid());
    sem_t done;
    sem_init(&done, 0, 0);
    assert_true(fixture_scan(f, 1, "{\"latency_ms\":1}", &e));
    struct telemetry_write w = {.batch = f->batch, .done = note_nice, .owner = &done};
    assert_true(telemetry_append(f->telemetry, &w, &e));
    sem_wait(&done);
    sem_destroy(&done);
    assert_true(w.ok);
    if (own + NURSERY_NICE > 19)
        skip(); /* too low already to be lower in steps */
    assert_true(writers_nice < own + NURSERY_NICE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_keys),     TEST(test_keys_outlive_the_log), TEST(test_failing_disk),
        TEST(test_log_full), TEST(test_damaged_log),          TEST(test_forget),
        TEST(test_threads),  TEST(test_own_threads),          TEST(test_records_go_before_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
