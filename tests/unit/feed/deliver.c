/* The deliverer with a real engine, a real store in memory and a real receiver over HTTP. */
#include "feed/deliver.h"

#include "support/hooks.h"
#include "support/unit.h"

#include "feed/lanes.h"
#include "registry/alert.h"
#include "registry/webhook.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static bool enabled(struct hooks *t, const char *id)
{
    struct view_reader *reader = engine_join(t->engine);
    const struct document *d = view_document(view_enter(reader), &WEBHOOK_TYPE, "default", id);
    bool is = d && webhook_of(d)->enabled;
    view_leave(reader);
    engine_part(reader);
    return is;
}

/* Is there an alert that a webhook keeps failing, whose sentence has `part`? */
static bool alerted(struct hooks *t, const char *id, const char *part)
{
    char key[64];
    struct view_reader *reader = engine_join(t->engine);
    snprintf(key, sizeof key, "webhook_failing:%s", id);
    const struct alert *a = view_alert_open(view_enter(reader), "default", key);
    bool is = a && strstr(a->summary, part);
    view_leave(reader);
    engine_part(reader);
    return is;
}

/* --- tests --- */

static void each_model_in_order(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    hooks_refuse(t, "a", 500);
    for (unsigned i = 1; i <= 40; i++) {
        hooks_describe(t, "a", i);
        hooks_describe(t, "b", i);
    }
    AWAIT(hooks_got(t, "b") == 40);
    AWAIT(hooks_refusals(t) >= 2);
    AWAIT(hooks_stats(t).pending == 40);
    assert_int_equal(hooks_got(t, "a"), 0);
    hooks_refuse(t, "", 0);
    AWAIT(hooks_got(t, "a") == 40);
    AWAIT(hooks_stats(t).delivered == 80);
    hooks_assert_in_order(t, "a");
    hooks_assert_in_order(t, "b");
    AWAIT(hooks_stats(t).pending == 0 && hooks_stats(t).lanes == 0);
}

static void a_restart_loses_nothing(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    hooks_refuse(t, "*", 503);
    for (unsigned i = 1; i <= 3 * LANE_KEPT; i++)
        hooks_describe(t, "a", i);
    hooks_describe(t, "b", 1);
    AWAIT(hooks_stats(t).pending == 3 * LANE_KEPT + 1 && hooks_refusals(t) >= 2);
    hooks_stop(t);
    hooks_start(t);
    hooks_describe(t, "b", 2);
    AWAIT(hooks_stats(t).pending == 3 * LANE_KEPT + 2);
    hooks_refuse(t, "", 0);
    AWAIT(hooks_got(t, "a") == 3 * LANE_KEPT && hooks_got(t, "b") == 2);
    hooks_assert_in_order(t, "a");
    hooks_assert_in_order(t, "b");
    AWAIT(hooks_stats(t).pending == 0);
    hooks_stop(t);
    hooks_start(t);
    hooks_describe(t, "b", 3);
    AWAIT(hooks_got(t, "b") == 3); /* and nothing came twice */
    assert_int_equal(hooks_got(t, "a"), 3 * LANE_KEPT);
    hooks_assert_in_order(t, "b");
}

static void given_up_after_a_day(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    hooks_refuse(t, "*", 500);
    hooks_describe(t, "a", 1);
    AWAIT(hooks_refusals(t) >= 1);
    assert_int_equal(hooks_stats(t).failed, 0);
    atomic_store(&t->ahead_ms, DELIVER_FOR_MS);
    hooks_describe(t, "a", 2);
    AWAIT(hooks_stats(t).failed == 1);
    hooks_refuse(t, "", 0);
    AWAIT(hooks_got(t, "a") == 1);
    assert_string_equal(t->got[0].text, "2");
}

static void gone_disables(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    hooks_refuse(t, "*", 410);
    hooks_describe(t, "a", 1);
    AWAIT(!enabled(t, "all"));
    AWAIT(hooks_stats(t).failed == 1);
    AWAIT(alerted(t, "all", "410 Gone"));
    hooks_describe(t, "a", 2); /* not wanted while it is disabled */
    AWAIT(hooks_stats(t).behind == 0);
    hooks_refuse(t, "", 0);
    hooks_do(t, document_patch, "all", "{\"enabled\":true}");
    hooks_describe(t, "a", 3);
    AWAIT(hooks_got(t, "a") == 1);
    assert_string_equal(t->got[0].text, "3");
    AWAIT(!alerted(t, "all", ""));
}

