#include "selection/weights.h"

#include "support/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static void publish(struct weights *w, enum weights_source source, double a, double b, double c)
{
    struct err e = {0};
    const struct weights_arm arms[] = {
        {"a", a, 0.5, "{\"n\":1}"}, {"b", b, NAN, NULL}, {"c", c, NAN, NULL}};
    const struct weights_wish wish = {.ns = "default",
                                      .route = "r",
                                      .route_uid = 7,
                                      .by = source ? "exp" : "thompson",
                                      .arms = arms,
                                      .arm_count = 3};
    if (!weights_publish(w, source, &wish, &e))
        fail_msg("%s", e.detail);
}

static const struct weights_set *now(struct weights_reader *r, enum weights_source source)
{
    const struct weights_set *set = weights_of(r, source, "default", "r");
    assert_non_null(set);
    return set;
}

static void publishes_and_withdraws(void **state)
{
    (void)state;
    struct weights *w = weights_new();
    struct weights_reader *r = weights_join(w);
    publish(w, WEIGHTS_STRATEGY, 1, 1, 2);
    weights_enter(r);
    const struct weights_set *set = now(r, WEIGHTS_STRATEGY);
    assert_string_equal(set->by, "thompson");
    assert_int_equal(set->route_uid, 7);
    assert_string_equal(weights_draw(set, 0)->arm, "a");
    assert_string_equal(weights_draw(set, 25000)->arm, "b");
    assert_string_equal(weights_draw(set, 99999)->arm, "c");
    assert_string_equal(set->arms[0].parts, "{\"n\":1}");
    assert_true(weights_propensity(set, &set->arms[2]) == 0.5);
    assert_null(weights_of(r, WEIGHTS_EXPERIMENT, "default", "r"));
    assert_null(weights_of(r, WEIGHTS_STRATEGY, "other", "r"));
    assert_null(weights_of(r, WEIGHTS_STRATEGY, "default", "s"));
    weights_leave(r);
    uint64_t before = weights_version(w);
    weights_withdraw(w, WEIGHTS_STRATEGY, "default", "r");
    assert_true(weights_version(w) > before);
    before = weights_version(w);
    weights_withdraw(w, WEIGHTS_STRATEGY, "default", "r"); /* again: nothing */
    weights_withdraw(w, WEIGHTS_STRATEGY, "default", "unknown");
    assert_int_equal(weights_version(w), before);
    weights_enter(r);
    assert_null(weights_of(r, WEIGHTS_STRATEGY, "default", "r"));
    weights_leave(r);
    weights_part(r);
    weights_free(w);
}

/* 1 -> 5 -> 25 %: nobody who has the treatment loses it, and an experiment begins from the ranges
 * that the strategy had. */
static void growing_moves_nobody_out(void **state)
{
    (void)state;
    struct weights *w = weights_new();
    struct weights_reader *r = weights_join(w);
    static bool in[BUCKETS];
    publish(w, WEIGHTS_STRATEGY, 1, 99, 0);
    weights_enter(r);
    for (uint32_t b = 0; b < BUCKETS; b++)
        in[b] = weights_draw(now(r, WEIGHTS_STRATEGY), b)->arm[0] == 'a';
    weights_leave(r);
    for (int percent = 5; percent <= 100; percent *= percent == 5 ? 5 : 2) {
        publish(w, WEIGHTS_EXPERIMENT, percent, 100 - percent, 0);
        uint32_t moved = 0, held = 0;
        weights_enter(r);
        for (uint32_t b = 0; b < BUCKETS; b++) {
            bool is = weights_draw(now(r, WEIGHTS_EXPERIMENT), b)->arm[0] == 'a';
            moved += is != in[b];
            held += is;
            assert_true(is || !in[b]);
            in[b] = is;
        }
        weights_leave(r);
        assert_int_equal(held, percent * 1000);
        assert_int_equal(moved, (percent - (percent == 5    ? 1
                                            : percent == 25 ? 5
                                                            : percent / 2)) *
                                    1000);
    }
    weights_part(r);
    weights_free(w);
}

