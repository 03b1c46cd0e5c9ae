/* Nights from due to done, with real workers and a clock that is set ahead. */
#include "validation/inner.h"

#include "support/house.h"
#include "support/store_wait.h"

#include "registry/nightly_batch.h"
#include "registry/errors.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIDNIGHT INT64_C(1764201600000) /* 2025-11-27T00:00:00Z */
#define ONE      (MIDNIGHT + HOUR_MS)
#define TWO      (MIDNIGHT + 2 * HOUR_MS)

/* --- what is known of nights --- */

struct seen {
    size_t n, done;
    struct nightly_batch last; /* the newest that is done; texts are not kept */
    char batch_id[129], cause[16];
};

static bool see(const struct entity *entity, void *ctx)
{
    struct seen *s = ctx;
    const struct nightly_batch *b = nightly_batch_of(document_of(entity));
    s->n++;
    if (strcmp(b->state, "done") != 0)
        return true;
    s->done++;
    if (b->started_at < s->last.started_at)
        return true;
    s->last = *b;
    snprintf(s->batch_id, sizeof s->batch_id, "%s", entity->id);
    snprintf(s->cause, sizeof s->cause, "%s", b->cause);
    return true;
}

static struct seen nights(struct house *h)
{
    struct seen s = {0};
    struct view_reader *reader = engine_join(h->engine);
    view_each(view_enter(reader), ENTITY_NIGHTLY, see, &s);
    view_leave(reader);
    engine_part(reader);
    return s;
}

/* The model of each run of a night, and how it ended. */
static size_t runs_of(struct house *h, const char *batch_id, const char *model_id,
                      const char *status)
{
    struct arena *a = arena_new(RUN_ARENA_MAX);
    struct run_range range = {.batch_id = batch_id};
    struct run_text *list = NULL;
    size_t len = 0, n = 0;
    struct err e = {0};
    if (!run_list(h->store, &range, a, &list, &len, NULL, &e))
        fail_msg("%s", e.detail);
    for (size_t i = 0; i < len; i++) {
        struct run r;
        if (!run_get(h->store, "default", list[i].run_id, a, &r, &e))
            fail_msg("%s", e.detail);
        assert_string_equal(r.trigger, "nightly");
        n += (!model_id || strcmp(r.model_id, model_id) == 0) && strcmp(r.status, status) == 0;
    }
    arena_free(a);
    return n;
}

static void set_hours(struct house *h, const char *name, const char *nightly)
{
    char body[256];
    snprintf(body, sizeof body, "{\"nightly\":%s}", nightly);
    house_do(h, registered_model_patch, NULL, name, body);
}

static bool nobody_runs(struct house *h)
{
    struct night_progress p;
    return !validation_night_progress(h->validation, "default", &p);
}

/* Long enough for the schedule to have been looked at. */
static void nothing_begins(struct house *h, size_t n)
{
    usleep(500000);
    assert_int_equal(nights(h).n, n);
    assert_true(nobody_runs(h));
}

/* --- tests --- */

static void each_name_at_its_hour(void **state)
{
    struct house *h = *state;
    house_model(h, "early", "stable");
    house_model(h, "late", "canary");
    house_model(h, "never", "stable");
    house_model(h, "unserved", NULL);
    house_test(h, "t1", "early", "test.nothing", "");
    house_test(h, "t2", "late", "test.exit", "");
    set_hours(h, "late", "{\"hour_utc\":5}");
    set_hours(h, "never", "{\"enabled\":false}");
    nothing_begins(h, 0);
    house_set_clock(h, TWO);
    HOUSE_AWAIT(nights(h).done == 1);
    struct seen s = nights(h);
    assert_string_equal(s.cause, "schedule");
    assert_int_equal(s.last.scheduled_for, TWO);
    assert_int_equal(s.last.hour_utc, 2);
    assert_int_equal(s.last.runs.total, 1);
    assert_int_equal(s.last.runs.passed, 1);
    assert_int_equal(runs_of(h, s.batch_id, "early:1", "passed"), 1);
    house_set_clock(h, TWO + HOUR_MS / 2);
    nothing_begins(h, 1); /* once is enough */
    house_set_clock(h, MIDNIGHT + 5 * HOUR_MS + 1);
    HOUSE_AWAIT(nights(h).done == 2);
    s = nights(h);
    assert_int_equal(s.last.hour_utc, 5);
    assert_int_equal(s.last.runs.total, 1);
    assert_int_equal(s.last.runs.passed, 0);
    assert_int_equal(runs_of(h, s.batch_id, "late:1", "passed"), 0);
    house_set_clock(h, TWO + DAY_MS);
    HOUSE_AWAIT(nights(h).done == 3);
    assert_int_equal(nights(h).last.scheduled_for, TWO + DAY_MS);
}

/* What was due while nobody was there is made up at the start, once. */
static void a_missed_night_is_made_up(void **state)
{
    struct house *h = *state;
    house_model(h, "m", "stable");
    house_test(h, "t", "m", "test.nothing", "");
    nothing_begins(h, 0);
    house_stop(h);
    house_set_clock(h, TWO + 3 * DAY_MS + 5 * HOUR_MS);
    house_start(h);
    HOUSE_AWAIT(nights(h).done == 1);
    const struct seen s = nights(h);
    assert_int_equal(s.last.scheduled_for, TWO + 3 * DAY_MS);
    assert_int_equal(s.last.runs.passed, 1);
    house_stop(h);
    house_set_clock(h, TWO + 3 * DAY_MS + 6 * HOUR_MS);
    house_start(h);
    nothing_begins(h, 1);
}