/* The n-th. The clock may have been put forward just before the one before was noted, and the next
 * attempt is later still: then once more. */
static void await_refusal(struct hooks *t, size_t n)
{
    for (int i = 1; hooks_refusals(t) < n; i++) {
        if (i == HOOKS_DEADLINE_S * 200)
            fail_msg("waited in vain for refusal %zu", n);
        if (i % 200 == 0)
            atomic_fetch_add(&t->later_ms, 600000);
        usleep(5000);
    }
}

/* The events of `a` are refused again and again, those of `b` arrive: one of them is enough for an
 * alert, and its arrival for its end. */
static void keeps_failing(void **state)
{
    struct hooks *t = *state;
    unsigned n = 0;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    register_model(&t->calls, "b", 1);
    hooks_refuse(t, "a", 500);
    hooks_describe(t, "a", 1);
    for (size_t attempt = 1; attempt <= 10; attempt++) {
        await_refusal(t, attempt);
        assert_true(attempt > 9 || !alerted(t, "all", ""));
        atomic_fetch_add(&t->later_ms, 600000);
        hooks_describe(t, "b", ++n);
        AWAIT(hooks_got(t, "b") == n);
    }
    AWAIT(alerted(t, "all", "keeps failing: 10 attempts of one event"));
    assert_true(alerted(t, "all", "the receiver answered 500"));
    hooks_describe(t, "b", ++n); /* arrives, but the other one still does not */
    AWAIT(hooks_got(t, "b") == n);
    assert_true(alerted(t, "all", ""));
    hooks_refuse(t, "", 0);
    atomic_fetch_add(&t->later_ms, 600000);
    hooks_describe(t, "b", ++n);
    AWAIT(hooks_got(t, "a") == 1);
    AWAIT(!alerted(t, "all", ""));
}

/* Nobody waits for a webhook that is no more. */
static void deletion_ends_the_alert(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    hooks_refuse(t, "*", 410);
    hooks_describe(t, "a", 1);
    AWAIT(alerted(t, "all", "410 Gone"));
    hooks_do(t, document_delete, "all", NULL);
    assert_false(alerted(t, "all", ""));
}

static void deleted_with_what_waits(void **state)
{
    struct hooks *t = *state;
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    hooks_refuse(t, "*", 500);
    for (unsigned i = 1; i <= 2 * LANE_KEPT; i++)
        hooks_describe(t, "a", i);
    AWAIT(hooks_refusals(t) >= 1 && hooks_stats(t).pending == 2 * LANE_KEPT);
    hooks_do(t, document_delete, "all", NULL);
    AWAIT(hooks_stats(t).pending == 0 && hooks_stats(t).lanes == 0);
    assert_int_equal(hooks_stats(t).dropped, 2 * LANE_KEPT);
    hooks_refuse(t, "", 0);
    hooks_make(t, "all"); /* the same id is another webhook */
    hooks_describe(t, "a", 99);
    AWAIT(hooks_got(t, "a") == 1);
    assert_string_equal(t->got[0].text, "99");
}

struct waited {
    struct deliver_test test; /* first */
    atomic_bool done;
};

static void test_done(struct deliver_test *test)
{
    atomic_store(&((struct waited *)(void *)test)->done, true);
}

static void tests_tell(void **state)
{
    struct hooks *t = *state;
    struct err e = {0};
    struct waited w = {.test = {.ns = "default", .id = "all", .done = test_done}};
    assert_true(deliver_test(t->deliveries, &w.test, &e));
    AWAIT(atomic_load(&w.done));
    assert_false(w.test.found);
    hooks_make(t, "all");
    w = (struct waited){.test = {.ns = "default", .id = "all", .done = test_done}};
    assert_true(deliver_test(t->deliveries, &w.test, &e));
    AWAIT(atomic_load(&w.done));
    assert_true(w.test.found);
    assert_int_equal(w.test.outcome.status, 204);
    assert_int_equal(hooks_got(t, "all"), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, hooks_set_up, hooks_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_model_in_order), TEST(a_restart_loses_nothing), TEST(given_up_after_a_day),
        TEST(gone_disables),       TEST(deleted_with_what_waits), TEST(tests_tell),
        TEST(keeps_failing),       TEST(deletion_ends_the_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
