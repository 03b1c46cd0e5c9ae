#include "selection/outcomes.h"

#include "extend/nursery.h"
#include "selection/outcome_window.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW 1700000000000

struct fixture {
    char dir[TEMP_DIR_SIZE];
    struct manual_clock clock;
    struct decision_keys *keys;
    struct outcomes *o;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    bool answered;
    int nice; /* of who answered */
    uint64_t nonce;
    /* of a follower */
    uint64_t followed, saved, last_position;
    double followed_sum;
    bool follow;
    size_t waiting_max;
    pthread_mutex_t held; /* whoever has it keeps the writer waiting */
};

static void follow(void *self, uint64_t position, const struct outcome *o)
{
    struct fixture *x = self;
    pthread_mutex_lock(&x->held);
    pthread_mutex_unlock(&x->held);
    assert_true(position >= x->last_position);
    x->last_position = position;
    x->followed++;
    x->followed_sum += o->value;
}

static uint64_t saved(void *self)
{
    const struct fixture *x = self;
    return x->saved;
}

static void open_outcomes(struct fixture *x)
{
    struct err e = {0};
    struct outcomes_config config = {.dir = x->dir,
                                     .clock = &x->clock.clock,
                                     .window_ms = 60000,
                                     .segment_bytes = 65536,
                                     .waiting_max = x->waiting_max};
    if (x->follow) {
        config.followers[0] = (struct outcome_follower){follow, saved, NULL, x};
        config.follower_count = 1;
    }
    x->o = outcomes_open(&config, &e);
    if (!x->o)
        fail_msg("%s", e.detail);
}

static int setup(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof *x);
    char path[300];
    struct err e = {0};
    temp_dir_make_fast(x->dir);
    snprintf(path, sizeof path, "%s/keys", x->dir);
    manual_clock_init(&x->clock, NOW);
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->held, NULL);
    pthread_cond_init(&x->ready, NULL);
    assert_non_null(x->keys = decision_keys_open(path, true, &e));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    outcomes_close(x->o);
    outcomes_close(NULL);
    decision_keys_close(x->keys);
    pthread_cond_destroy(&x->ready);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->held);
    temp_dir_remove(x->dir);
    free(x);
    return 0;
}

static struct outcome outcome(struct fixture *x, uint64_t nonce, int64_t decided_ms, double value)
{
    struct outcome o = {.model_uid = 7 + nonce % 2, .value = value, .at_ms = decided_ms};
    o.decision = (struct decision_facts){.at_ms = decided_ms,
                                         .propensity = 0.25,
                                         .route_uid = 3,
                                         .served_uid = o.model_uid,
                                         .arm = 11,
                                         .nonce = nonce};
    snprintf(o.name, sizeof o.name, "reward");
    decision_id_make(x->keys, &o.decision, o.decision_id);
    return o;
}

static void done(struct outcomes_write *w)
{
    struct fixture *x = w->owner;
    pthread_mutex_lock(&x->lock);
    x->answered = true;
    x->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    pthread_cond_signal(&x->ready);
    pthread_mutex_unlock(&x->lock);
}

