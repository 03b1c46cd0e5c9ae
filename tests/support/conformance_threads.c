#include "support/conformance.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))
#define THREADS    4
#define ROUNDS     60

/* Each thread adds to one counter, appends to a series of its own, and reads the journal, while the
 * test's own thread commits. */
struct worker {
    struct fixture *f;
    int number;
    pthread_t thread;
    unsigned failed;
};

static bool count_record(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                         size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    ++*(int *)ctx;
    return true;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    char series[16];
    snprintf(series, sizeof series, "s/%d", w->number);
    for (int i = 0; i < ROUNDS; i++) {
        struct arena *a = arena_new(1 << 20);
        struct key_request add = {
            .op = KEY_ADD, .key = {"sum", NULL, 0, NOW + 10000}, .amount = 1, .arena = a};
        struct series_record record = {series, i, "x", "data", 4};
        struct series_append append = {.records = &record, .n = 1};
        struct journal_read read = {.query.limit = 3, .arena = a};
        int seen = 0;
        struct series_read back = {.key = series, .each = count_record, .ctx = &seen};
        w->failed += !wait_key(w->f->store, &add) || !wait_append(w->f->store, &append) ||
                     !wait_journal(w->f->store, &read) || !wait_read(w->f->store, &back) ||
                     seen != i + 1;
        arena_free(a);
    }
    return NULL;
}

static void many_threads_may_ask(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.f = f, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 1; i <= ROUNDS; i++)
        write_model(f, "a", "m", i);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].failed, 0);
    }
    struct key_request sum = {.op = KEY_GET, .key.key = "sum", .arena = f->arena};
    assert_true(wait_key(f->store, &sum));
    assert_int_equal(sum.number, THREADS * ROUNDS);
    assert_int_equal(stored_revision(f, "model", "a", "m"), ROUNDS);
    struct store_stats stats;
    f->store->ops->stats(f->store, &stats);
    assert_true(stats.commits > 0);
    assert_int_equal(stats.commit_groups, ROUNDS);
    assert_int_equal(stats.commit_failures, 0);
    assert_true(stats.available);
    assert_int_equal(wait_same_thread(), 0);
}

#define PENDING 500

struct counter {
    atomic_uint done, ok;
};

static void count_done(struct key_request *k)
{
    struct counter *c = k->owner;
    atomic_fetch_add(&c->ok, k->ok);
    atomic_fetch_add(&c->done, 1);
}

static void closing_answers_all_that_was_asked(void **state)
{
    struct fixture *f = *state;
    struct counter counter = {0};
    struct key_request *requests = mem_zero(PENDING, sizeof *requests);
    for (int i = 0; i < PENDING; i++) {
        requests[i] = (struct key_request){
            .op = KEY_ADD,
            .key = {"sum", NULL, 0, NOW + 10000},
            .amount = 1,
            .arena = f->arena,
            .done = count_done,
            .owner = &counter,
        };
        f->store->ops->key(f->store, &requests[i]);
    }
    f->store->ops->close(f->store);
    f->store = NULL;
    assert_int_equal(atomic_load(&counter.done), PENDING);
    assert_int_equal(atomic_load(&counter.ok), PENDING);
    free(requests);
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(many_threads_may_ask),
    CONFORM(closing_answers_all_that_was_asked),
};
const struct part CONFORM_THREADS = {TESTS, LEN(TESTS)};
