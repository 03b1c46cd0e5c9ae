/* How many runs and tests go at a time, and what ends them: with real workers. */
#include "support/house.h"

#include "validation/inner.h"

#include <string.h>
#include <unistd.h>

#define NOON INT64_C(1764244800000) /* 2025-11-27T12:00:00Z */

static struct validation_stats stats_of(struct house *h)
{
    struct validation_stats s;
    validation_stats(h->validation, &s);
    return s;
}

static void restart_with(struct house *h, unsigned workers, size_t queue_max)
{
    house_stop(h);
    h->workers = workers;
    h->queue_max = queue_max;
    house_start(h);
}

static void no_more_workers_than_allowed(void **state)
{
    struct house *h = *state;
    struct run_wish w[3] = {{.trial = true}, {.trial = true}, {.trial = true}};
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    uint64_t most = 0;
    for (char name[] = "a"; name[0] <= 'c'; name[0]++) {
        house_model(h, name, NULL);
        for (char id[] = "t1x"; id[1] <= '4'; id[1]++) {
            id[2] = name[0];
            house_test(h, id, name, "test.loop", "\"timeout_ms\":300");
        }
    }
    house_run(h, "a:1", &w[0]);
    house_run(h, "b:1", &w[1]);
    house_run(h, "c:1", &w[2]);
    HOUSE_AWAIT((most = stats_of(h).workers > most ? stats_of(h).workers : most,
                 stats_of(h).queued + stats_of(h).running == 0));
    assert_true(most >= 1 && most <= 2);
    for (int i = 0; i < 3; i++) {
        assert_true(w[i].ok);
        house_read(h, w[i].run_id, a, &r);
        assert_int_equal(r.results_len, 4);
    }
    assert_int_equal(stats_of(h).runs, 3);
    assert_int_equal(stats_of(h).tests, 12);
    arena_free(a);
}

static void only_so_many_may_wait(void **state)
{
    struct house *h = *state;
    struct run_wish w = {0};
    struct arena *a = arena_new(RUN_TEXT_MAX);
    char taken[20][129];
    size_t n = 0;
    struct run r;
    restart_with(h, 1, 2);
    house_model(h, "a", NULL);
    house_test(h, "t", "a", "test.loop", "\"timeout_ms\":60000");
    do { /* some are claimed ahead; then two wait, then none more may */
        w = (struct run_wish){.trial = true};
        house_run(h, "a:1", &w);
        if (w.ok)
            memcpy(taken[n++], w.run_id, sizeof w.run_id);
    } while (w.ok && n < 20);
    assert_true(n >= 2 && n < 20);
    assert_ptr_equal(w.err.kind, &ERR_BUSY);
    for (size_t i = 0; i < n; i++)
        (void)validation_cancel(h->validation, "default", taken[i]);
    for (size_t i = 0; i < n; i++) {
        house_read(h, taken[i], a, &r);
        assert_string_equal(r.status, "cancelled");
        assert_false(r.complete);
    }
    w = (struct run_wish){.trial = true};
    house_run(h, "a:1", &w); /* there is room again */
    assert_true(w.ok);
    assert_int_equal(validation_cancel(h->validation, "default", w.run_id), CANCEL_TAKEN);
    arena_free(a);
}

static void cancel_ends_what_runs(void **state)
{
    struct house *h = *state;
    struct run_wish w = {0};
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    house_model(h, "a", NULL);
    house_test(h, "t1", "a", "test.sigterm", "\"timeout_ms\":3600000");
    house_test(h, "t2", "a", "test.loop", "\"timeout_ms\":3600000");
    house_test(h, "t3", "a", "test.nothing", "");
    house_run(h, "a:1", &w);
    HOUSE_AWAIT(stats_of(h).workers == 2);
    assert_int_equal(validation_cancel(h->validation, "default", "01NOSUCHRUN"), CANCEL_UNKNOWN);
    assert_int_equal(validation_cancel(h->validation, "other", w.run_id), CANCEL_UNKNOWN);
    assert_int_equal(validation_cancel(h->validation, "default", w.run_id), CANCEL_TAKEN);
    house_read(h, w.run_id, a, &r);
    assert_string_equal(r.status, "cancelled");
    assert_int_equal(r.results_len, 3);
    assert_int_equal(stats_of(h).workers, 0);
    assert_int_equal(validation_cancel(h->validation, "default", w.run_id), CANCEL_UNKNOWN);
    arena_free(a);
}

/* A run that was under way when the server was stopped is over, and says so; one that waited runs.
 */
static void a_restart_marks_what_was_under_way(void **state)
{
    struct house *h = *state;
    struct run_wish under_way = {0}, waits = {0};
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    restart_with(h, 1, 100);
    house_model(h, "a", NULL);
    house_model(h, "b", NULL);
    house_test(h, "t", "a", "test.loop", "\"timeout_ms\":3600000");
    house_test(h, "t2", "b", "test.nothing", "");
    house_run(h, "a:1", &under_way);
    HOUSE_AWAIT(stats_of(h).workers == 1);
    for (int i = 0; i < 5; i++) { /* more than are claimed ahead */
        waits = (struct run_wish){0};
        house_run(h, "b:1", &waits);
    }
    house_stop(h);
    house_start(h);
    HOUSE_AWAIT(stats_of(h).runs == 6);
    house_read(h, under_way.run_id, a, &r);
    assert_string_equal(r.status, "error");
    assert_int_equal(r.attempts_len, 1);
    assert_string_equal(r.attempts[0].end, "node_lost");
    assert_false(r.complete);
    house_read(h, waits.run_id, a, &r);
    assert_int_equal(r.attempts_len, 1);
    assert_string_equal(r.attempts[0].end, "done");
    arena_free(a);
}

/* A claim that ran out while the run is under way here (the clock was set) does not start it again.
 */
static void a_claim_that_ran_out_is_ours(void **state)
{
    struct house *h = *state;
    struct run_wish w = {0};
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    restart_with(h, 1, 100);
    house_model(h, "a", NULL);
    house_test(h, "t", "a", "test.loop", "\"timeout_ms\":3000");
    house_run(h, "a:1", &w);
    HOUSE_AWAIT(stats_of(h).workers == 1);
    house_set_clock(h, NOON + 2 * 3600000);
    house_read(h, w.run_id, a, &r);
    assert_int_equal(r.attempts_len, 1);
    HOUSE_AWAIT(stats_of(h).queued + stats_of(h).running == 0);
    assert_int_equal(stats_of(h).runs, 1);
    assert_int_equal(stats_of(h).tests, 1);
    arena_free(a);
}

static int set_up(void **state)
{
    static const char *const PLUGINS[] = {"good_nothing", "misbehave_loop", "misbehave_sigterm",
                                          NULL};
    return house_set_up(state, PLUGINS, NOON);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_more_workers_than_allowed), TEST(only_so_many_may_wait),
        TEST(cancel_ends_what_runs),        TEST(a_restart_marks_what_was_under_way),
        TEST(a_claim_that_ran_out_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
