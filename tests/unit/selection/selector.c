/* Who serves whom, over a registry in one struct and the shipped policies. */
#include "selecting.h"

/* ---- tests ---- */

static void a_name_alone_is_served_by_its_stable(void **state)
{
    struct fixture *x = *state;
    models(x);
    expect(x, "u", "m:1", SELECTION_ONLY, NULL);
    assert_string_equal(x->a.route, "m");
    assert_string_equal(x->a.arm, "m:1");
    assert_int_equal(x->a.expires_at, 1700000000000 + 300000);
    struct decision_facts f;
    assert_int_equal(
        decision_id_read(x->shared.keys, x->a.decision_id, strlen(x->a.decision_id), &f),
        DECISION_GOOD);
    assert_true(f.served_uid == world_model(x->w, "m:1")->entity.uid);
    char first[DECISION_ID_SIZE];
    memcpy(first, x->a.decision_id, sizeof first);
    ask(x, "u"); /* the same, but another decision */
    assert_string_not_equal(first, x->a.decision_id);
    x->q.model_name = "none";
    x->q.sport = NULL;
    x->q.route = "none";
    assert_false(try_ask(x, "u"));
    assert_ptr_equal(x->e.kind, &ROUTE_NOT_FOUND);
}

/* As after a loss: what the selector keeps is of a state that is gone, and as long as this one. */
static void another_state_of_the_same_length(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", HALVES);
    ask(x, "u");
    const uint64_t seq = view_seq(world_view(x->w));
    world_free(x->w);
    x->w = world_new();
    world_register(x->w, "m", "2");
    world_move(x->w, "m:2", "canary");
    world_move(x->w, "m:2", "stable");
    world_register(x->w, "m", "1");
    world_move(x->w, "m:1", "canary");
    route(x, "m", "{\"arms\":{\"only\":\"@stable\"}}");
    assert_true(view_seq(world_view(x->w)) == seq);
    for (int i = 0; i < 20; i++) {
        char unit[8];
        snprintf(unit, sizeof unit, "u%d", i);
        assert_ptr_equal(ask(x, unit)->served, world_model(x->w, "m:2"));
    }
}

static void nobody_in_service(void **state)
{
    struct fixture *x = *state;
    world_register(x->w, "m", "1");
    assert_false(try_ask(x, "u"));
    assert_ptr_equal(x->e.kind, &NO_CANDIDATE);
    x->q.sport = "nba";
    x->q.model_name = NULL;
    assert_false(try_ask(x, "u"));
    assert_ptr_equal(x->e.kind, &NO_CANDIDATE);
}

/* Logged propensities are the shares drawn, and a unit stays where it is. */
static void weights_are_drawn(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", HALVES);
    size_t n = share(x, "m:2", 20000);
    assert_true(n > 9700 && n < 10300);
    assert_true(x->a.propensity == 0.5 && x->a.reason == SELECTION_STRATEGY);
    const struct model *served = ask(x, "user-7")->served;
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(ask(x, "user-7")->served, served);
    struct selector *other;
    struct err e = {0};
    assert_non_null(other = selector_new(&x->shared, x->flags, &e));
    struct selection_answer a;
    assert_true(selector_ask(other, &x->q, &a, &e)); /* every loop says the same */
    assert_ptr_equal(a.served, served);
    selector_free(other);
}

static void without_a_unit(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", HALVES);
    expect(x, NULL, "m:1", SELECTION_FALLBACK, "NO_UNIT");
    route(x, "m",
          "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"strategy\":\"weighted\","
          "\"params\":{\"weights\":{\"new\":50,\"old\":50}},\"on_missing_unit\":\"error\"}");
    assert_false(try_ask(x, NULL));
    assert_ptr_equal(x->e.kind, &UNIT_MISSING);
    ask(x, "u");
}

/* As a targetingKey must be: what is neither a text nor a whole number is the caller's mistake. */
static void a_unit_of_the_wrong_type(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m",
          "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"strategy\":\"weighted\","
          "\"params\":{\"weights\":{\"new\":50,\"old\":50}},\"unit\":\"session\"}");
    ask(x, "u");
    json_t *const wrong[] = {json_real(1.5), json_true(), json_object(), json_array()};
    for (size_t i = 0; i < 4; i++) {
        struct err e = {0};
        json_object_set_new(x->context, "session", wrong[i]);
        assert_false(selector_ask(x->selector, &x->q, &x->a, &e));
        assert_ptr_equal(e.kind, &ERR_INVALID);
        assert_string_equal(x->a.wrong_unit, "session");
    }
    json_object_set_new(x->context, "session", json_null());
    assert_true(selector_ask(x->selector, &x->q, &x->a, &x->e));
    assert_string_equal(x->a.cause, "NO_UNIT");
    json_object_set_new(x->context, "session", json_integer(7));
    assert_true(selector_ask(x->selector, &x->q, &x->a, &x->e));
    assert_string_equal(x->a.unit, "7");
}

