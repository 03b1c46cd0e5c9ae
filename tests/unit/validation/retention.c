/* Runs of the past go, those that are still needed stay. (Pinned ones, and nights, are in
 * tests/api/night_alarm.c.) */
#include "support/house.h"

#include "base/mem.h"
#include "validation/run_store.h"

#include <string.h>
#include <unistd.h>

#define NOON   INT64_C(1764244800000) /* 2025-11-27T12:00:00Z */
#define DAY_MS INT64_C(86400000)

static bool is_there(struct house *h, const char *run_id)
{
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    bool found = run_get(h->store, "default", run_id, a, &r, NULL);
    arena_free(a);
    return found;
}

static void run_at(struct house *h, int64_t day, const char *model_id, char id[129])
{
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run_wish w = {0};
    struct run r;
    house_set_clock(h, NOON + day * DAY_MS);
    house_run(h, model_id, &w);
    house_read(h, w.run_id, a, &r);
    assert_string_equal(r.status, "passed");
    memcpy(id, w.run_id, sizeof w.run_id);
    arena_free(a);
}

/* The clock goes on by days, and nights would have runs of their own. */
static void no_nights(struct house *h, const char *name)
{
    house_do(h, registered_model_patch, NULL, name, "{\"nightly\":{\"enabled\":false}}");
}

static void old_runs_go_and_needed_ones_stay(void **state)
{
    struct house *h = *state;
    char first[129], second[129], other[129], third[129];
    house_model(h, "m", "stable");
    house_model(h, "n", "stable");
    no_nights(h, "m");
    no_nights(h, "n");
    house_test(h, "t", "m", "test.nothing", "");
    house_test(h, "u", "n", "test.nothing", "");
    run_at(h, 0, "m:1", first);
    run_at(h, 1, "m:1", second);
    run_at(h, 1, "n:1", other);
    run_at(h, 5, "m:1", third);
    assert_true(is_there(h, first)); /* none is old yet */
    house_set_clock(h, NOON + 13 * DAY_MS);
    HOUSE_AWAIT(!is_there(h, first) && !is_there(h, second));
    assert_true(is_there(h, third)); /* not old */
    assert_true(is_there(h, other)); /* old, but the newest that passed */
}

static int set_up(void **state)
{
    static const char *const PLUGINS[] = {"good_nothing", NULL};
    struct house *h = mem_zero(1, sizeof *h);
    house_open(h, PLUGINS, NOON);
    house_stop(h);
    h->keep_runs_ms = 10 * DAY_MS;
    house_start(h);
    *state = h;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_runs_go_and_needed_ones_stay, set_up, house_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
