/* How experiments are written down, moved and ended, with all that changes with them. */
#include "experiment_world.h"

#include "support/random.h"

#include <math.h>

/* ---- the document ---- */

static void what_it_must_have_is_said_at_once(void **state)
{
    struct world *w = *state;
    static const char *const WRONG[] = {
        "\"alpha\":0.5",
        "\"steps_percent\":[]",
        "\"steps_percent\":[5,5]",
        "\"steps_percent\":[100]",
        "\"steps_percent\":[0,5]",
        "\"steps_percent\":[\"5\"]",
        "\"metrics\":[]",
        "\"metrics\":[{\"name\":\"speed\"}]",
        "\"metrics\":[{\"name\":\"latency_p90\"}]",
        "\"metrics\":[{\"name\":\"error_rate\"},{\"name\":\"error_rate\"}]",
        "\"metrics\":[{\"name\":\"error_rate\",\"direction\":\"higher\"}]",
        "\"metrics\":[{\"name\":\"error_rate\",\"margin_abs\":1}]",
        "\"metrics\":[{\"name\":\"score:x\",\"margin_ratio\":1}]",
        "\"metrics\":[{\"name\":\"score:x\",\"margin_abs\":0}]",
        "\"metrics\":[{\"name\":\"score:\"}]",
        "\"on_success\":\"dance\"",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        char body[512];
        snprintf(body, sizeof body, BODY("x") ",%s}", WRONG[i]);
        if (world_run(w, create, NULL, NULL, body))
            fail_msg("granted: %s", WRONG[i]);
    }
    world_no(w, &BAD_REFERENCE, create, NULL, NULL,
             "{\"key\":\"x\",\"route\":\"none\",\"control\":\"old\",\"treatments\":[\"new\"]}");
    world_no(w, &ERR_INVALID, create, NULL, NULL,
             "{\"key\":\"x\",\"route\":\"r\",\"control\":\"new\",\"treatments\":[\"new\"]}");
    assert_true(problem_says(w, "/treatments/0"));
}

static void what_is_not_said_is_preset(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "experiment.created", create, NULL, NULL,
             BODY("x") ",\"state\":\"running\",\"metrics\":[{\"name\":\"error_rate\"},{\"name\":"
                       "\"latency_p99\"},"
                       "{\"name\":\"score:brier\",\"direction\":\"lower\",\"margin_abs\":0.01},"
                       "{\"name\":\"score:hit\"}]}");
    const struct experiment_spec *s =
        experiment_spec_of(view_document(world_view(w), &EXPERIMENT_TYPE, w->ns, "x"));
    assert_int_equal(s->metric_count, 4);
    assert_true(s->metrics[0].margin == 0.5 && s->metrics[1].margin == 0.1);
    assert_true(s->metrics[1].quantile == 0.99 && s->metrics[1].kind == METRIC_LATENCY);
    assert_true(s->metrics[2].margin == 0.01 && !s->metrics[2].higher_is_better);
    assert_true(s->metrics[3].margin == 0.02 && s->metrics[3].higher_is_better);
    assert_int_equal(s->step_count, 5);
    assert_true(get(w, "x")->alpha == 0.05 && isnan(get(w, "x")->share_percent));
    assert_string_equal(get(w, "x")->state, "draft");
}

/* ---- people ---- */

static void it_owns_its_route_while_it_runs(void **state)
{
    struct world *w = *state;
    begin(w, "\"steps_percent\":[2,40]");
    assert_true(get(w, "x")->share_percent == 2 && get(w, "x")->attempt == 1);
    assert_string_equal(get(w, "x")->models, "{\"old\":\"a:1\",\"new\":\"a:2\"}");
    assert_non_null(strstr(get(w, "x")->sentence, "Started by tester: why."));
    world_no(w, &ROUTE_IN_EXPERIMENT, route_patch, "r", NULL,
             "{\"params\":{\"weights\":{\"old\":1,\"new\":1,\"other\":0}}}");
    world_no(w, &ROUTE_IN_EXPERIMENT, route_erase, "r", NULL, NULL);
    world_ok(w, 200, "route.updated", route_patch, "r", NULL, "{\"killed\":true}");
    world_no(w, &EXPERIMENT_IS_RUNNING, patch, "x", NULL, "{\"alpha\":0.01}");
    world_no(w, &EXPERIMENT_IS_RUNNING, erase, "x", NULL, NULL);
    world_ok(w, 201, NULL, create, NULL, NULL, BODY("y") "}");
    world_no(w, &ROUTE_IN_EXPERIMENT, experiment_start, "y", NULL, NULL);
    world_ok(w, 200, "experiment.stopped", experiment_stop, "x", NULL, NULL);
    world_ok(w, 200, "model.updated,experiment.started", experiment_start, "y", NULL, NULL);
    world_ok(w, 200, "experiment.updated", patch, "x", NULL, "{\"alpha\":0.01}");
    world_ok(w, 204, "experiment.deleted", erase, "x", NULL, NULL);
}

