#include "selection/selection_counts.h"

#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static struct model model_called(const char *id, uint64_t uid)
{
    return (struct model){.entity = {.id = id, .uid = uid}, .name = "m"};
}

static void count_one(struct selection_tally *t, const struct model *m, uint64_t route,
                      enum selection_reason reason)
{
    const struct selection_answer a = {
        .facts = {.route_uid = route}, .route = route ? "r" : NULL, .served = m, .reason = reason};
    selection_tally_add(t, &a, "default");
}

struct seen {
    size_t places;
    uint64_t sum, others, of_route;
};

static void see(void *ctx, const struct selection_count *c)
{
    struct seen *s = ctx;
    s->places++;
    s->sum += c->count;
    s->others += *c->model_id ? 0 : c->count;
    s->of_route += strcmp(c->route, "r") == 0 && c->reason == SELECTION_FLAG ? c->count : 0;
    assert_string_equal(*c->model_id ? c->ns : "default", "default");
}

static void many_loops_are_counted_together(void **state)
{
    (void)state;
    struct selection_counts *c = selection_counts_new();
    struct selection_tally *one = selection_tally_new(), *two = selection_tally_new();
    struct model a = model_called("m:1", 1), b = model_called("m:2", 2);
    struct seen s = {0};
    for (int i = 0; i < 3; i++) {
        count_one(one, &a, 7, SELECTION_FLAG);
        count_one(two, &a, 7, SELECTION_FLAG);
        count_one(two, &b, 0, SELECTION_ONLY);
    }
    selection_counts_each(c, see, &s);
    assert_int_equal(s.places, 0);
    selection_tally_flush(one, c);
    selection_tally_flush(two, c);
    selection_tally_flush(two, c); /* once only */
    selection_counts_each(c, see, &s);
    assert_int_equal(s.places, 2);
    assert_int_equal(s.sum, 9);
    assert_int_equal(s.of_route, 6);
    selection_tally_free(one);
    selection_tally_free(two);
    selection_tally_free(NULL);
    selection_counts_free(c);
    selection_counts_free(NULL);
}

static void places_are_bounded_and_nothing_is_lost(void **state)
{
    (void)state;
    struct selection_counts *c = selection_counts_new();
    struct selection_tally *t = selection_tally_new();
    struct model m = model_called("m:1", 1);
    struct seen s = {0};
    for (uint64_t round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < SELECTION_COUNTS_MAX + 100; i++)
            count_one(t, &m, 1 + i, SELECTION_FLAG);
        selection_tally_flush(t, c);
    }
    selection_counts_each(c, see, &s);
    assert_int_equal(s.places, SELECTION_COUNTS_MAX + 1);
    assert_int_equal(s.sum, 2 * (SELECTION_COUNTS_MAX + 100));
    assert_int_equal(s.others, 200);
    selection_tally_free(t);
    selection_counts_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_loops_are_counted_together),
        cmocka_unit_test(places_are_bounded_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