static void await(struct fixture *x)
{
    pthread_mutex_lock(&x->lock);
    while (!x->answered)
        pthread_cond_wait(&x->ready, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

static struct outcomes_write send(struct fixture *x, const struct outcome *list, size_t n)
{
    struct err e = {0};
    struct outcomes_write w = {.list = list, .n = n, .done = done, .owner = x};
    x->answered = false;
    assert_true(outcomes_append(x->o, &w, &e));
    await(x);
    assert_true(w.ok);
    return w;
}

struct seen {
    uint64_t count, counters;
    double sum, squares, weight;
};

static void see(void *ctx, const struct outcome_count *c)
{
    struct seen *s = ctx;
    assert_string_equal(c->name, "reward");
    assert_int_equal(c->arm, 11);
    s->counters++;
    s->count += c->count;
    s->sum += c->sum;
    s->squares += c->sum_squares;
    s->weight += c->weight;
}

static struct seen counted(struct fixture *x)
{
    struct seen s = {0};
    outcomes_each(x->o, 3, see, &s);
    return s;
}

static void counts_each_once(void **state)
{
    struct fixture *x = *state;
    open_outcomes(x);
    struct outcome list[4];
    for (uint64_t i = 0; i < 4; i++)
        list[i] = outcome(x, i, NOW - 1000, (double)i);
    struct outcomes_write w = send(x, list, 4);
    assert_true(w.accepted == 4 && w.duplicate == 0 && w.late == 0);
    w = send(x, list, 2); /* again */
    assert_true(w.accepted == 0 && w.duplicate == 2);
    list[1] = list[2] = outcome(x, 9, NOW, 5); /* twice in one */
    list[3] = outcome(x, 10, NOW - 60001, 1);
    w = send(x, list, 4);
    assert_true(w.accepted == 1 && w.duplicate == 2 && w.late == 1);
    struct seen s = counted(x);
    assert_true(s.count == 5 && s.counters == 2 && s.sum == 11 && s.squares == 39);
    assert_true(s.weight == 20);
    struct seen none = {0};
    outcomes_each(x->o, 4, see, &none);
    assert_int_equal(none.count, 0);
    struct outcomes_stats stats;
    outcomes_stats(x->o, &stats);
    assert_true(stats.accepted == 5 && stats.duplicate == 4 && stats.late == 1);
}

/* Over restarts: nothing is lost, nothing counts twice, and what was known is known. */
static void restarts_lose_nothing(void **state)
{
    struct fixture *x = *state;
    struct outcome list[50];
    x->follow = true;
    for (uint64_t round = 0; round < 6; round++) {
        open_outcomes(x);
        for (uint64_t i = 0; i < 50; i++)
            list[i] = outcome(x, round * 40 + i, x->clock.wall_ms, 1); /* ten are known */
        struct outcomes_write w = send(x, list, 50);
        assert_int_equal(w.accepted, round ? 40 : 50);
        assert_int_equal(counted(x).count, 50 + 40 * round);
        outcomes_close(x->o);
        x->o = NULL;
        x->last_position = 0;
    }
    open_outcomes(x);
    assert_int_equal(counted(x).count, 250);
}

/* A follower gets everything once more from what it has put away. */
static void followers_go_on(void **state)
{
    struct fixture *x = *state;
    struct outcome list[10];
    x->follow = true;
    open_outcomes(x);
    for (uint64_t i = 0; i < 10; i++)
        list[i] = outcome(x, i, NOW, 2);
    send(x, list, 4);
    uint64_t position = x->last_position;
    send(x, list + 4, 6);
    assert_true(x->followed == 10 && x->followed_sum == 20);
    outcomes_close(x->o);
    x->saved = position;
    x->followed = 0;
    x->last_position = 0;
    open_outcomes(x);
    assert_int_equal(x->followed, 6);
}

/* ---- the window ---- */

/* What waits for the disk is held in memory: so much and no more, but one write always goes. */
static void waiting_is_bounded(void **state)
{
    struct fixture *x = *state;
    struct err e = {0};
    struct outcome list[4];
    x->follow = true;
    x->waiting_max = 3;
    open_outcomes(x);
    for (size_t i = 0; i < 4; i++)
        list[i] = outcome(x, i, NOW, 1);
    assert_int_equal(send(x, list, 4).accepted, 4);
    for (size_t i = 0; i < 4; i++)
        list[i] = outcome(x, 10 + i, NOW, 1);
    struct outcomes_write first = {.list = list, .n = 2, .done = done, .owner = x},
                          second = {.list = list + 2, .n = 2, .done = done, .owner = x};
    pthread_mutex_lock(&x->held);
    x->answered = false;
    assert_true(outcomes_append(x->o, &first, &e));
    assert_false(outcomes_append(x->o, &second, &e));
    assert_ptr_equal(e.kind, &ERR_BUSY);
    pthread_mutex_unlock(&x->held);
    await(x);
    assert_int_equal(send(x, list + 2, 2).accepted, 2);
}

static void windows_forget_late(void **state)
{
    (void)state;
    struct outcome_window w;
    outcome_window_init(&w, 1000, 100000, 0);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_true(outcome_window_add(&w, i * 7919, 10));
    for (uint64_t i = 1; i <= 5000; i++)
        assert_false(outcome_window_add(&w, i * 7919, 1009)); /* a window later */
    for (uint64_t i = 1; i <= 5000; i += 2)
        outcome_window_remove(&w, i * 7919);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_true(outcome_window_add(&w, i * 7919, 1009) == (i % 2 == 1));
    assert_true(outcome_window_add(&w, 1234567891, 5000));
    assert_true(outcome_window_late(&w, 3999, 5000));
    assert_false(outcome_window_late(&w, 4000, 5000));
    outcome_window_release(&w);
}

/* Full sets make way; what may have been forgotten is late, never counted twice. */
static void windows_are_bounded(void **state)
{
    (void)state;
    struct outcome_window w;
    outcome_window_init(&w, 1000000, 100, 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        int64_t now = (int64_t)i;
        assert_true(outcome_window_add(&w, i << 20, now));
        assert_true(w.now.count <= 100 && w.before.count <= 100);
    }
    for (uint64_t i = 1; i <= 1000; i++)
        if (!outcome_window_late(&w, (int64_t)i, 1001))
            assert_false(outcome_window_add(&w, i << 20, 1001));
    assert_true(w.floor_ms > 700);
    outcome_window_release(&w);
}

/* A client waits for each of them, and nobody for a test of the night. */
static void outcomes_go_before_tests(void **state)
{
    struct fixture *x = *state;
    const int own = getpriority(PRIO_PROCESS, (id_t)gettid());
    open_outcomes(x);
    const struct outcome o = outcome(x, 1, x->clock.wall_ms, 1);
    send(x, &o, 1);
    if (own + NURSERY_NICE > 19)
        skip(); /* too low already to be lower in steps */
    assert_true(x->nice < own + NURSERY_NICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_each_once, setup, teardown),
        cmocka_unit_test_setup_teardown(restarts_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(followers_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_go_before_tests, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_is_bounded, setup, teardown),
        cmocka_unit_test(windows_forget_late),
        cmocka_unit_test(windows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
