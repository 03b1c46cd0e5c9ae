/* What is asked for without a route: as a text and back, once each, forgotten in time, bounded. */
#include "selecting.h"

#include "selection/matches.h"

#include <stdio.h>
#include <string.h>

static void a_question_and_back(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    json_t *labels = json_pack("{s:s,s:s}", "team", "odds", "a", "\"x\"");
    const struct selection_question q = {
        .sport = "nba", .deployment_target = "eu", .labels = labels};
    struct selection_question again;
    const char *id = match_id(&q, a);
    assert_string_equal(id,
                        "{\"deployment_target\":\"eu\",\"labels\":{\"a\":\"\\\"x\\\"\",\"team\":"
                        "\"odds\"},\"sport\":\"nba\"}");
    assert_true(match_question("ns", id, a, &again));
    assert_string_equal(again.sport, "nba");
    assert_string_equal(again.deployment_target, "eu");
    assert_null(again.type);
    assert_true(json_equal(again.labels, labels));
    assert_string_equal(match_id(&again, a), id);
    json_decref((json_t *)(uintptr_t)again.labels);
    json_decref(labels);
    assert_false(match_question("ns", "[]", a, &again));
    assert_false(match_question("ns", "nba", a, &again));
    char sport[MATCHES_ID_MAX + 1];
    memset(sport, 'x', sizeof sport - 1);
    sport[sizeof sport - 1] = '\0';
    const struct selection_question is_long = {.sport = sport};
    assert_null(match_id(&is_long, a));
    arena_free(a);
}

static void noted_once_and_forgotten(void **state)
{
    (void)state;
    struct arena *a = arena_new(4 << 20);
    struct matches *m = matches_new();
    const struct match *list;
    char id[32];
    assert_true(matches_note(m, "n", "{}", 1000));
    assert_true(matches_note(m, "n", "{}", 2000));
    assert_true(matches_note(m, "o", "{}", 1000));
    assert_int_equal(matches_take(m, 2000, a, &list), 2);
    assert_int_equal(matches_take(m, 1001 + MATCHES_KEEP_MS, a, &list), 1);
    assert_string_equal(list[0].ns, "n");
    assert_string_equal(list[0].id, "{}");
    for (int i = 1; i < MATCHES_MAX; i++) {
        snprintf(id, sizeof id, "{\"sport\":\"%d\"}", i);
        assert_true(matches_note(m, "n", id, 3000));
    }
    assert_false(matches_note(m, "n", "{\"sport\":\"more\"}", 3000));
    assert_true(matches_note(m, "n", id, 3000)); /* who is there already goes on */
    assert_int_equal(matches_take(m, 3000, a, &list), MATCHES_MAX);
    matches_free(m);
    matches_free(NULL);
    arena_free(a);
}

/* What a strategy would publish for the models of type classifier. */
static void publish_scores(struct fixture *x, double m1, double m2, double n1)
{
    struct arena *arena = arena_new(1 << 16);
    const struct weights_arm arms[] = {
        {"m:1", 0.2, m1, NULL}, {"m:2", 0.3, m2, NULL}, {"n:1", 0.5, n1, "{\"success\":0.9}"}};
    const struct weights_wish wish = {.ns = "default",
                                      .route = match_id(&x->q, arena),
                                      .by = MATCHES_STRATEGY,
                                      .arms = arms,
                                      .arm_count = 3};
    assert_true(weights_publish(x->shared.weights, WEIGHTS_STRATEGY, &wish, &x->e));
    arena_free(arena);
}

/* By performance_score: all canaries and stables that match are candidates, the best scored stable
 * is who serves in another's place, and who asks is heard by the strategies' thread. */