/* Of the arm `new` beside `old`. */
static void begin_trial(struct fixture *x)
{
    change(x, put_experiment, "trial",
           "{\"route\":\"m\",\"control\":\"old\",\"treatments\":[\"new\"],"
           "\"metrics\":[{\"name\":\"error_rate\"}]}");
    change(x, experiment_start, "trial", NULL);
}

static void publish(struct fixture *x, enum weights_source source, double fresh, double old)
{
    struct err e = {0};
    const struct weights_arm arms[] = {{"new", fresh, 0.7, "{\"n\":3}"}, {"old", old, 0.2, NULL}};
    const struct weights_wish wish = {
        .ns = "default",
        .route = "m",
        .route_uid = view_get(world_view(x->w), ENTITY_ROUTE, "default", "m")->uid,
        .by = source == WEIGHTS_STRATEGY ? "thompson" : "trial",
        .arms = arms,
        .arm_count = 2};
    assert_true(weights_publish(x->shared.weights, source, &wish, &e));
}

#define BANDIT                                                                       \
    "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"strategy\":\"thompson\"," \
    "\"params\":{\"weights\":{\"new\":0,\"old\":100}}}"

static void published_weights_go_before_the_routes_own(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", BANDIT);
    assert_int_equal(share(x, "m:2", 1000), 0); /* until there are some */
    publish(x, WEIGHTS_STRATEGY, 100, 0);
    assert_int_equal(share(x, "m:2", 1000), 1000);
    x->q.explain = true;
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    assert_int_equal(x->a.candidate_count, 2);
    assert_true(x->a.candidates[0].score == 0.7 && x->a.candidates[0].weight == 1);
    assert_string_equal(x->a.candidates[0].parts, "{\"n\":3}");
    assert_null(x->a.candidates[1].parts);
    x->q.strategy = STRATEGY_WEIGHTED; /* the route's own, whatever is published */
    expect(x, "u", "m:1", SELECTION_STRATEGY, NULL);
    assert_true(x->a.candidates[0].weight == 0 && isnan(x->a.candidates[0].score));
    assert_null(x->a.candidates[0].parts);
    x->q.strategy = NULL;
    publish(x, WEIGHTS_EXPERIMENT, 0, 100);
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL); /* there is no such experiment */
    begin_trial(x);
    expect(x, "u", "m:1", SELECTION_EXPERIMENT, NULL);
    assert_string_equal(x->a.strategy, "trial");
    weights_withdraw(x->shared.weights, WEIGHTS_EXPERIMENT, "default", "m");
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
}

/* From the view on in which it has ended, though its shares are still published. */
static void an_experiment_that_ended_shares_nothing(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", HALVES);
    begin_trial(x);
    publish(x, WEIGHTS_EXPERIMENT, 100, 0);
    expect(x, "u", "m:2", SELECTION_EXPERIMENT, NULL);
    change(x, experiment_roll_back, "trial", NULL);
    for (int i = 0; i < 20; i++) {
        char unit[16];
        snprintf(unit, sizeof unit, "u%d", i);
        expect(x, unit, "m:1", SELECTION_STRATEGY, NULL);
    }
}

/* A re-weighting moves nobody who shows what he was told before. */
static void previous_decisions_keep_a_unit(void **state)
{
    struct fixture *x = *state;
    char id[DECISION_ID_SIZE];
    models(x);
    route(x, "m", BANDIT);
    publish(x, WEIGHTS_STRATEGY, 100, 0);
    memcpy(id, ask(x, "u")->decision_id, sizeof id);
    publish(x, WEIGHTS_STRATEGY, 0, 100);
    expect(x, "u", "m:1", SELECTION_STRATEGY, NULL);
    x->q.previous = id;
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    expect(x, "other", "m:1", SELECTION_STRATEGY, NULL); /* it is another unit's */
    id[40] = id[40] == 'A' ? 'B' : 'A';
    expect(x, "u", "m:1", SELECTION_STRATEGY, NULL); /* it is forged */
}

