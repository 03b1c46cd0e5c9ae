/* Outcomes on their way to strategies: with a log and a store of their own where they matter. */
#include "selection/strategy_log.h"

#include "base/latch.h"
#include "support/store_wait.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000000

struct fixture {
    struct store *store;
    struct strategy_log *log;
    struct outcome_follower follower;
    struct arena *arena;
    struct logged_outcomes found;
};

static void open_log(struct fixture *x)
{
    struct err e = {0};
    x->log = strategy_log_open(x->store, &e);
    if (!x->log)
        fail_msg("%s", e.detail);
    x->follower = strategy_log_follower(x->log);
}

static int setup(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof *x);
    assert_non_null(x);
    x->store = store_memory_open(&CLOCK_SYSTEM);
    x->arena = arena_new(256u << 20);
    open_log(x);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    strategy_log_free(x->log);
    strategy_log_free(NULL);
    x->store->ops->close(x->store);
    arena_free(x->arena);
    free(x);
    return 0;
}

static struct outcome outcome(uint64_t route, double value)
{
    struct outcome o = {.decision = {.route_uid = route, .propensity = 0.25, .at_ms = NOW},
                        .model_uid = 7,
                        .name = "reward",
                        .value = value,
                        .at_ms = NOW + 1};
    memset(o.decision_id, 'A', sizeof o.decision_id - 1);
    return o;
}

static void follow(struct fixture *x, uint64_t position, uint64_t route, double value)
{
    const struct outcome o = outcome(route, value);
    x->follower.outcome(x->follower.self, position, &o);
}

static size_t look(struct fixture *x, uint64_t route, uint64_t after, size_t max)
{
    arena_reset(x->arena);
    strategy_log_read(x->log, route, after, max, x->arena, &x->found);
    return x->found.n;
}

static uint64_t saved(struct fixture *x)
{
    return x->follower.saved(x->follower.self);
}

static void each_route_has_its_own_in_their_order(void **state)
{
    struct fixture *x = *state;
    for (int i = 0; i < 6; i++)
        follow(x, 10 + (uint64_t)i / 4, 1 + (uint64_t)i % 2,
               i); /* four of position 10, two of 11 */
    assert_int_equal(look(x, 1, 0, 100), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(x->found.list[i].value == 2.0 * (double)i);
        assert_true(i == 0 || x->found.list[i].offset > x->found.list[i - 1].offset);
        assert_string_equal(x->found.list[i].name, "reward");
        assert_int_equal(strlen(x->found.list[i].decision_id), DECISION_ID_SIZE - 1);
        assert_int_equal(x->found.list[i].model_uid, 7);
        assert_int_equal(x->found.list[i].at_ms, NOW + 1);
        assert_true(x->found.list[i].propensity == 0.25);
    }
    assert_int_equal(look(x, 2, 0, 100), 3);
    assert_true(x->found.list[0].value == 1);
    assert_int_equal(look(x, 3, 0, 100), 0); /* of a route that has none: nothing up to the end */
    assert_true(x->found.upto > 0);
}

static void reading_goes_on_behind_an_offset(void **state)
{
    struct fixture *x = *state;
    uint64_t after = 0;
    for (int i = 0; i < 10; i++)
        follow(x, 5, 1, i);
    for (int i = 0; i < 10; i += 4) {
        size_t want = i + 4 <= 10 ? 4 : 2;
        assert_int_equal(look(x, 1, after, 4), want);
        assert_true(x->found.list[0].value == i);
        if (want == 4)
            assert_int_equal(x->found.upto, x->found.list[3].offset); /* there may be more */
        after = x->found.upto;
    }
    assert_int_equal(look(x, 1, after, 4), 0);
    assert_int_equal(x->found.upto, after);
    follow(x, 6, 2, 1); /* another's: there is nothing for this route up to there */
    assert_int_equal(look(x, 1, after, 4), 0);
    assert_true(x->found.upto > after);
    /* A state that is ahead of the log: the log was lost. */
    assert_int_equal(look(x, 1, x->found.upto + 1000, 4), 0);
}

/* Not before all of a position is kept may the log let go of it. */
static void what_is_kept_may_go(void **state)
{
    struct fixture *x = *state;
    assert_true(saved(x) == UINT64_MAX); /* nobody learns: nobody needs it */
    look(x, 1, 0, 1);                    /* a route that is weighed from now on */
    for (int i = 0; i < 3; i++)
        follow(x, 8, 1, i);
    follow(x, 9, 1, 3);
    assert_true(saved(x) < 8);
    assert_int_equal(look(x, 1, 0, 100), 4);
    uint64_t second = x->found.list[1].offset, last = x->found.list[3].offset;
    strategy_log_kept(x->log, 1, second);
    assert_true(saved(x) < 8);
    assert_int_equal(look(x, 1, 0, 100), 2); /* the others are gone from memory */
    assert_true(x->found.list[0].value == 2);
    strategy_log_kept(x->log, 1, last);
    assert_true(saved(x) >= 8 && saved(x) < 9);
    assert_int_equal(look(x, 1, 0, 100), 0);
    strategy_log_kept(x->log, 1, second); /* it goes forward only */
    assert_true(saved(x) >= 8);
    look(x, 2, last, 1); /* a newer route does not hold what was before it */
    assert_true(saved(x) >= 8);
}