/* A version that came into service after the hour waits for the next night. */
static void who_came_later_waits(void **state)
{
    struct house *h = *state;
    house_set_clock(h, TWO + HOUR_MS / 4);
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    house_set_clock(h, TWO + HOUR_MS);
    nothing_begins(h, 0);
    house_set_clock(h, TWO + DAY_MS);
    HOUSE_AWAIT(nights(h).done == 1);
    assert_int_equal(nights(h).last.runs.passed, 1);
}

/* What has not begun when the night must end is called off. */
static void the_end_hour_calls_off(void **state)
{
    struct house *h = *state;
    struct night_progress p = {0};
    house_stop(h);
    h->workers = 1;
    house_start(h);
    for (char name[] = "a"; name[0] <= 'l'; name[0]++) {
        const char test_id[] = {'t', name[0], '\0'};
        house_model(h, name, "stable");
        house_test(h, test_id, name, "test.loop", "\"timeout_ms\":700");
        set_hours(h, name, "{\"end_hour_utc\":3}");
    }
    house_set_clock(h, TWO);
    HOUSE_AWAIT(validation_night_progress(h->validation, "default", &p) && p.under_way >= 1);
    assert_int_equal(p.total, 12);
    house_set_clock(h, MIDNIGHT + 3 * HOUR_MS);
    HOUSE_AWAIT(nights(h).done == 1);
    const struct seen s = nights(h);
    assert_int_equal(s.last.runs.total, 12);
    assert_int_equal(s.last.runs.passed, 0);
    assert_true(s.last.runs.cancelled >= 1);
    assert_int_equal(s.last.runs.cancelled + s.last.runs.error + s.last.runs.failed, 12);
    assert_int_equal(runs_of(h, s.batch_id, NULL, "cancelled"), s.last.runs.cancelled);
}

/* A restart in the middle finishes the night; no run is counted twice or lost. */
static void a_restart_goes_on(void **state)
{
    struct house *h = *state;
    struct night_progress p = {0};
    house_stop(h);
    h->workers = 1;
    house_start(h);
    for (char name[] = "a"; name[0] <= 'f'; name[0]++) {
        const char test_id[] = {'t', name[0], '\0'};
        house_model(h, name, "stable");
        if (name[0] == 'd')
            house_test(h, test_id, name, "test.loop", "\"timeout_ms\":1500");
        else
            house_test(h, test_id, name, "test.nothing", "");
    }
    house_set_clock(h, TWO);
    HOUSE_AWAIT(validation_night_progress(h->validation, "default", &p) && p.done >= 1);
    assert_int_equal(nights(h).done, 0);
    house_stop(h);
    house_start(h);
    HOUSE_AWAIT(nights(h).done == 1);
    const struct seen s = nights(h);
    assert_int_equal(s.last.runs.total, 6);
    assert_int_equal(s.last.runs.passed, 5);
    assert_int_equal(s.last.runs.failed + s.last.runs.error, 1);
    assert_int_equal(runs_of(h, s.batch_id, NULL, "passed"), 5);
    assert_int_equal(nights(h).n, 1);
}

struct asked {
    struct night_wish wish;
    atomic_bool done;
};

/* A node that stops in order leaves the lease to the next at once, not after its thirty seconds. */
static void a_stop_leaves_the_lease(void **state)
{
    struct house *h = *state;
    struct lease_request other = {.name = "nightly", .holder = "another node"};
    HOUSE_AWAIT(wait_lease(h->store, &other) && other.until > 0); /* only asking */
    house_stop(h);
    other.ttl_ms = 60000;
    assert_true(wait_lease(h->store, &other));
    assert_true(other.held);
    other.ttl_ms = 0;
    assert_true(wait_lease(h->store, &other));
    house_start(h);
}

static void night_answered(struct night_wish *w)
{
    atomic_store(&((struct asked *)w->owner)->done, true);
}

static void ask(struct house *h, struct asked *q, struct arena *a)
{
    *q = (struct asked){.wish = {.arena = a, .ns = "default", .done = night_answered, .owner = q}};
    validation_night(h->validation, &q->wish);
    HOUSE_AWAIT(atomic_load(&q->done));
}

static void by_hand_one_at_a_time(void **state)
{
    struct house *h = *state;
    struct asked first, second;
    struct arena *a = arena_new(1 << 20);
    house_model(h, "a", "stable");
    house_model(h, "b", "canary");
    house_test(h, "ta", "a", "test.loop", "\"timeout_ms\":2000");
    house_test(h, "tb", "b", "test.nothing", "");
    set_hours(h, "a", "{\"enabled\":false}"); /* no matter to who asks */
    ask(h, &first, a);
    assert_true(first.wish.ok);
    assert_int_equal(first.wish.queued, 2);
    ask(h, &second, a);
    assert_false(second.wish.ok);
    assert_ptr_equal(second.wish.err.kind, &NIGHTLY_RUNNING);
    assert_non_null(strstr(second.wish.err.members, first.wish.batch_id));
    HOUSE_AWAIT(nights(h).done == 1);
    assert_string_equal(nights(h).cause, "manual");
    assert_int_equal(nights(h).last.runs.passed, 1);
    arena_free(a);
}

static int set_up(void **state)
{
    static const char *const PLUGINS[] = {"good_nothing", "misbehave_loop", "misbehave_exit", NULL};
    return house_set_up(state, PLUGINS, ONE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_name_at_its_hour), TEST(a_missed_night_is_made_up),
        TEST(who_came_later_waits),  TEST(the_end_hour_calls_off),
        TEST(a_restart_goes_on),     TEST(a_stop_leaves_the_lease),
        TEST(by_hand_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
