/* Decisions on their way into a store and back, by unit, route and time; what the bounds do. */
#include "selection/decisions.h"

#include "base/json.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW  1700000000000
#define HOUR INT64_C(3600000)

struct fixture {
    struct manual_clock clock;
    struct store *store;
    struct decisions *log;
    struct decision_lane *lane;
    struct model model;
    uint64_t made;
    /* what was read */
    size_t n;
    int64_t first, last;
    char text[8192];
};

static void open_log(struct fixture *x, uint64_t max_bytes)
{
    struct err e = {0};
    const struct decisions_config config = {
        .store = x->store, .clock = &x->clock.clock, .keep_ms = 10 * HOUR, .max_bytes = max_bytes};
    x->log = decisions_open(&config, &e);
    if (!x->log)
        fail_msg("%s", e.detail);
    x->lane = decision_lane_new(x->log);
}

/* Everything is written then. */
static void close_log(struct fixture *x)
{
    decision_lane_free(x->lane);
    decisions_close(x->log);
    x->lane = NULL;
    x->log = NULL;
}

static int setup(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof *x);
    assert_non_null(x);
    manual_clock_init(&x->clock, NOW);
    x->store = store_memory_open(&x->clock.clock);
    x->model = (struct model){.entity = {.id = "m:1", .uid = 1}, .name = "m", .version = "1"};
    open_log(x, 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    close_log(x);
    decision_lane_free(NULL);
    decisions_close(NULL);
    x->store->ops->close(x->store);
    free(x);
    return 0;
}

static void decide(struct fixture *x, const char *unit, const char *route, int64_t at,
                   enum decision_log log, bool drawn)
{
    struct selection_answer a = {.route = route,
                                 .arm = "new",
                                 .served = &x->model,
                                 .intended = &x->model,
                                 .propensity = 0.5,
                                 .reason = SELECTION_STRATEGY,
                                 .unit = unit,
                                 .log = log};
    a.facts.at_ms = at;
    a.facts.flags = drawn ? DECISION_DRAWN : 0;
    a.facts.unit = unit ? decision_mark(unit, strlen(unit)) : 0;
    snprintf(a.decision_id, sizeof a.decision_id, "d%llu", (unsigned long long)x->made++);
    decision_lane_add(x->lane, &a, "default");
}

static bool take(void *ctx, const struct logged_decision *d)
{
    struct fixture *x = ctx;
    struct err e = {0};
    json_t *one = json_read(d->json, d->len, &e);
    assert_non_null(one);
    json_decref(one);
    if (x->n++ == 0) {
        x->first = d->at_ms;
        snprintf(x->text, sizeof x->text, "%.*s", (int)d->len, d->json);
    }
    x->last = d->at_ms;
    return true;
}

static size_t find(struct fixture *x, const char *unit, const char *route, int64_t from, int64_t to)
{
    struct err e = {0};
    const struct decision_query q = {.ns = "default",
                                     .unit = unit,
                                     .route = route,
                                     .from = from,
                                     .to = to,
                                     .each = take,
                                     .ctx = x};
    x->n = 0;
    assert_true(decisions_read(x->store, &q, &e));
    return x->n;
}

static void by_unit_route_and_time(void **state)
{
    struct fixture *x = *state;
    for (int i = 0; i < 300; i++) {
        char unit[32];
        snprintf(unit, sizeof unit, "user-%d", i);
        decide(x, unit, i % 2 ? "odd" : "even", NOW + i, LOG_ALL, false);
    }
    decide(x, "user-7", "even", NOW + 5000, LOG_ALL, true);
    decide(x, "a \"quoted\" \\ unit", "r", NOW, LOG_ALL, false);
    close_log(x);
    assert_int_equal(find(x, "user-7", NULL, 0, 0), 2);
    assert_int_equal(x->first, NOW + 5000); /* newest first */
    assert_int_equal(x->last, NOW + 7);
    assert_int_equal(find(x, "user-7", "odd", 0, 0), 1);
    assert_non_null(strstr(x->text, "\"unit\":\"user-7\",\"route\":\"odd\",\"arm\":\"new\""));
    assert_int_equal(find(x, "user-7", NULL, NOW + 8, 0), 1);
    assert_int_equal(find(x, "user-7", NULL, 0, NOW + 5000), 1);
    assert_int_equal(find(x, "user-7", NULL, NOW + 7, NOW + 5001), 2);
    assert_int_equal(find(x, "a \"quoted\" \\ unit", NULL, 0, 0), 1);
    assert_int_equal(find(x, "user-1", NULL, 0, 0), 1); /* and not user-10 */
    assert_int_equal(find(x, "nobody", NULL, 0, 0), 0);
    open_log(x, 0);
}

static void only_what_the_route_wants(void **state)
{
    struct fixture *x = *state;
    struct decisions_stats s;
    decide(x, "u", "r", NOW, LOG_OFF, true);
    decide(x, "u", "r", NOW + 1, LOG_EXPOSURES, false);
    decide(x, "u", "r", NOW + 2, LOG_EXPOSURES, true);
    decide(x, NULL, "r", NOW + 3, LOG_ALL, true); /* nobody to be found by */
    decision_lane_flush(x->lane);
    for (int i = 0; i < 3000; i++) {
        decisions_stats(x->log, &s);
        if (s.written)
            break;
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(s.written, 1);
    assert_int_equal(s.lost, 0);
    assert_true(s.bytes > 100);
    assert_int_equal(find(x, "u", NULL, 0, 0), 1);
    assert_int_equal(x->first, NOW + 2);
}

static void the_old_goes_and_is_not_counted(void **state)
{
    struct fixture *x = *state;
    struct decisions_stats s;
    decide(x, "u", "r", NOW, LOG_ALL, false);
    close_log(x);
    x->clock.wall_ms = NOW + 12 * HOUR;
    open_log(x, 0);
    decide(x, "u", "r", NOW + 12 * HOUR, LOG_ALL, false);
    close_log(x);
    assert_int_equal(find(x, "u", NULL, 0, 0), 1);
    assert_int_equal(x->first, NOW + 12 * HOUR);
    open_log(x, 0);
    decisions_stats(x->log, &s);
    assert_in_range(s.bytes, 100, 600); /* of the one, over a restart */
}

/* The oldest hours make room, the present one stays. */
static void the_whole_is_bounded(void **state)
{
    struct fixture *x = *state;
    close_log(x);
    for (int hour = 0; hour < 4; hour++) {
        x->clock.wall_ms = NOW + hour * HOUR;
        open_log(x, 6000);
        for (int i = 0; i < 10; i++)
            decide(x, "u", "r", x->clock.wall_ms + i, LOG_ALL, false);
        close_log(x);
    }
    size_t n = find(x, "u", NULL, 0, 0);
    assert_in_range(n, 10, 30);
    assert_int_equal(n % 10, 0);
    assert_int_equal(x->first, NOW + 3 * HOUR + 9);
    open_log(x, 6000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(by_unit_route_and_time),
        TEST(only_what_the_route_wants),
        TEST(the_old_goes_and_is_not_counted),
        TEST(the_whole_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
