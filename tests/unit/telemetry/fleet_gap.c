/* Nodes on one Redis, of which one was cut off for so long that what it lacks has left the streams:
 * by itself, and while it runs, it comes to have the figures of all. */
#include "fleet_house.h"

static uint64_t missed(struct fixture *f)
{
    struct telemetry_stats s;
    telemetry_stats(f->telemetry, &s);
    return s.deltas_missed;
}

static bool lacks(struct fixture *f)
{
    const struct fleet *fleet = f->telemetry->fleet;
    for (size_t i = 0; i < fleet->n_taken; i++)
        if (fleet->taken[i].gap)
            return true;
    return false;
}

static void round_of(struct house *h, int i)
{
    struct err e = {0};
    if (!fleet_round(h->nodes[i].telemetry->fleet, &e))
        fail_msg("%s: %s", NAMES[i], e.detail);
}

static void trim(int place)
{
    char line[64];
    snprintf(line, sizeof line, "XTRIM paddock:{c}:deltas:%d MAXLEN 0", place);
    assert_true(test_redis_say(&server, line, ":"));
}

/* Nodes 0 and 1 go on; node 2 is sent records, but neither tells nor hears anything. */
static void without_the_last(struct house *h, int rounds, int64_t ms)
{
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(h, i, 4);
        move_clocks(h, ms);
        for (int i = 0; i < 4; i++)
            round_of(h, i % 2);
        for (int i = 0; i < 2; i++)
            fixture_roll_up(&h->nodes[i]);
    }
}

static void begin(struct house *h)
{
    house_init(h, NODES, false);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(h, i, 3);
        meet(h);
        move_clocks(h, round == 2 ? 7 * HOUR : MINUTE);
        everybody_rolls_up(h);
    }
}

static void go_on_the_same(struct house *h)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(h, i, 3);
        meet(h);
        move_clocks(h, round == 1 ? 7 * HOUR : 20 * SECOND);
    }
    all_the_same(h, false);
    everybody_rolls_up(h);
    for (int i = 0; i < NODES; i++)
        kill_node(h, i);
    meet(h);
    all_the_same(h, false);
}

/* For longer than it is waited for, so all that it lacks is gone. */
static void a_node_that_was_cut_off_comes_to_have_all(void **state)
{
    struct house h;
    (void)state;
    begin(&h);
    without_the_last(&h, 4, 5 * MINUTE);
    send_some(&h, 0, 3); /* this it finds: and that it does not go on from what it has */
    meet(&h);
    assert_true(missed(&h.nodes[2]) > 0);
    assert_false(lacks(&h.nodes[2]));
    all_the_same(&h, false);
    go_on_the_same(&h);
    house_release(&h);
}

/* Nothing comes of a node that has ended, and yet something is missing. */
static void what_a_node_had_told_that_is_gone_is_missed(void **state)
{
    struct house h;
    (void)state;
    begin(&h);
    without_the_last(&h, 4, 5 * MINUTE);
    stop_node(&h, 1);
    stop_node(&h, 0);
    round_of(&h, 2);
    assert_true(missed(&h.nodes[2]) > 0);
    assert_false(lacks(&h.nodes[2]));
    all_the_same(&h, false);
    join(&h.nodes[0], NAMES[0]);
    join(&h.nodes[1], NAMES[1]);
    go_on_the_same(&h);
    house_release(&h);
}

/* What has left the stream is in nobody's rows yet: it waits for that. */
static void it_waits_until_another_node_has_it(void **state)
{
    struct house h;
    (void)state;
    begin(&h);
    h.nodes[2].telemetry->fleet->pause_ns = 0;
    for (int i = 0; i < NODES; i++)
        send_some(&h, i, 4);
    round_of(&h, 0);
    trim(0);
    for (int i = 0; i < 3; i++) {
        send_some(&h, 2, 2);
        round_of(&h, 2);
        assert_true(lacks(&h.nodes[2]));
    }
    h.nodes[1].telemetry->fleet->pause_ns = 0;
    round_of(&h, 1);
    fixture_roll_up(&h.nodes[1]); /* it lacks the same */
    round_of(&h, 2);
    assert_true(lacks(&h.nodes[2]));
    fixture_roll_up(&h.nodes[0]);
    meet(&h);
    for (int i = 1; i < NODES; i++) {
        assert_false(lacks(&h.nodes[i]));
        assert_int_equal(missed(&h.nodes[i]), 1);
    }
    all_the_same(&h, false);
    go_on_the_same(&h);
    house_release(&h);
}

/* It is in no rows and never will be: it is said to be lost, and all else goes on. */
static void what_nobody_has_is_lost_and_no_more(void **state)
{
    struct house h;
    uint64_t before[MODELS + 1], lost = 0, lack = 0;
    (void)state;
    begin(&h);
    all_the_same(&h, false);
    h.nodes[2].telemetry->fleet->pause_ns = 0;
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        before[uid] = fixture_window(&h.one, uid, HOUR).lifetime.total;
    send_some(&h, 0, 4);
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        lost += fixture_window(&h.one, uid, HOUR).lifetime.total - before[uid];
    round_of(&h, 0);
    trim(0);
    round_of(&h, 2);
    assert_true(lacks(&h.nodes[2]));
    h.nodes[2].telemetry->fleet->gap_ns -= INT64_C(301000000000);
    round_of(&h, 2);
    assert_false(lacks(&h.nodes[2]));
    assert_int_equal(missed(&h.nodes[2]), 2);
    send_some(&h, 0, 4);
    round_of(&h, 0);
    round_of(&h, 2);
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        lack += fixture_window(&h.one, uid, HOUR).lifetime.total -
                fixture_window(&h.nodes[2], uid, HOUR).lifetime.total;
    assert_int_equal(lack, lost);
    house_release(&h);
}