static void people_pause_resume_and_stop(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, create, NULL, NULL, BODY("x") "}");
    world_no(w, &EXPERIMENT_STATE, experiment_pause, "x", NULL, NULL);
    world_no(w, &EXPERIMENT_STATE, experiment_stop, "x", NULL, NULL);
    world_no(w, &EXPERIMENT_STATE, experiment_promote, "x", NULL, NULL);
    world_no(w, &EXPERIMENT_STATE, experiment_roll_back, "x", NULL, NULL);
    world_ok(w, 200, "model.updated,experiment.started", experiment_start, "x", NULL, NULL);
    world_ok(w, 200, "", experiment_start, "x", NULL, NULL);
    world_ok(w, 200, "experiment.paused", experiment_pause, "x", NULL, "{\"reason\":\"lunch\"}");
    assert_string_equal(get(w, "x")->paused_by, "person");
    world_ok(w, 200, "", experiment_pause, "x", NULL, NULL);
    const int64_t started = get(w, "x")->started_at;
    w->now_ms += 1000;
    world_ok(w, 200, "experiment.resumed", experiment_start, "x", NULL, NULL);
    assert_null(get(w, "x")->paused_by);
    assert_true(get(w, "x")->started_at == started && get(w, "x")->attempt == 1);
    world_ok(w, 200, "experiment.stopped", experiment_stop, "x", NULL, NULL);
    assert_string_equal(world_status(w, "a:2"), "canary");
    assert_true(isnan(get(w, "x")->share_percent) && get(w, "x")->finished_at == w->now_ms);
}

static void arms_must_lead_to_different_models_that_serve(void **state)
{
    struct world *w = *state;
    world_move(w, "a:2", "development");
    world_ok(w, 201, NULL, create, NULL, NULL, BODY("x") "}");
    world_no(w, &EXPERIMENT_ARMS, experiment_start, "x", NULL, NULL);
    world_ok(w, 200, NULL, route_patch, "r", NULL, "{\"arms\":{\"new\":\"a@stable\"}}");
    world_no(w, &EXPERIMENT_ARMS, experiment_start, "x", NULL, NULL);
    assert_true(problem_says(w, "a:1"));
    world_ok(w, 204, "route.deleted", route_erase, "r", NULL, NULL);
    world_no(w, &EXPERIMENT_ARMS, experiment_start, "x", NULL, NULL);
}

/* ---- how it ends ---- */

static void promoted_it_is_stable_and_the_route_gives_it_all(void **state)
{
    struct world *w = *state;
    begin(w, "");
    world_ok(w, 200, NULL, experiment_promote, "x", NULL, NULL);
    assert_non_null(strstr(w->actions, "route.updated"));
    assert_non_null(strstr(w->actions, "model.promoted"));
    assert_non_null(strstr(w->actions, "experiment.promoted"));
    assert_string_equal(world_status(w, "a:2"), "stable");
    assert_string_equal(weights(w), "{\"weights\":{\"old\":0,\"new\":1,\"other\":0}}");
    assert_string_equal(get(w, "x")->state, "succeeded");
    assert_true(view_experiment_won(world_view(w), w->ns, "a:2"));
    assert_false(view_experiment_won(world_view(w), w->ns, "a:1"));
    assert_null(view_experiment_on(world_view(w), w->ns, "r"));
}

static void rolled_back_it_is_held_and_the_control_has_all(void **state)
{
    struct world *w = *state;
    begin(w, "");
    world_ok(w, 200, NULL, experiment_roll_back, "x", NULL, "{\"reason\":\"complaints\"}");
    assert_string_equal(world_status(w, "a:2"), "development");
    assert_true(world_model(w, "a:2")->held);
    assert_string_equal(world_status(w, "a:1"), "stable");
    assert_string_equal(weights(w), "{\"weights\":{\"old\":1,\"new\":0,\"other\":0}}");
    assert_string_equal(get(w, "x")->state, "rolled_back");
    assert_false(view_experiment_won(world_view(w), w->ns, "a:2"));
}

