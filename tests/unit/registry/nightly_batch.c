#include "registry/alert.h"
#include "registry/nightly_batch.h"
#include "world.h"

#define HOUR_MS INT64_C(3600000)
#define DUE     INT64_C(1700000000000)

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void begin(struct world *w, const char *id, int64_t due, int64_t late_ms,
                  const char *actions)
{
    struct nightly_batch b = {.head = {.id = id},
                              .cause = "schedule",
                              .hour_utc = 2,
                              .scheduled_for = due,
                              .started_at = due + late_ms};
    w->c.args = &b;
    world_ok(w, 202, actions, nightly_begin, NULL, NULL, NULL);
}

static void end(struct world *w, const char *id)
{
    struct nightly_batch b = {.head = {.id = id}};
    w->c.args = &b;
    world_ok(w, 204, "nightly.finished", nightly_end, NULL, NULL, NULL);
}

static void one_at_a_time(void **state)
{
    struct world *w = *state;
    struct nightly_batch second = {.head = {.id = "n2"}, .cause = "manual", .hour_utc = INT64_MIN};
    begin(w, "n1", DUE, 0, "nightly.started");
    assert_non_null(view_nightly_running(world_view(w), "default"));
    assert_true(view_nightly_held(world_view(w), "default", 2, DUE));
    w->c.args = &second;
    world_no(w, &NIGHTLY_RUNNING, nightly_begin, NULL, NULL, NULL);
    end(w, "n1");
    assert_null(view_nightly_running(world_view(w), "default"));
    w->c.args = &second;
    world_ok(w, 204, "", nightly_end, NULL, NULL, NULL);
}

/* Whoever looks after the server hears of a night that came late, until one comes in time. */
static void late_ones_are_told(void **state)
{
    struct world *w = *state;
    begin(w, "n1", DUE, NIGHTLY_LATE_MS, "nightly.started");
    assert_null(view_alert_open(world_view(w), "default", "night_missed:2"));
    end(w, "n1");
    begin(w, "n2", DUE + 72 * HOUR_MS, 5 * HOUR_MS, "nightly.started,alert.opened");
    const struct alert *a = view_alert_open(world_view(w), "default", "night_missed:2");
    assert_non_null(a);
    assert_string_equal(a->kind, "night_missed");
    assert_string_equal(a->severity, "medium");
    assert_string_equal(a->summary, "the night due at 2023-11-17T22:13:20.000Z began 300 min late, "
                                    "and 2 before it did not take place");
    end(w, "n2");
    begin(w, "n3", DUE + 96 * HOUR_MS, 2 * HOUR_MS, "nightly.started,alert.repeated");
    end(w, "n3");
    begin(w, "n4", DUE + 120 * HOUR_MS, 1000, "nightly.started,alert.resolved");
    assert_null(view_alert_open(world_view(w), "default", "night_missed:2"));
    end(w, "n4");
}

/* By hand there is no time at which it should have begun. */
static void by_hand_is_never_late(void **state)
{
    struct world *w = *state;
    struct nightly_batch b = {
        .head = {.id = "n1"}, .cause = "manual", .hour_utc = INT64_MIN, .started_at = DUE};
    w->c.args = &b;
    world_ok(w, 202, "nightly.started", nightly_begin, NULL, NULL, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_at_a_time),
        T(late_ones_are_told),
        T(by_hand_is_never_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