/* A node that starts takes the rows of one that has all, also if those of another say more. */
static void a_start_takes_what_is_whole(void **state)
{
    struct house h;
    (void)state;
    begin(&h);
    struct fleet *lacking = h.nodes[1].telemetry->fleet;
    lacking->gap_ns = 1; /* it does nothing about it yet */
    lacking->again_ns = INT64_MAX;
    send_some(&h, 0, 2);
    round_of(&h, 0);
    trim(0);
    fixture_roll_up(&h.nodes[0]);
    send_some(&h, 1, 20);
    round_of(&h, 1);
    round_of(&h, 0);
    fixture_roll_up(&h.nodes[1]);
    assert_true(lacks(&h.nodes[1]));
    kill_node(&h, 2);
    round_of(&h, 2);
    assert_int_equal(missed(&h.nodes[2]), 0);
    lacking->again_ns = 0;
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

/* --- Redis goes away in the midst of it --- */

static const struct store_ops *whole_ops;
static int appends_left;

static void append_some(struct store *s, struct series_append *a)
{
    if (appends_left-- > 0) {
        whole_ops->append(s, a);
        return;
    }
    a->ok = fail(&a->err, &ERR_IO, "Redis is away");
    a->done(a);
}

static void an_end_in_the_midst_of_it_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++)
        for (int after = 0; after <= 2 * MODELS; after += 3) {
            struct house h;
            struct err e = {0};
            begin(&h);
            without_the_last(&h, 3, 6 * MINUTE);
            struct fixture *f = &h.nodes[2];
            f->telemetry->fleet->pause_ns = 0;
            whole_ops = f->store->ops;
            struct store_ops dying = *whole_ops;
            dying.append = append_some;
            appends_left = after;
            f->store->ops = &dying;
            round_of(&h, 0);
            assert_false(fleet_round(f->telemetry->fleet, &e));
            f->store->ops = whole_ops;
            if (killed)
                kill_node(&h, 2);
            else
                send_some(&h, 2, 2);
            meet(&h);
            meet(&h);
            assert_false(lacks(&h.nodes[2]));
            all_the_same(&h, false);
            house_release(&h);
        }
}

/* --- others go on in the midst of it --- */

static struct house *busy;

static void append_while_others_roll_up(struct store *s, struct series_append *a)
{
    for (int i = 0; i < 2; i++)
        fixture_roll_up(&busy->nodes[i]);
    whole_ops->append(s, a);
}

/* What this node had told and rolled up is in the rows that it takes only from then on: it must not
 * leave the streams before it is counted. */
static void what_others_roll_up_meanwhile_is_not_missed(void **state)
{
    struct house h;
    (void)state;
    begin(&h);
    struct fixture *f = &h.nodes[2];
    struct fleet *lacking = f->telemetry->fleet;
    lacking->gap_ns = 1; /* it does nothing about it yet */
    lacking->again_ns = INT64_MAX;
    send_some(&h, 0, 4);
    round_of(&h, 0);
    round_of(&h, 1);
    fixture_roll_up(&h.nodes[1]);
    trim(0);
    send_some(&h, 2, 6);
    round_of(&h, 2);
    assert_true(lacks(f));
    fixture_roll_up(f);
    round_of(&h, 0);
    round_of(&h, 1);
    whole_ops = f->store->ops;
    struct store_ops busy_ops = *whole_ops;
    busy_ops.append = append_while_others_roll_up;
    busy = &h;
    f->store->ops = &busy_ops;
    lacking->again_ns = 0;
    round_of(&h, 2);
    f->store->ops = whole_ops;
    meet(&h);
    assert_false(lacks(f));
    all_the_same(&h, false);
    go_on_the_same(&h);
    house_release(&h);
}

/* --- by itself --- */

/* A stream loses what it has, again and again, while records come and queries are answered. */
static void while_all_goes_on_it_comes_by_itself(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, true);
    for (int i = 0; i < NODES; i++)
        h.nodes[i].telemetry->fleet->pause_ns = 1000000;
    for (int k = 0; k < 60; k++) {
        send_some(&h, k % NODES, 2);
        if (k % 5 == 4)
            trim(0);
        all_answer(&h);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    for (int i = 0; i < NODES; i++)
        for (int patience = 600; !has_as_many(&h, i); patience--) {
            assert_true(patience > 0);
            for (int k = 0; k < NODES; k++)
                fixture_roll_up(&h.nodes[k]);
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        }
    all_the_same(&h, false);
    house_release(&h);
}

static int run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_was_cut_off_comes_to_have_all),
        cmocka_unit_test(what_a_node_had_told_that_is_gone_is_missed),
        cmocka_unit_test(it_waits_until_another_node_has_it),
        cmocka_unit_test(what_nobody_has_is_lost_and_no_more),
        cmocka_unit_test(a_start_takes_what_is_whole),
        cmocka_unit_test(an_end_in_the_midst_of_it_loses_and_doubles_nothing),
        cmocka_unit_test(what_others_roll_up_meanwhile_is_not_missed),
        cmocka_unit_test(while_all_goes_on_it_comes_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return house_run(run);
}
