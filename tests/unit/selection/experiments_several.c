/* Experiments with several treatments as they run. */
#include "experiments_lab.h"

/* Which arm each of some units has by the shares in force. */
static void place_units(struct lab *lab, const char *out[100])
{
    const struct weights_set *set =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    for (uint32_t i = 0; i < 100; i++)
        out[i] = weights_draw(set, i * (BUCKETS / 100) + 7)->arm;
}

static void one_that_is_worse_is_taken_out_and_the_others_go_on(void **state)
{
    struct lab *lab = *state;
    static const double BAD[ARMS] = {0, 0, 0.9};
    const char *before[100], *after[100];
    begin(lab, "\"new\",\"other\"", "\"steps_percent\":[40,80]");
    AWAIT(is_live(lab) && share(lab, 1) == 20 && share(lab, 2) == 20);
    assert_true(share(lab, 0) == 60 && number_of(lab, "alpha") == 0.025);
    place_units(lab, before);
    slot(lab, 4000, BAD);
    AWAIT(strstr(look_up(lab).taken_out, "\"arm\":\"other\""));
    assert_string_equal(look_up(lab).state, "running");
    assert_string_equal(look_up(lab).cause, "hard_trip");
    assert_memory_equal(look_up(lab).sentence, "other: Rolled back", 18);
    /* Its part is the control's, and nobody else moves. */
    AWAIT(share(lab, 0) == 80 && share(lab, 1) == 20 && share(lab, 2) == 0);
    place_units(lab, after);
    for (int i = 0; i < 100; i++)
        assert_string_equal(after[i], strcmp(before[i], "other") == 0 ? "old" : before[i]);
    /* The other's evidence goes on, by shares that fit. */
    for (int i = 0; i < 40 && look_up(lab).step == 0; i++)
        slot(lab, 4000, NO_ERRORS);
    AWAIT(share(lab, 1) == 40 && share(lab, 0) == 60 && share(lab, 2) == 0);
    /* A restart goes the same way: the same ranges, the same evidence. */
    const char *shown = analysis(lab);
    const struct weights_set *shares =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    stop(lab);
    start(lab);
    assert_string_equal(analysis(lab), shown);
    const struct weights_set *again =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    assert_int_equal(again->share_count, shares->share_count);
    assert_memory_equal(again->shares, shares->shares,
                        shares->share_count * sizeof *shares->shares);
    for (int i = 0; i < 40 && look_up(lab).runs; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).state, "succeeded");
    assert_string_equal(look_up(lab).winner, "new");
}

static void the_last_one_that_is_worse_ends_it(void **state)
{
    struct lab *lab = *state;
    static const double BAD[ARMS] = {0, 0.9, 0.9};
    begin(lab, "\"new\",\"other\"", "\"steps_percent\":[40]");
    AWAIT(is_live(lab));
    for (int i = 0; i < 20 && look_up(lab).runs; i++)
        slot(lab, 4000, BAD);
    assert_string_equal(look_up(lab).state, "rolled_back");
    assert_int_equal(look_up(lab).decisions, 3); /* started, one out, the other back */
    AWAIT(share(lab, 0) == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_is_worse_is_taken_out_and_the_others_go_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_last_one_that_is_worse_ends_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