static void unwanted_routes_hold_nothing(void **state)
{
    struct fixture *x = *state;
    const uint64_t wanted[] = {2, 5};
    for (uint64_t route = 1; route <= 3; route++)
        follow(x, 4, route, 1);
    strategy_log_want(x->log, wanted, 2);
    assert_int_equal(look(x, 2, 0, 10), 1);
    assert_int_equal(look(x, 1, 0, 10), 0);
    strategy_log_want(x->log, NULL, 0);
    assert_true(saved(x) == UINT64_MAX);
    assert_int_equal(look(x, 2, 0, 10), 0);
}

static void shadows_and_what_has_no_route_are_left_out(void **state)
{
    struct fixture *x = *state;
    struct outcome o = outcome(1, 1);
    o.shadow = true;
    x->follower.outcome(x->follower.self, 3, &o);
    follow(x, 3, 0, 1);
    assert_int_equal(look(x, 1, 0, 10), 0);
    assert_int_equal(look(x, 0, 0, 10), 0);
}

/* More than memory holds: of a route that nobody reads the oldest go, and are counted. */
static void too_many_are_lost_and_counted(void **state)
{
    struct fixture *x = *state;
    for (uint64_t i = 0; i < STRATEGY_LOG_MAX + 3; i++)
        follow(x, 1 + i / 1000, 1, (double)i);
    assert_int_equal(strategy_log_lost(x->log), 3);
    assert_int_equal(look(x, 1, 0, 2), 2);
    assert_true(x->found.list[0].value == 3);
}

/* ---- over a restart ---- */

static void keep_state(struct fixture *x, const char *key, uint64_t uid, uint64_t offset)
{
    char text[128];
    int n = snprintf(text, sizeof text, "{\"uid\":%llu,\"offset\":%llu}", (unsigned long long)uid,
                     (unsigned long long)offset);
    struct key_request put = {.op = KEY_PUT,
                              .arena = x->arena,
                              .key = {.key = key,
                                      .value = text,
                                      .value_len = (size_t)n,
                                      .expires_ms = clock_wall_ms(&CLOCK_SYSTEM) + 86400000}};
    assert_true(wait_key(x->store, &put));
}

static void written(struct outcomes_write *w)
{
    latch_open(w->owner);
}

/* `n` outcomes of route 1, in writes of ten. */
static void write_outcomes(struct outcomes *log, const struct decision_keys *keys, int from, int n)
{
    for (int i = from; i < from + n; i += 10) {
        struct outcome list[10];
        struct latch done;
        struct err e;
        latch_init(&done);
        for (int k = 0; k < 10; k++) {
            list[k] = outcome(1, i + k);
            list[k].decision.at_ms = clock_wall_ms(&CLOCK_SYSTEM);
            list[k].decision.nonce = (uint64_t)i + (uint64_t)k;
            decision_id_make(keys, &list[k].decision, list[k].decision_id);
        }
        struct outcomes_write w = {.list = list, .n = 10, .done = written, .owner = &done};
        assert_true(outcomes_append(log, &w, &e));
        latch_wait(&done);
        assert_true(w.ok && w.accepted == 10);
    }
}

static struct outcomes *open_outcomes(const struct fixture *x, const char *dir)
{
    struct err e = {0};
    const struct outcomes_config config = {.dir = dir,
                                           .clock = &CLOCK_SYSTEM,
                                           .window_ms = 3600000,
                                           .followers = {x->follower},
                                           .follower_count = 1};
    struct outcomes *log = outcomes_open(&config, &e);
    if (!log)
        fail_msg("%s", e.detail);
    return log;
}

/* With the real log: what was not kept comes again after a restart, at the same offsets. */
static void a_restart_reads_what_was_not_kept(void **state)
{
    struct fixture *x = *state;
    char dir[TEMP_DIR_SIZE], path[TEMP_DIR_SIZE + 8];
    uint64_t offsets[60];
    struct err e;
    temp_dir_make_fast(dir);
    snprintf(path, sizeof path, "%s/keys", dir);
    struct decision_keys *keys = decision_keys_open(path, true, &e);
    assert_non_null(keys);
    struct outcomes *log = open_outcomes(x, dir);
    look(x, 1, 0, 1);
    write_outcomes(log, keys, 0, 60);
    assert_int_equal(look(x, 1, 0, 100), 60);
    for (size_t i = 0; i < 60; i++)
        offsets[i] = x->found.list[i].offset;
    keep_state(x, "strategy/default/r", 1, offsets[24]); /* in the midst of a write */
    strategy_log_kept(x->log, 1, offsets[24]);
    outcomes_close(log);
    strategy_log_free(x->log);

    open_log(x);
    log = open_outcomes(x, dir);
    assert_int_equal(look(x, 1, offsets[24], 100), 35);
    for (size_t i = 0; i < 35; i++) {
        assert_int_equal(x->found.list[i].offset, offsets[25 + i]);
        assert_true(x->found.list[i].value == 25 + (double)i);
    }
    write_outcomes(log, keys, 60, 10); /* and what comes now goes on behind them */
    assert_int_equal(look(x, 1, offsets[59], 100), 10);
    assert_true(x->found.list[0].offset > offsets[59] && x->found.list[0].value == 60);
    outcomes_close(log);
    decision_keys_close(keys);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_route_has_its_own_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_goes_on_behind_an_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(unwanted_routes_hold_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(shadows_and_what_has_no_route_are_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_many_are_lost_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_reads_what_was_not_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
