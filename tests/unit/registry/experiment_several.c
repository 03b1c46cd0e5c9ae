/* Several treatments: one is taken out while the others go on, and one wins. */
#include "experiment_world.h"

static void begin_two(struct world *w, const char *more)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"key\":\"x\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[\"new\","
             "\"other\"]%s%s}",
             *more ? "," : "", more);
    world_ok(w, 201, NULL, create, NULL, NULL, body);
    world_ok(w, 200, "model.updated,model.updated,experiment.started", experiment_start, "x", NULL,
             NULL);
}

static void one_is_taken_out_and_the_others_go_on(void **state)
{
    struct world *w = *state;
    begin_two(w, "");
    assert_string_equal(get(w, "x")->models, "{\"old\":\"a:1\",\"new\":\"a:2\",\"other\":\"a:3\"}");
    reported(w, EXPERIMENT_IS_WORSE, (struct experiment_news){.treatment = "other", .cause = "c"});
    assert_string_equal(w->actions, "model.rolled_back_from,experiment.treatment_rolled_back");
    assert_string_equal(get(w, "x")->state, "running");
    assert_string_equal(world_status(w, "a:3"), "development");
    assert_true(world_model(w, "a:3")->held && !world_model(w, "a:2")->held);
    assert_string_equal(weights(w), "{\"weights\":{\"old\":100,\"new\":0,\"other\":0}}");
    const struct experiment_spec *s =
        experiment_spec_of(view_document(world_view(w), &EXPERIMENT_TYPE, w->ns, "x"));
    assert_true(s->out_count == 1 && s->treatments[1].out_order == 1 &&
                !s->treatments[0].out_order);
    assert_true(s->treatments[1].out_ms == w->now_ms && s->treatments[1].out_step == 0);
    /* It is out: nothing is said of it again. */
    assert_false(report(w, EXPERIMENT_IS_BETTER, (struct experiment_news){.treatment = "other"}));
    assert_ptr_equal(w->c.err.kind, &EXPERIMENT_STATE);
    world_no(w, &ERR_INVALID, experiment_roll_back, "x", NULL, "{\"treatment\":\"other\"}");
    reported(w, EXPERIMENT_IS_BETTER, (struct experiment_news){.treatment = "new"});
    assert_string_equal(get(w, "x")->state, "succeeded");
    assert_string_equal(get(w, "x")->winner, "new");
    assert_true(view_experiment_won(world_view(w), w->ns, "a:2"));
    assert_false(view_experiment_won(world_view(w), w->ns, "a:3"));
    /* Begun anew nothing is out. */
    world_ok(w, 204, NULL, model_release, "a:3", NULL, NULL);
    world_move(w, "a:3", "canary");
    world_ok(w, 200, NULL, route_patch, "r", NULL,
             "{\"arms\":{\"old\":\"a@stable\",\"new\":null,\"other\":\"a:3\"},\"params\":{"
             "\"weights\":{\"old\":1,\"new\":null}}}");
    world_ok(w, 200, NULL, patch, "x", NULL, "{\"treatments\":[\"other\"]}");
    world_ok(w, 200, NULL, experiment_start, "x", NULL, NULL);
    assert_string_equal(get(w, "x")->taken_out, "[]");
    assert_null(get(w, "x")->winner);
    assert_int_equal(get(w, "x")->attempt, 2);
}

static void the_last_one_ends_it_and_all_go_back(void **state)
{
    struct world *w = *state;
    begin_two(w, "");
    world_ok(w, 200, NULL, experiment_roll_back, "x", NULL, NULL); /* all of one name at once */
    assert_string_equal(world_status(w, "a:2"), "development");
    assert_string_equal(world_status(w, "a:3"), "development");
    assert_string_equal(get(w, "x")->state, "rolled_back");
}

