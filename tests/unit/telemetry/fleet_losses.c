/* Three nodes on one Redis: what it had and lost, and what nodes had before they shared it. */
#include "fleet_house.h"

static uint64_t total(struct fixture *f, uint64_t uid)
{
    struct metrics_query q = {.window_ms = DAY};
    return fixture_ask(f, uid, &q).lifetime.total;
}

static uint64_t missed(struct fixture *f)
{
    struct telemetry_stats s;
    telemetry_stats(f->telemetry, &s);
    return s.deltas_missed;
}

static void say(const char *line, const char *reply)
{
    if (!test_redis_say(&server, line, reply))
        fail_msg("'%s' is not answered by '%s'", line, reply);
}

/* Redis has what it had when this was said first: figures of node 0, which has place 0. */
static void remember(void)
{
    say("COPY paddock:{c}:deltas was:{c}:h", ":1");
    say("COPY paddock:{c}:deltas:0 was:{c}:s", ":1");
}

static void go_back(void)
{
    say("RENAME was:{c}:h paddock:{c}:deltas", "+OK");
    say("RENAME was:{c}:s paddock:{c}:deltas:0", "+OK");
}

/* Node 0 tells twice, node 1 hears it, node 2 does not; and it is gone. */
static void tell_in_vain(struct house *h)
{
    struct err e = {0};
    for (int i = 0; i < NODES; i++)
        send_some(h, i, 4);
    meet(h);
    all_the_same(h, false);
    remember();
    for (int i = 0; i < 2; i++) {
        send_some(h, 0, 6);
        assert_true(fleet_round(h->nodes[0].telemetry->fleet, &e));
        assert_true(fleet_round(h->nodes[1].telemetry->fleet, &e));
    }
    go_back();
    assert_int_equal(missed(&h->nodes[0]), 0);
}

static void go_on(struct house *h)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(h, i, 2);
        meet(h);
    }
}

/* An older copy, or a failover to a replica that was behind although one had confirmed it: who sent
 * what is gone sends it again, and nobody counts it twice. */
static void what_redis_lost_is_told_again(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    tell_in_vain(&h);
    go_on(&h);
    all_the_same(&h, false);
    for (int i = 0; i < NODES; i++)
        assert_int_equal(missed(&h.nodes[i]), 0);
    everybody_rolls_up(&h);
    for (int i = 0; i < NODES; i++)
        kill_node(&h, i);
    go_on(&h);
    all_the_same(&h, false);
    house_release(&h);
}

/* It is held no more: who had taken what is gone has it still, the sender says what was lost, and
 * nothing counts twice. */
static void what_redis_lost_is_noticed(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    h.nodes[0].telemetry->fleet->told_max = 0;
    uint64_t lost = 0;
    tell_in_vain(&h);
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        lost += total(&h.one, uid) - total(&h.nodes[2], uid);
    assert_true(lost > 0);
    go_on(&h);
    assert_int_equal(missed(&h.nodes[0]), 1); /* `deltas_lost` */
    assert_int_equal(missed(&h.nodes[2]), 0); /* it goes on with what there is */
    for (uint64_t uid = 1; uid <= MODELS; uid++) {
        assert_int_equal(total(&h.nodes[0], uid), total(&h.one, uid));
        assert_int_equal(total(&h.nodes[1], uid), total(&h.one, uid));
        lost -= total(&h.one, uid) - total(&h.nodes[2], uid);
    }
    assert_int_equal(lost, 0);
    house_release(&h);
}

/* The master and the node end at the same moment, when another had taken what no replica had: the
 * node makes the same entry of its log, in front of what came after it. */
static void what_was_on_its_way_is_the_same_after_kill_9(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h, NODES, false);
    for (int i = 0; i < NODES; i++)
        send_some(&h, i, 4);
    everybody_rolls_up(&h);
    for (int after = 0; after < 2; after++) {
        remember();
        send_some(&h, 0, 6);
        assert_true(fleet_round(h.nodes[0].telemetry->fleet, &e));
        assert_true(fleet_round(h.nodes[1].telemetry->fleet, &e));
        send_some(&h, 0, after ? 5 : 0);
        go_back();
        kill_node(&h, 0);
        go_on(&h);
        all_the_same(&h, false);
        for (int i = 0; i < NODES; i++)
            assert_int_equal(missed(&h.nodes[i]), 0);
    }
    house_release(&h);
}

/* Rows as versions wrote them in which each node counted for itself: those of this node go on, and
 * a node that is new has them. */
static void rows_of_before_are_taken_along(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 1, false);
    struct fixture *a = &h.nodes[0];
    telemetry_close(a->telemetry);
    const struct store_ops *ops = a->store->ops;
    struct store_ops alone = *ops;
    alone.tail = NULL; /* by which telemetry knows that others are there */
    a->store->ops = &alone;
    fixture_open(a);
    for (int round = 0; round < 4; round++) {
        send_some(&h, 0, 5);
        move_clocks(&h, round == 2 ? 7 * HOUR : MINUTE);
        fixture_roll_up(a);
    }
    send_some(&h, 0, 5);             /* these are in its log alone */
    telemetry_abandon(a->telemetry); /* kill -9, and the new version is started */
    a->store->ops = ops;
    fixture_open(a);
    meet(&h);
    all_the_same(&h, false);
    send_some(&h, 0, 3);
    everybody_rolls_up(&h);
    fixture_prepare(&h.nodes[1]);
    h.nodes[1].clock.wall_ms = h.one.clock.wall_ms;
    h.nodes[1].store->ops->close(h.nodes[1].store);
    join(&h.nodes[1], NAMES[1]);
    meet(&h);
    send_some(&h, 1, 3);
    meet(&h);
    all_the_same(&h, false);
    kill_node(&h, 0);
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_redis_lost_is_told_again),
        cmocka_unit_test(what_redis_lost_is_noticed),
        cmocka_unit_test(what_was_on_its_way_is_the_same_after_kill_9),
        cmocka_unit_test(rows_of_before_are_taken_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return house_run(run);
}