static void flags_name_the_arm(void **state)
{
    struct fixture *x = *state;
    models(x);
    flag(x, "f",
         "{\"variants\":{\"new\":1,\"old\":2},\"default_variant\":\"old\",\"policy\":"
         "\"percentage\",\"params\":{\"weights\":{\"new\":50,\"old\":50}}}");
    route(x, "m", "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"flag\":\"f\"}");
    size_t n = share(x, "m:2", 2000);
    assert_true(n > 850 && n < 1150);
    assert_int_equal(x->a.reason, SELECTION_FLAG);
    assert_string_equal(x->a.variant, x->a.arm);
    assert_true(x->a.propensity == 0.5);
    flag(x, "f",
         "{\"variants\":{\"new\":1,\"old\":2},\"default_variant\":\"old\",\"policy\":"
         "\"percentage\",\"params\":{\"percent\":40,\"weights\":{\"new\":50,\"old\":50}}}");
    for (int i = 0; i < 100; i++) {
        char unit[32];
        snprintf(unit, sizeof unit, "user-%d", i);
        ask(x, unit); /* who is out has the default, as half of those who are in */
        assert_float_equal(x->a.propensity, strcmp(x->a.arm, "new") == 0 ? 0.2 : 0.8, 1e-12);
    }
    flag(x, "f",
         "{\"variants\":{\"new\":1,\"old\":2},\"default_variant\":\"new\",\"killed\":true,"
         "\"fallback_variant\":\"old\"}");
    expect(x, "u", "m:1", SELECTION_KILLED, NULL);
    flag(x, "f", "{\"variants\":{\"x\":1},\"default_variant\":\"x\"}");
    expect(x, "u", "m:1", SELECTION_FALLBACK, "NO_ARM");
}

/* True: what a flag's variants lead to has changed since. */
static bool marked_anew(struct fixture *x, uint64_t *mark)
{
    const uint64_t was = *mark;
    x->q.view = world_view(x->w);
    x->q.ns = x->w->ns;
    x->q.route = "m";
    *mark = selector_mark(x->selector, &x->q);
    return *mark != was;
}

static void a_mark_changes_with_who_may_serve(void **state)
{
    struct fixture *x = *state;
    uint64_t mark = 0;
    models(x);
    flag(x, "f", "{\"variants\":{\"new\":1,\"old\":2},\"default_variant\":\"new\"}");
    route(x, "m", "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"flag\":\"f\"}");
    assert_true(marked_anew(x, &mark));
    world_register(x->w, "m", "3");
    flag(x, "f", "{\"variants\":{\"new\":1,\"old\":2},\"default_variant\":\"old\"}");
    assert_false(marked_anew(x, &mark)); /* who asks for flags hears of that by itself */
    const uint64_t closed = mark;
    x->open_circuit = world_model(x->w, "m:2")->entity.uid;
    assert_true(marked_anew(x, &mark));
    x->open_circuit = 0;
    assert_true(marked_anew(x, &mark) && mark == closed);
    health(x, "m:2", "unhealthy");
    assert_true(marked_anew(x, &mark));
    publish(x, WEIGHTS_STRATEGY, 50, 50);
    assert_false(marked_anew(x, &mark)); /* its flag goes before */
    begin_trial(x);
    assert_false(marked_anew(x, &mark)); /* not before it has published its shares */
    publish(x, WEIGHTS_EXPERIMENT, 1, 99);
    assert_true(marked_anew(x, &mark));
    publish(x, WEIGHTS_EXPERIMENT, 5, 95);
    assert_true(marked_anew(x, &mark));
    world_move(x->w, "m:3", "canary");
    assert_true(marked_anew(x, &mark));
    world_move(x->w, "m:2", "retired");
    assert_false(marked_anew(x, &mark)); /* nothing led there any more */
    x->q.route = "none";
    assert_int_equal(selector_mark(x->selector, &x->q), 0);
}

static void kill_switch_and_lost_store(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", BANDIT);
    publish(x, WEIGHTS_STRATEGY, 100, 0);
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    assert_false(x->a.degraded);
    x->q.store_gone = true; /* what is known goes on, and says so */
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    assert_true(x->a.degraded);
    x->q.store_gone = false;
    route(x, "m",
          "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"strategy\":\"thompson\","
          "\"killed\":true}");
    expect(x, "u", "m:1", SELECTION_KILLED, "KILLED");
    route(x, "m", "{\"strategy\":\"thompson\"}");
    weights_withdraw(x->shared.weights, WEIGHTS_STRATEGY, "default", "m");
    expect(x, "u", "m:1", SELECTION_FALLBACK, "NO_WEIGHTS");
    x->q.store_gone = true; /* what was learned is in the store */
    expect(x, "u", "m:1", SELECTION_DEGRADED, "STORE_UNAVAILABLE");
    assert_true(x->a.degraded);
}