static void people_say_which_one(void **state)
{
    struct world *w = *state;
    begin_two(w, "");
    world_no(w, &ERR_INVALID, experiment_promote, "x", NULL, NULL);
    assert_true(problem_says(w, "which one"));
    world_no(w, &ERR_INVALID, experiment_promote, "x", NULL, "{\"treatment\":\"old\"}");
    world_ok(w, 200, NULL, experiment_roll_back, "x", NULL, "{\"treatment\":\"new\"}");
    assert_string_equal(get(w, "x")->state, "running");
    assert_string_equal(world_status(w, "a:2"), "development");
    world_ok(w, 200, NULL, experiment_promote, "x", NULL, NULL); /* only one is left */
    assert_string_equal(world_status(w, "a:3"), "stable");
    assert_string_equal(weights(w), "{\"weights\":{\"old\":0,\"new\":0,\"other\":1}}");
}

/* A stable model that was taken out still serves where an arm names it: the route's own weights,
 * when they count again, are the control's for it. */
static void who_was_taken_out_does_not_come_back(void **state)
{
    static const enum experiment_step ENDS[] = {EXPERIMENT_ENDS, EXPERIMENT_IS_BETTER};
    struct world *w = *state;
    world_ok(w, 200, NULL, model_transition, "a:3", NULL,
             "{\"status\":\"stable\",\"supersede\":false}");
    for (size_t i = 0; i < 3; i++) {
        world_ok(w, 200, NULL, route_patch, "r", NULL,
                 "{\"arms\":{\"old\":\"a:1\"},\"params\":{\"weights\":{\"old\":60,\"new\":10,"
                 "\"other\":30}}}");
        begin_two(w, "\"on_success\":\"nothing\"");
        world_ok(w, 200, NULL, experiment_roll_back, "x", NULL, "{\"treatment\":\"other\"}");
        assert_string_equal(world_status(w, "a:3"), "deprecated");
        assert_string_equal(weights(w), "{\"weights\":{\"old\":60,\"new\":10,\"other\":30}}");
        if (i < 2)
            reported(w, ENDS[i], (struct experiment_news){.treatment = "new"});
        else
            world_ok(w, 200, NULL, experiment_stop, "x", NULL, NULL);
        assert_string_equal(weights(w), "{\"weights\":{\"old\":90,\"new\":10,\"other\":0}}");
        world_ok(w, 204, NULL, erase, "x", NULL, NULL);
        world_ok(w, 204, NULL, model_release, "a:3", NULL, NULL);
        world_ok(w, 200, NULL, model_transition, "a:3", NULL,
                 "{\"status\":\"stable\",\"supersede\":false}");
    }
}

static void a_proposal_names_its_winner(void **state)
{
    struct world *w = *state;
    begin_two(w, "\"on_success\":\"propose\"");
    reported(w, EXPERIMENT_IS_BETTER, (struct experiment_news){.treatment = "other"});
    assert_string_equal(get(w, "x")->paused_by, "proposal");
    assert_true(view_experiment_won(world_view(w), w->ns, "a:3"));
    world_ok(w, 200, NULL, experiment_promote, "x", NULL, NULL);
    assert_string_equal(world_status(w, "a:3"), "stable");
}

static void treatments_differ(void **state)
{
    struct world *w = *state;
    world_no(w, &ERR_INVALID, create, NULL, NULL,
             "{\"key\":\"x\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[\"new\","
             "\"new\"]}");
    assert_true(problem_says(w, "/treatments/1"));
    world_no(w, &ERR_INVALID, create, NULL, NULL,
             "{\"key\":\"x\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[\"a\",\"b\","
             "\"c\",\"d\",\"e\"]}");
    world_ok(w, 200, NULL, route_patch, "r", NULL, "{\"arms\":{\"other\":\"a:2\"}}");
    world_ok(w, 201, NULL, create, NULL, NULL,
             "{\"key\":\"x\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[\"new\","
             "\"other\"]}");
    world_no(w, &EXPERIMENT_ARMS, experiment_start, "x", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_taken_out_and_the_others_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_ends_it_and_all_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(people_say_which_one, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_taken_out_does_not_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_proposal_names_its_winner, setup, teardown),
        cmocka_unit_test_setup_teardown(treatments_differ, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
