/* Three nodes on one real Redis against one that is fed everything: the same figures, to the byte
 * where they are sketches, whatever ends in between. */
#include "fleet_house.h"

/* --- tests --- */

static void every_node_has_the_figures_of_all(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    move_clocks(&h, 10 * SECOND); /* 5 s slots are whole from here on */
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, (int)(random_u64(&h.random) % 4));
        if (round % 3)
            meet(&h);
        if (round % 7 == 6)
            fixture_roll_up(&h.nodes[round % NODES]);
        move_clocks(&h, round % 10 == 9 ? 2 * HOUR : 3 * SECOND);
    }
    for (int i = 0; i < NODES; i++)
        send_some(&h, i, 3);
    meet(&h);
    all_the_same(&h, true);
    house_release(&h);
}

/* kill -9 before the records are told, after, with rows and without. */
static void a_node_that_is_killed_loses_and_doubles_nothing(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 24; round++) {
        const int victim = (int)(random_u64(&h.random) % NODES);
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, (int)(random_u64(&h.random) % 3));
        if (round % 4 == 1)
            meet(&h);
        if (round % 4 == 2) /* told, not heard */
            assert_true(fleet_ship(h.nodes[victim].telemetry->fleet, &e));
        if (round % 5 == 3)
            fixture_roll_up(&h.nodes[victim]);
        if (round % 5 == 4)
            fixture_roll_up(&h.nodes[(victim + 1) % NODES]);
        kill_node(&h, victim);
        move_clocks(&h, round % 8 == 7 ? 6 * HOUR : 20 * SECOND);
    }
    meet(&h);
    all_the_same(&h, false);
    for (int i = 0; i < NODES; i++) {
        fixture_roll_up(&h.nodes[i]);
        kill_node(&h, i);
    }
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

static const struct store_ops *whole_ops;

static void append_without_marks(struct store *s, struct series_append *a)
{
    a->n_marks = 0;
    whole_ops->append(s, a);
}

static void roll_up_without_marks(struct fixture *f)
{
    whole_ops = f->store->ops;
    struct store_ops dying = *whole_ops;
    dying.append = append_without_marks;
    f->store->ops = &dying;
    fixture_roll_up(f);
    f->store->ops = whole_ops;
}

/* kill -9 in the middle of a roll-up: rows of models are there, and not yet the marks that say how
 * far all of them are, so the streams are read again from where the marks before say. */
static void a_node_that_dies_while_it_rolls_up_doubles_nothing(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, 3);
        meet(&h);
        roll_up_without_marks(&h.nodes[round % NODES]);
        kill_node(&h, round % NODES);
        move_clocks(&h, round == 3 ? 7 * HOUR : MINUTE);
        meet(&h);
        all_the_same(&h, false);
    }
    house_release(&h);
}

static bool stream_is_empty(int place)
{
    char line[64];
    snprintf(line, sizeof line, "XLEN paddock:{c}:deltas:%d", place); /* 0 where there is none */
    return test_redis_say(&server, line, ":0");
}

/* What all rows have leaves Redis; who comes later, or comes back after long, has it nonetheless.
 */
static void a_node_that_comes_late_has_everything(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 2, false);
    for (int round = 0; round < 6; round++) {
        send_some(&h, round % 2, 4);
        move_clocks(&h, round == 3 ? 7 * HOUR : MINUTE);
        everybody_rolls_up(&h);
    }
    everybody_rolls_up(&h); /* the first to roll up has tidied before the last had its marks */
    for (int place = 0; place < 2; place++)
        assert_true(stream_is_empty(place));
    all_the_same(&h, false);

    fixture_prepare(&h.nodes[2]);
    h.nodes[2].clock.wall_ms = h.one.clock.wall_ms;
    h.nodes[2].store->ops->close(h.nodes[2].store);
    join(&h.nodes[2], NAMES[2]);
    meet(&h);
    all_the_same(&h, false);

    send_some(&h, 2, 4);
    stop_node(&h, 2); /* in good order; then for longer than it is waited for */
    for (int round = 0; round < 4; round++) {
        send_some(&h, round % 2, 4);
        move_clocks(&h, 5 * MINUTE);
        everybody_rolls_up(&h);
    }
    join(&h.nodes[2], NAMES[2]);
    meet(&h);
    all_the_same(&h, false);
    kill_node(&h, 2);
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

/* Redis hangs, so what was sent is not known to have come, and comes when it goes on; then it is
 * killed; meanwhile all nodes go on counting. */
static void redis_that_is_away_gets_everything_once(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, 3);
        test_redis_signal(&server, round % 2 ? SIGSTOP : SIGKILL);
        for (int i = 0; i < NODES; i++) {
            assert_false(fleet_ship(h.nodes[i].telemetry->fleet, &e));
            send_some(&h, i, 3);
            same_window(&h.nodes[i], &h.nodes[i], 1, HOUR); /* it answers */
        }
        for (int k = 0; k < 40; k++) { /* more slots than are kept apart */
            move_clocks(&h, 7 * SECOND);
            send_some(&h, k % NODES, 2);
        }
        if (round == 2)
            telemetry_abandon(h.nodes[0].telemetry); /* and one node with it */
        if (round % 2)
            test_redis_signal(&server, SIGCONT);
        else
            assert_true(test_redis_start(&server));
        if (round == 2) {
            h.nodes[0].store->ops->close(h.nodes[0].store);
            join(&h.nodes[0], NAMES[0]);
        }
        meet_at_last(&h);
        all_the_same(&h, false);
    }
    house_release(&h);
}

static void by_themselves_they_come_to_the_same(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, true);
    for (int k = 0; k < 40; k++) {
        send_some(&h, k % NODES, 2);
        if (k % 8 == 7)
            fixture_roll_up(&h.nodes[k % NODES]);
        all_answer(&h);
    }
    for (int i = 0; i < NODES; i++)
        for (int patience = 6000; !has_as_many(&h, i); patience--) {
            assert_true(patience > 0);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    all_the_same(&h, false);
    house_release(&h);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_has_the_figures_of_all),
        cmocka_unit_test(a_node_that_is_killed_loses_and_doubles_nothing),
        cmocka_unit_test(a_node_that_dies_while_it_rolls_up_doubles_nothing),
        cmocka_unit_test(a_node_that_comes_late_has_everything),
        cmocka_unit_test(by_themselves_they_come_to_the_same),
        cmocka_unit_test(redis_that_is_away_gets_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return house_run(run);
}
