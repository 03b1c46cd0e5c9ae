#include "feed/lanes.h"

#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static void add(struct lanes *l, uint64_t uid, const char *subject, uint64_t seq, int64_t due)
{
    const struct delivery d = {.seq = seq};
    char id[24];
    snprintf(id, sizeof id, "w%u", (unsigned)uid);
    lanes_add(l, uid, "default", id, subject, &d, due);
}

/* One lane is in order and one at a time; another does not wait for it. */
static void in_order(void **state)
{
    struct lanes *l = lanes_new();
    (void)state;
    add(l, 1, "a", 1, 0);
    add(l, 1, "a", 2, 0);
    add(l, 1, "b", 3, 0);
    struct lane *a = lanes_next(l, 0), *b = lanes_next(l, 0);
    assert_int_equal(a->list[0].seq, 1);
    assert_int_equal(b->list[0].seq, 3);
    assert_null(lanes_next(l, 0));
    lane_later(l, a, 100); /* it failed */
    assert_int_equal(lanes_due(l), 100);
    assert_false(lane_done(l, b, 0));
    assert_int_equal(lanes_count(l), 1);
    assert_null(lanes_next(l, 99));
    a = lanes_next(l, 100);
    assert_int_equal(a->list[0].seq, 1);
    assert_false(lane_done(l, a, 100));
    a = lanes_next(l, 100);
    assert_int_equal(a->list[0].seq, 2);
    assert_false(lane_done(l, a, 100));
    assert_int_equal(lanes_count(l), 0);
    assert_int_equal(lanes_due(l), INT64_MAX);
    lanes_free(l);
}

/* No webhook takes all places, and they take turns. */
static void in_turn(void **state)
{
    struct lanes *l = lanes_new();
    struct lane *busy[2 * TARGET_BUSY];
    char subject[16];
    unsigned first = 0;
    (void)state;
    for (unsigned i = 0; i < 3 * TARGET_BUSY; i++) {
        snprintf(subject, sizeof subject, "s%u", i);
        add(l, 1, subject, 100 + i, 0);
        add(l, 2, subject, 200 + i, 0);
    }
    for (unsigned i = 0; i < 2 * TARGET_BUSY; i++) {
        busy[i] = lanes_next(l, 0);
        first += busy[i]->target->uid == 1;
        if (i % 2)
            assert_int_not_equal(busy[i]->target->uid, busy[i - 1]->target->uid);
    }
    assert_int_equal(first, TARGET_BUSY);
    assert_null(lanes_next(l, 0));
    assert_false(lane_done(l, busy[0], 0));
    assert_non_null(lanes_next(l, 0));
    assert_null(lanes_next(l, 0));
    lanes_free(l);
}

/* The earliest goes first, however they were put off. */
static void by_time(void **state)
{
    struct lanes *l = lanes_new();
    char subject[16];
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(subject, sizeof subject, "s%u", i);
        add(l, i, subject, i + 1, (int64_t)(i * 37 % 100));
    }
    for (int64_t now = 0; now < 100; now++) {
        assert_int_equal(lanes_due(l), now);
        struct lane *lane = lanes_next(l, now);
        assert_int_equal(lane->due_ms, now);
        assert_null(lanes_next(l, now));
        assert_false(lane_done(l, lane, now));
    }
    lanes_free(l);
}

/* Past LANE_KEPT the rest stays in the store, and is asked for. */
static void bounded(void **state)
{
    struct lanes *l = lanes_new();
    struct lane *lane = NULL;
    uint64_t seq = 1;
    bool read = false;
    (void)state;
    for (unsigned i = 1; i <= LANE_KEPT + 2; i++)
        add(l, 1, "a", i, 0);
    for (; !read; seq++) {
        lane = lanes_next(l, 0);
        assert_int_equal(lane->list[0].seq, seq);
        read = lane_done(l, lane, 0);
    }
    assert_int_equal(seq, LANE_KEPT + 1);
    assert_int_equal(lane->last_seq, LANE_KEPT);
    assert_int_equal(lane->target->pending, 2);
    assert_null(lanes_next(l, 0)); /* it is read meanwhile */
    add(l, 1, "a", LANE_KEPT + 3, 0);
    for (; seq <= LANE_KEPT + 2; seq++)
        assert_true(lane_keep(lane, &(struct delivery){.seq = seq}));
    lane_read(l, lane, false, 0);
    assert_true(lane->more); /* the one that came while it was read */
    lane = lanes_next(l, 0);
    assert_false(lane_done(l, lane, 0));
    lane = lanes_next(l, 0);
    assert_true(lane_done(l, lane, 0));
    assert_true(lane_keep(lane, &(struct delivery){.seq = seq}));
    lane_read(l, lane, false, 0);
    lane = lanes_next(l, 0);
    assert_false(lane_done(l, lane, 0));
    assert_int_equal(lanes_count(l), 0);
    lanes_free(l);
}

/* A webhook that is deleted takes its lanes along, those under way when they come back. */
static void dropped(void **state)
{
    struct lanes *l = lanes_new();
    (void)state;
    add(l, 1, "a", 1, 0);
    add(l, 1, "b", 2, 0);
    add(l, 1, "c", 3, 50);
    add(l, 2, "a", 4, 0);
    struct lane *x = lanes_next(l, 0), *y = lanes_next(l, 0);
    struct lane *one = x->target->uid == 1 ? x : y, *two = one == x ? y : x;
    lanes_drop(l, 1);
    assert_true(one->dead);
    assert_int_equal(lanes_count(l), 1);
    assert_int_equal(lanes_due(l), INT64_MAX);
    add(l, 1, "a", 5, 0);
    lane_later(l, one, 0);
    assert_int_equal(lanes_next(l, 0)->list[0].seq, 5);
    assert_false(lane_done(l, two, 0));
    assert_int_equal(lanes_count(l), 1);
    lanes_drop(l, 7);
    lanes_free(l);
}

/* What is in the store and what the journal is looked through for once more may be the same. */
static void known(void **state)
{
    struct lanes *l = lanes_new();
    (void)state;
    add(l, 1, "a", 1, 0);
    add(l, 1, "a", 2, 0);
    add(l, 1, "a", 1, 0);
    add(l, 1, "a", 2, 0);
    add(l, 1, "a", 3, 0);
    struct lane *a = lanes_next(l, 0);
    assert_int_equal(a->n, 3);
    assert_int_equal(a->target->pending, 3);
    for (unsigned seq = 1; seq <= 3; seq++) {
        assert_int_equal(a->list[0].seq, seq);
        assert_false(lane_done(l, a, 0));
        a = lanes_next(l, 0);
    }
    assert_null(a);
    lanes_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order), cmocka_unit_test(in_turn), cmocka_unit_test(by_time),
        cmocka_unit_test(bounded),  cmocka_unit_test(dropped), cmocka_unit_test(known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