static void each_start_of_a_treatment_is_one_more_attempt(void **state)
{
    struct world *w = *state;
    begin(w, "");
    world_ok(w, 200, NULL, experiment_stop, "x", NULL, NULL);
    world_ok(w, 200, NULL, experiment_start, "x", NULL, NULL);
    assert_int_equal(get(w, "x")->attempt, 2);
    world_ok(w, 200, NULL, experiment_roll_back, "x", NULL, NULL);
    world_ok(w, 204, NULL, model_release, "a:2", NULL, NULL);
    world_move(w, "a:2", "canary");
    world_ok(w, 201, NULL, create, NULL, NULL, BODY("y") "}"); /* another one, the same model */
    world_ok(w, 200, NULL, experiment_start, "y", NULL, NULL);
    assert_int_equal(get(w, "y")->attempt, 3);
    world_ok(w, 200, NULL, experiment_stop, "y", NULL, NULL);
    world_ok(w, 200, NULL, route_patch, "r", NULL, "{\"arms\":{\"new\":\"a:3\"}}");
    world_ok(w, 200, NULL, experiment_start, "y", NULL, NULL);
    assert_int_equal(get(w, "y")->attempt, 1); /* another model */
    world_ok(w, 200, NULL, experiment_stop, "y", NULL, NULL);
    world_ok(w, 204, NULL, erase, "x", NULL, NULL); /* that takes no attempt back */
    world_ok(w, 204, NULL, erase, "y", NULL, NULL);
    world_ok(w, 200, NULL, route_patch, "r", NULL, "{\"arms\":{\"new\":\"a:2\"}}");
    world_ok(w, 201, NULL, create, NULL, NULL, BODY("x") "}");
    world_ok(w, 200, NULL, experiment_start, "x", NULL, NULL);
    assert_int_equal(get(w, "x")->attempt, 4);
}

/* ---- the server ---- */

static void news_move_it_step_by_step(void **state)
{
    struct world *w = *state;
    begin(w, "\"steps_percent\":[2,40]");
    reported(w, EXPERIMENT_PAUSES, (struct experiment_news){.paused_by = "traffic"});
    assert_string_equal(get(w, "x")->paused_by, "traffic");
    reported(w, EXPERIMENT_RESUMES, (struct experiment_news){0});
    assert_string_equal(get(w, "x")->state, "running");
    reported(w, EXPERIMENT_GOES_ON, (struct experiment_news){.evidence = "{\"n\":1}"});
    assert_true(get(w, "x")->share_percent == 40 && get(w, "x")->step == 1);
    assert_int_equal(get(w, "x")->step_started_at, w->now_ms);
    assert_string_equal(get(w, "x")->evidence, "{\"n\":1}");
    assert_string_equal(w->evidence, "{\"n\":1}");
    assert_false(report(w, EXPERIMENT_GOES_ON, (struct experiment_news){0}));
    assert_ptr_equal(w->c.err.kind, &EXPERIMENT_STATE);
    reported(w, EXPERIMENT_IS_READY, (struct experiment_news){0});
    assert_true(get(w, "x")->ready && view_experiment_won(world_view(w), w->ns, "a:2"));
    /* One that is about another revision is overtaken. */
    w->if_match = 1;
    struct experiment_news late = {.step = EXPERIMENT_ENDS, .cause = "c", .sentence = "s"};
    w->c.args = &late;
    world_no(w, &REVISION_MISMATCH, experiment_report, "x", NULL, NULL);
    w->c.args = NULL;
    json_t *list = json_read(get(w, "x")->decisions, strlen(get(w, "x")->decisions), NULL);
    assert_int_equal(json_array_size(list), 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 3), "action")),
                        "advanced");
    json_decref(list);
}

