/* An experiment's shares, as a selector draws by them. */
#include "selecting.h"

/* From the view on in which a treatment is taken out, nobody is given it, though its share is still
 * published; it may well be able to serve. */
static void a_treatment_that_is_out_is_given_to_nobody(void **state)
{
    struct fixture *x = *state;
    struct err e = {0};
    models(x);
    world_register(x->w, "m", "3");
    world_move(x->w, "m:3", "canary");
    change(x, model_transition, "m:3", "{\"status\":\"stable\",\"supersede\":false}");
    route(x, "m",
          "{\"arms\":{\"new\":\"m:2\",\"old\":\"m:1\",\"bad\":\"m:3\"},\"strategy\":\"weighted\","
          "\"params\":{\"weights\":{\"new\":0,\"old\":100,\"bad\":0}}}");
    change(x, put_experiment, "trial",
           "{\"route\":\"m\",\"control\":\"old\",\"treatments\":[\"new\",\"bad\"],"
           "\"metrics\":[{\"name\":\"error_rate\"}]}");
    change(x, experiment_start, "trial", NULL);
    struct weights_arm arms[] = {{.arm = "new", .weight = 25, .score = NAN},
                                 {.arm = "old", .weight = 25, .score = NAN},
                                 {.arm = "bad", .weight = 50, .score = NAN}};
    const struct weights_wish wish = {
        .ns = "default",
        .route = "m",
        .route_uid = view_document(world_view(x->w), &ROUTE_TYPE, "default", "m")->entity.uid,
        .by = "trial",
        .arms = arms,
        .arm_count = 3,
        .at_ms = 1};
    assert_true(weights_publish(x->shared.weights, WEIGHTS_EXPERIMENT, &wish, &e));
    int seen[4] = {0};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            char unit[16];
            snprintf(unit, sizeof unit, "u%d", i);
            const struct selection_answer *a = ask(x, unit);
            const bool old = strcmp(a->served->entity.id, "m:1") == 0;
            seen[a->served->entity.id[2] - '0']++;
            assert_int_equal(a->reason, SELECTION_EXPERIMENT);
            assert_float_equal(a->propensity,
                               round && old                               ? 0.75
                               : strcmp(a->served->entity.id, "m:3") == 0 ? 0.5
                                                                          : 0.25,
                               1e-9);
        }
        assert_true(seen[1] > 20 && seen[2] > 20);
        assert_true(round ? seen[3] == 0 : seen[3] > 50);
        memset(seen, 0, sizeof seen);
        change(x, experiment_roll_back, "trial", round ? NULL : "{\"treatment\":\"bad\"}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_treatment_that_is_out_is_given_to_nobody, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