/* A restart: published from the ranges that were kept, everybody stays where he was. */
static void begins_from_what_was_kept(void **state)
{
    (void)state;
    struct weights *w = weights_new(), *after = weights_new();
    struct arena *a = arena_new(1 << 20);
    publish(w, WEIGHTS_STRATEGY, 50, 50, 0);
    publish(w, WEIGHTS_STRATEGY, 10, 60, 30);
    const struct weights_set *kept = weights_copy(w, WEIGHTS_STRATEGY, "default", "r", a);
    assert_non_null(kept);
    struct err e = {0};
    const struct weights_arm arms[] = {
        {"c", 30, NAN, NULL}, {"b", 60, NAN, NULL}, {"a", 10, NAN, NULL}};
    const struct weights_wish wish = {
        .ns = "default", .route = "r", .by = "x", .arms = arms, .arm_count = 3, .from = kept};
    assert_true(weights_publish(after, WEIGHTS_STRATEGY, &wish, &e));
    const struct weights_set *set = weights_copy(after, WEIGHTS_STRATEGY, "default", "r", a);
    for (uint32_t b = 0; b < BUCKETS; b += 7)
        assert_string_equal(weights_draw(set, b)->arm, weights_draw(kept, b)->arm);
    assert_null(weights_copy(after, WEIGHTS_EXPERIMENT, "default", "r", a));
    arena_free(a);
    weights_free(w);
    weights_free(after);
    weights_free(NULL);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct weights *w = weights_new();
    const double BAD[][2] = {{0, 0}, {-1, 2}, {NAN, 1}, {INFINITY, 1}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err e = {0};
        const struct weights_arm arms[] = {{"a", BAD[i][0], NAN, NULL},
                                           {"b", BAD[i][1], NAN, NULL}};
        struct weights_wish wish = {
            .ns = "n", .route = "r", .by = "x", .arms = arms, .arm_count = 2};
        assert_false(weights_publish(w, WEIGHTS_STRATEGY, &wish, &e));
        assert_ptr_equal(e.kind, &ERR_INVALID);
        wish.arm_count = 0;
        assert_false(weights_publish(w, WEIGHTS_STRATEGY, &wish, &e));
    }
    struct err e = {0};
    const struct weights_arm twice[] = {{"a", 1, NAN, NULL}, {"a", 1, NAN, NULL}};
    const struct weights_wish wish = {
        .ns = "n", .route = "r", .by = "x", .arms = twice, .arm_count = 2};
    assert_false(weights_publish(w, WEIGHTS_STRATEGY, &wish, &e));
    assert_int_equal(weights_version(w), 0);
    weights_free(w);
}

struct race {
    struct weights *w;
    atomic_bool stop;
    atomic_int looked;
};

/* Sanitizers watch: a set is whole as long as one is inside. */
static void *look(void *ctx)
{
    struct race *race = ctx;
    struct weights_reader *r = weights_join(race->w);
    while (!atomic_load(&race->stop)) {
        weights_enter(r);
        const struct weights_set *set = weights_of(r, WEIGHTS_STRATEGY, "default", "r");
        if (set) {
            double sum = 0;
            for (size_t i = 0; i < set->arm_count; i++)
                sum += weights_propensity(set, &set->arms[i]);
            assert_true(fabs(sum - 1) < 1e-9);
            atomic_fetch_add(&race->looked, 1);
        }
        weights_leave(r);
    }
    weights_part(r);
    return NULL;
}

static void readers_beside_publishers(void **state)
{
    (void)state;
    struct race race = {.w = weights_new()};
    pthread_t thread;
    publish(race.w, WEIGHTS_STRATEGY, 1, 1, 1);
    assert_int_equal(pthread_create(&thread, NULL, look, &race), 0);
    for (int i = 0; i < 2000 || atomic_load(&race.looked) < 10; i++) {
        publish(race.w, WEIGHTS_STRATEGY, 1 + i % 7, 1 + i % 5, i % 3);
        if (i % 10 == 0)
            weights_withdraw(race.w, WEIGHTS_STRATEGY, "default", "r");
    }
    atomic_store(&race.stop, true);
    pthread_join(thread, NULL);
    weights_free(race.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes_and_withdraws),   cmocka_unit_test(growing_moves_nobody_out),
        cmocka_unit_test(begins_from_what_was_kept), cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(readers_beside_publishers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