static void matches_go_by_performance(void **state)
{
    struct fixture *x = *state;
    struct arena *arena = arena_new(1 << 16);
    const struct match *noted;
    struct selection_question again;
    x->shared.matches = matches_new();
    models(x);
    world_register(x->w, "n", "1");
    world_move(x->w, "n:1", "canary");
    x->w->now_ms += 1000;
    world_move(x->w, "n:1", "stable");
    x->q = (struct selection_question){.type = "classifier", .sport = NULL};
    expect(x, "u", "n:1", SELECTION_FALLBACK, "NO_WEIGHTS");
    assert_string_equal(x->a.strategy, "performance_score");
    assert_int_equal(matches_take(x->shared.matches, x->q.at_ms, arena, &noted), 1);
    assert_string_equal(noted->ns, "default");
    assert_true(match_question(noted->ns, noted->id, arena, &again));
    assert_string_equal(again.type, "classifier");
    assert_null(again.sport);
    assert_int_equal(
        matches_take(x->shared.matches, x->q.at_ms + MATCHES_KEEP_MS + 1, arena, &noted), 0);

    publish_scores(x, 0.9, 0.95, 0.3);
    static const double SHARES[] = {0.2, 0.3, 0.5};
    size_t n[3] = {0};
    x->q.explain = true;
    for (int i = 0; i < 10000; i++) {
        char unit[32];
        snprintf(unit, sizeof unit, "user-%d", i);
        ask(x, unit);
        assert_string_equal(selection_reason_name(x->a.reason), "STRATEGY");
        assert_null(x->a.route);
        const char *id = x->a.served->entity.id;
        int who = id[0] == 'n' ? 2 : id[2] == '2';
        assert_true(fabs(x->a.propensity - SHARES[who]) < 1e-6);
        n[who]++;
    }
    assert_true(n[0] > 1850 && n[0] < 2150 && n[1] > 2800 && n[1] < 3200);
    assert_int_equal(x->a.candidate_count, 3);
    expect(x, NULL, "m:1", SELECTION_FALLBACK, "NO_UNIT"); /* the best scored stable */
    publish_scores(x, NAN, 0.95, 0.3);
    expect(x, NULL, "n:1", SELECTION_FALLBACK, "NO_UNIT"); /* of m:1 nothing is known */
    publish_scores(x, 0.4, 0.95, 0.3);
    expect(x, NULL, "m:1", SELECTION_FALLBACK, "NO_UNIT");
    matches_free(x->shared.matches);
    arena_free(arena);
}

static size_t noted_since(struct fixture *x, struct arena *a)
{
    const struct match *list;
    size_t n = matches_take(x->shared.matches, x->q.at_ms, a, &list);
    (void)matches_take(x->shared.matches, x->q.at_ms + MATCHES_KEEP_MS + 1, a, &list);
    return n;
}

/* What there is nothing to weigh for takes no place, and what is noted is not with each view. */
static void only_what_can_be_weighed_is_noted(void **state)
{
    struct fixture *x = *state;
    struct arena *arena = arena_new(1 << 16);
    x->shared.matches = matches_new();
    world_register(x->w, "m", "1");
    world_move(x->w, "m:1", "canary");
    x->q = (struct selection_question){.sport = "no such sport"};
    assert_false(try_ask(x, "u"));
    x->q = (struct selection_question){.type = "classifier"};
    expect(x, "u", "m:1", SELECTION_ONLY, NULL);
    assert_int_equal(noted_since(x, arena), 0);
    world_register(x->w, "m", "2");
    world_move(x->w, "m:2", "canary");
    (void)try_ask(x, "u"); /* two by now */
    assert_int_equal(noted_since(x, arena), 1);
    health(x, "m:2", "degraded"); /* a new view */
    (void)try_ask(x, "u");
    assert_int_equal(noted_since(x, arena), 0);
    matches_free(x->shared.matches);
    arena_free(arena);
}

/* One that matches alone serves, whatever its status. */
static void the_only_match_serves(void **state)
{
    struct fixture *x = *state;
    world_register(x->w, "m", "1");
    world_move(x->w, "m:1", "canary");
    x->q = (struct selection_question){.type = "classifier"};
    expect(x, NULL, "m:1", SELECTION_ONLY, NULL);
}

/* Bare @stable in a route that is of no one name: the same. */
static void a_matching_route_falls_back_to_the_best(void **state)
{
    struct fixture *x = *state;
    models(x);
    world_register(x->w, "n", "1");
    world_move(x->w, "n:1", "canary");
    x->w->now_ms += 1000;
    world_move(x->w, "n:1", "stable");
    route(x, "all", "{\"match\":{\"type\":\"classifier\"},\"strategy\":\"performance_score\"}");
    x->q = (struct selection_question){.route = "all"};
    expect(x, "u", "n:1", SELECTION_FALLBACK, "NO_WEIGHTS");
    const struct weights_arm arms[] = {
        {"m:1", 0, 0.9, NULL}, {"m:2", 1, 1, NULL}, {"n:1", 0, 0.3, NULL}};
    const struct weights_wish wish = {
        .ns = "default",
        .route = "all",
        .route_uid = view_get(world_view(x->w), ENTITY_ROUTE, "default", "all")->uid,
        .by = MATCHES_STRATEGY,
        .arms = arms,
        .arm_count = 3};
    assert_true(weights_publish(x->shared.weights, WEIGHTS_STRATEGY, &wish, &x->e));
    expect(x, "u", "m:2", SELECTION_STRATEGY, NULL);
    assert_int_equal(x->a.fallback_count, 2);
    assert_string_equal(x->a.fallbacks[0]->entity.id, "m:1");
    health(x, "m:2", "unhealthy");
    expect(x, "u", "m:1", SELECTION_FALLBACK, "UNHEALTHY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_and_back),
        cmocka_unit_test(noted_once_and_forgotten),
        cmocka_unit_test_setup_teardown(matches_go_by_performance, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_can_be_weighed_is_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_only_match_serves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_matching_route_falls_back_to_the_best, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
