/* The write-ahead log is copied into the file by itself, and does not grow without bound. */
#include "store/sqlite.h"

#include "support/store_wait.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define BLOB (64 << 10)
#define MIB  (1 << 20)

static char blob[BLOB];

struct fixture {
    char dir[TEMP_DIR_SIZE];
    atomic_int_fast64_t mono_ns; /* the checkpointer looks at it at any time */
    struct clock clock;
    struct store *store;
    uint64_t most; /* greatest size of the logs seen */
    int64_t written;
};
static struct fixture world;

static int64_t wall_ms(void *self)
{
    (void)self;
    return 1700000000000;
}

static int64_t mono_ns(void *self)
{
    struct fixture *f = self;
    return atomic_load(&f->mono_ns);
}

static int set_up(void **state)
{
    struct err e = {0};
    world = (struct fixture){.clock = {wall_ms, mono_ns, &world}};
    temp_dir_make_fast(world.dir);
    world.store = store_sqlite_open(world.dir, &world.clock, &e);
    if (!world.store)
        print_error("%s\n", e.detail);
    /* Far below the usual, to write less. */
    if (world.store)
        sqlite_of(world.store)->checkpointer.limits = (struct log_limits){64, 512, 1024, 2048};
    *state = &world;
    return world.store ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    f->store->ops->close(f->store);
    temp_dir_remove(f->dir);
    return 0;
}

static uint64_t log_bytes(struct fixture *f)
{
    struct store_stats stats;
    f->store->ops->stats(f->store, &stats);
    f->most = stats.log_bytes > f->most ? stats.log_bytes : f->most;
    return stats.log_bytes;
}

static void write_mib(struct fixture *f, int mib)
{
    for (int i = 0; i < mib * (MIB / BLOB); i++) {
        struct series_record record = {"k", f->written++, "a", blob, BLOB};
        struct series_append a = {.records = &record, .n = 1};
        assert_true(wait_append(f->store, &a));
        log_bytes(f);
    }
}

/* Waits until the logs are at most so long. */
static void await_log(struct fixture *f, uint64_t bytes)
{
    for (int i = 0; i < 1000 && log_bytes(f) > bytes; i++) {
        checkpointer_wake(&sqlite_of(f->store)->checkpointer);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_true(log_bytes(f) <= bytes);
}

/* Writes until the log was never longer than half of all that was written: so it began anew. How
 * much that takes depends on how busy the machine is; a log that only grows never gets there. */
static void await_new_beginning(struct fixture *f)
{
    for (int mib = 0; mib < 256; mib += 4) {
        if (f->most * 2 <= (uint64_t)f->written * BLOB)
            return;
        write_mib(f, 4);
    }
    fail_msg("the log grew to %llu bytes", (unsigned long long)f->most);
}

static void the_log_begins_anew_while_writing(void **state)
{
    struct fixture *f = *state;
    write_mib(f, 12);
    await_new_beginning(f);
}

static void *spin(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        ;
    return NULL;
}

/* The checkpointer's thread hardly gets a turn where others want all processors, and the writer
 * goes on meanwhile: up to the bound, and then one transaction. */
static void a_busy_machine_has_no_longer_log(void **state)
{
    enum { SPINNERS = 8, PAGE = 4096 + 24, TRANSACTION = 64 };
    struct fixture *f = *state;
    pthread_t threads[SPINNERS];
    atomic_bool stop = false;
    for (int i = 0; i < SPINNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spin, &stop), 0);
    write_mib(f, 10);
    atomic_store(&stop, true);
    for (int i = 0; i < SPINNERS; i++)
        pthread_join(threads[i], NULL);
    const uint64_t most = sqlite_of(f->store)->checkpointer.limits.most;
    if (f->most > (most + TRANSACTION) * PAGE)
        fail_msg("the log grew to %llu bytes", (unsigned long long)f->most);
}

static bool count_slowly(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                         size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    struct fixture *f = ctx;
    write_mib(f, 1); /* the reader's snapshot keeps the log from beginning anew */
    return true;
}

static void a_slow_reader_does_not_stop_writers(void **state)
{
    struct fixture *f = *state;
    write_mib(f, 2);
    struct series_read read = {.key = "k", .limit = 8, .each = count_slowly, .ctx = f};
    assert_true(wait_read(f->store, &read));
    await_new_beginning(f);
}

static void an_idle_store_gives_the_space_back(void **state)
{
    struct fixture *f = *state;
    write_mib(f, 3);
    assert_true(log_bytes(f) > 0);
    atomic_store(&f->mono_ns, 31000000000);
    await_log(f, 0);
    write_mib(f, 1);
    assert_true(log_bytes(f) > 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_log_begins_anew_while_writing),
        TEST(a_busy_machine_has_no_longer_log),
        TEST(a_slow_reader_does_not_stop_writers),
        TEST(an_idle_store_gives_the_space_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