static void what_becomes_of_it_is_as_it_says(void **state)
{
    static const struct {
        const char *says, *state, *paused_by, *treatment;
        enum experiment_step step;
    } CASES[] = {
        {"\"on_success\":\"promote\"", "succeeded", NULL, "stable", EXPERIMENT_IS_BETTER},
        {"\"on_success\":\"propose\"", "paused", "proposal", "canary", EXPERIMENT_IS_BETTER},
        {"\"on_success\":\"nothing\"", "succeeded", NULL, "canary", EXPERIMENT_IS_BETTER},
        {"\"on_regression\":\"rollback\"", "rolled_back", NULL, "development", EXPERIMENT_IS_WORSE},
        {"\"on_regression\":\"hold\"", "paused", "regression", "canary", EXPERIMENT_IS_WORSE},
        {"\"on_inconclusive\":\"hold\"", "inconclusive", NULL, "canary", EXPERIMENT_IS_OVER},
        {"\"on_inconclusive\":\"rollback\"", "inconclusive", NULL, "development",
         EXPERIMENT_IS_OVER},
        {"\"alpha\":0.1", "stopped", NULL, "canary", EXPERIMENT_ENDS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        void *own = NULL;
        setup(&own);
        begin(own, CASES[i].says);
        reported(own, CASES[i].step, (struct experiment_news){0});
        const struct experiment *x = get(own, "x");
        assert_string_equal(x->state, CASES[i].state);
        assert_true(CASES[i].paused_by ? x->paused_by && !strcmp(x->paused_by, CASES[i].paused_by)
                                       : !x->paused_by);
        assert_string_equal(world_status(own, "a:2"), CASES[i].treatment);
        assert_string_equal(world_status(own, "a:1"),
                            strcmp(CASES[i].treatment, "stable") == 0 ? "deprecated" : "stable");
        assert_string_equal(x->sentence, "So it is.");
        assert_int_equal(view_running_count(world_view(own)), CASES[i].paused_by ? 1 : 0);
        teardown(&own);
    }
}

/* The gate refuses: nothing changes, and whoever asked hears why. */
static void the_gate_may_refuse_the_promotion(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL,
             "{\"gate\":{\"stable\":{\"require_types\":[\"unit\"]}}}");
    begin(w, "");
    assert_false(report(w, EXPERIMENT_IS_BETTER, (struct experiment_news){0}));
    assert_ptr_equal(w->c.err.kind, &PROMOTION_BLOCKED);
    assert_string_equal(get(w, "x")->state, "running");
    assert_false(get(w, "x")->ready);
    assert_string_equal(weights(w), "{\"weights\":{\"old\":100,\"new\":0,\"other\":0}}");
    world_no(w, &PROMOTION_BLOCKED, experiment_promote, "x", NULL, NULL);
}

/* ---- those that run ---- */

static bool note(const struct entity *e, void *ctx)
{
    char *text = ctx;
    snprintf(text + strlen(text), 512 - strlen(text), "%s ", e->id);
    return true;
}

static bool note_if_it_runs(const struct entity *e, void *ctx)
{
    return !experiment_runs(experiment_of(document_of(e))) || note(e, ctx);
}

/* Whatever happens, the index of those that run holds these and no others: here keys and routes
 * have the same order. */
static void those_that_run_are_known(void **state)
{
    struct world *w = *state;
    uint64_t seed = 7;
    char body[512], id[16];
    bool (*const moves[])(struct command *, struct head *, struct changes *, struct err *) = {
        experiment_start, experiment_start, experiment_pause, experiment_stop, erase};
    for (int i = 0; i < 400; i++) {
        const int n = (int)(random_uniform(&seed) * 8);
        const size_t move = (size_t)(random_uniform(&seed) * 7);
        snprintf(id, sizeof id, "x%d", n);
        if (move >= sizeof moves / sizeof *moves) {
            snprintf(body, sizeof body,
                     "{\"route\":\"r%d\",\"match\":{\"model_name\":\"a\"},\"arms\":{\"old\":"
                     "\"a:1\",\"new\":\"a:2\"},\"strategy\":\"weighted\",\"params\":{\"weights\":"
                     "{\"old\":1,\"new\":0}}}",
                     n);
            (void)world_run(w, route_create, NULL, NULL, body);
            snprintf(body, sizeof body,
                     "{\"key\":\"x%d\",\"route\":\"r%d\",\"control\":\"old\",\"treatments\":"
                     "[\"new\"]}",
                     n, n);
            (void)world_run(w, create, NULL, NULL, body);
        } else {
            (void)world_run(w, moves[move], id, NULL, NULL);
        }
        char indexed[512] = "", scanned[512] = "", own[512] = "";
        view_running(world_view(w), NULL, note, indexed);
        view_running(world_view(w), w->ns, note, own);
        view_each(world_view(w), ENTITY_EXPERIMENT, note_if_it_runs, scanned);
        assert_string_equal(indexed, scanned);
        assert_string_equal(own, scanned);
        snprintf(body, sizeof body, "r%d", n);
        const struct document *on = view_experiment_on(world_view(w), w->ns, body);
        assert_int_equal(on != NULL, strstr(scanned, id) != NULL);
        assert_true(!on || !strcmp(on->entity.id, id));
    }
    assert_null(view_experiment_on(world_view(w), "other", "r0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_must_have_is_said_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_said_is_preset, setup, teardown),
        cmocka_unit_test_setup_teardown(it_owns_its_route_while_it_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(people_pause_resume_and_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(arms_must_lead_to_different_models_that_serve, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(promoted_it_is_stable_and_the_route_gives_it_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rolled_back_it_is_held_and_the_control_has_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_start_of_a_treatment_is_one_more_attempt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(news_move_it_step_by_step, setup, teardown),
        cmocka_unit_test(what_becomes_of_it_is_as_it_says),
        cmocka_unit_test_setup_teardown(the_gate_may_refuse_the_promotion, setup, teardown),
        cmocka_unit_test_setup_teardown(those_that_run_are_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