/* A rollout at a half is a half, for the same units, whether the store is there or not. */
static void nobody_moves_while_the_store_is_gone(void **state)
{
    struct fixture *x = *state;
    char was[200][64];
    models(x);
    route(x, "m", HALVES);
    for (int round = 0; round < 2; round++) {
        x->q.store_gone = round == 1;
        for (int i = 0; i < 200; i++) {
            char unit[32];
            snprintf(unit, sizeof unit, "user-%d", i);
            const struct selection_answer *a = ask(x, unit);
            assert_int_equal(a->reason, SELECTION_STRATEGY);
            if (round == 0)
                snprintf(was[i], sizeof was[i], "%s", a->served->entity.id);
            else
                assert_string_equal(was[i], a->served->entity.id);
        }
    }
}

static void the_ailing_are_passed_over(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m",
          "{\"arms\":{\"new\":\"@canary\"},\"strategy\":\"weighted\","
          "\"params\":{\"weights\":{\"new\":1}}}");
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    x->open_circuit = world_model(x->w, "m:2")->entity.uid;
    expect(x, "u", "m:1", SELECTION_CIRCUIT, "CIRCUIT_OPEN");
    assert_string_equal(x->a.intended->entity.id, "m:2");
    assert_string_equal(x->a.arm, "new");
    x->open_circuit = 0;
    health(x, "m:2", "unhealthy");
    expect(x, "u", "m:1", SELECTION_FALLBACK, "UNHEALTHY");
    health(x, "m:1", "unhealthy");
    expect(x, "u", "m:2", SELECTION_DEGRADED, "UNHEALTHY"); /* nobody is well: as intended */
    health(x, "m:2", "healthy");
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    world_move(x->w, "m:2", "development"); /* the arm's reference now leads nowhere */
    expect(x, "u", "m:1", SELECTION_DEGRADED, "NO_MODEL");
}

static void matches_without_a_route(void **state)
{
    struct fixture *x = *state;
    models(x);
    world_register(x->w, "n", "1");
    world_move(x->w, "n:1", "canary");
    x->w->now_ms += 1000;
    world_move(x->w, "n:1", "stable");
    x->q = (struct selection_question){.type = "classifier"};
    x->q.sport = NULL;
    x->q.route = NULL;
    json_t *labels = json_object();
    x->q.view = world_view(x->w);
    x->q.ns = "default";
    x->q.labels = labels;
    x->context = json_object();
    x->q.context = x->context;
    assert_true(selector_ask(x->selector, &x->q, &x->a, &x->e));
    assert_string_equal(x->a.served->entity.id, "n:1"); /* who was promoted last */
    assert_string_equal(x->a.cause, "NO_WEIGHTS");
    assert_null(x->a.route);
    route(x, "all", "{\"match\":{\"type\":\"classifier\"},\"fallback\":[\"m@stable\"]}");
    x->q.view = world_view(x->w);
    assert_true(selector_ask(x->selector, &x->q, &x->a, &x->e));
    assert_string_equal(x->a.route, "all"); /* there is one that is about just this */
    assert_string_equal(x->a.served->entity.id, "m:1");
    json_decref(labels);
}

static void shadows_get_their_share(void **state)
{
    struct fixture *x = *state;
    models(x);
    route(x, "m", "{\"shadows\":[{\"model_id\":\"@canary\",\"share_ratio\":0.25}]}");
    size_t n = 0;
    for (int i = 0; i < 8000; i++) {
        char unit[32];
        snprintf(unit, sizeof unit, "u%d", i);
        expect(x, unit, "m:1", SELECTION_ONLY, NULL);
        n += x->a.shadow_count;
        assert_int_equal(x->a.facts.shadows, x->a.shadow_count);
    }
    assert_true(n > 1840 && n < 2160);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_alone_is_served_by_its_stable),
        TEST(another_state_of_the_same_length),
        TEST(nobody_in_service),
        TEST(weights_are_drawn),
        TEST(without_a_unit),
        TEST(a_unit_of_the_wrong_type),
        TEST(published_weights_go_before_the_routes_own),
        TEST(an_experiment_that_ended_shares_nothing),
        TEST(previous_decisions_keep_a_unit),
        TEST(flags_name_the_arm),
        TEST(a_mark_changes_with_who_may_serve),
        TEST(kill_switch_and_lost_store),
        TEST(nobody_moves_while_the_store_is_gone),
        TEST(the_ailing_are_passed_over),
        TEST(matches_without_a_route),
        TEST(shadows_get_their_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
