/* The bundled strategies: what each does with given candidates and outcomes. */
#include <paddock/plugin.h> /* before cmocka, which has macros of common names */

#include "support/unit.h"
#include "support/regret.h"
#include "support/strategy_case.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("got %.9g, wanted %.9g +- %g", got, wanted, tolerance);
}

static paddock_candidate candidate(const char *id, const char *status)
{
    paddock_candidate c;
    memset(&c, 0, sizeof c);
    c.model_id = c.name = c.version = id;
    c.status = status;
    c.health = PADDOCK_HEALTHY;
    c.window_ms = 300000;
    c.configured = c.performance_score = NAN;
    c.mean_ms = c.p50_ms = c.p95_ms = c.p99_ms = NAN;
    return c;
}

static paddock_candidate seen(const char *id, uint64_t requests, uint64_t errors, double p95_ms)
{
    paddock_candidate c = candidate(id, "canary");
    c.requests = requests;
    c.errors = errors;
    c.error_rate = requests ? (double)errors / (double)requests : 0;
    c.p95_ms = p95_ms;
    return c;
}

/* Two instances with the same state answer alike, also after the second has learned the same. */
static void carry_over(struct strategy_case *from, struct strategy_case *to)
{
    struct err e;
    assert_true(strategy_save(&from->s, &e));
    assert_true(to->s.ops->load(&to->s.pub, from->s.saved.data ? from->s.saved.data : "",
                                from->s.saved.len));
    to->s.pub.now_ms = from->s.pub.now_ms;
}

static void same_turn(struct strategy_case *a, struct strategy_case *b,
                      const paddock_candidate *all, size_t n)
{
    case_turn(a, all, n, 1000);
    case_turn(b, all, n, 1000);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(&a->w[i].weight, &b->w[i].weight, sizeof(double));
        assert_memory_equal(&a->w[i].score, &b->w[i].score, sizeof(double));
    }
}

/* ---- weighted ---- */

static void weighted_is_what_is_configured(void **state)
{
    struct strategy_case c;
    paddock_candidate all[3] = {candidate("m:1", "stable"), candidate("m:2", "canary"),
                                candidate("m:3", "canary")};
    (void)state;
    all[0].configured = 0.95;
    all[1].configured = 0.05;
    assert_true(case_open(&c, "weighted", "{\"weights\":{\"old\":95,\"new\":5}}"));
    case_turn(&c, all, 3, 1000);
    near(case_share(&c, 3, 0), 0.95, 1e-12);
    near(case_share(&c, 3, 1), 0.05, 1e-12);
    assert_true(c.w[2].weight == 0);
    case_turn(&c, all + 2, 1, 1000); /* none of those named is there: no answer */
    assert_true(isnan(case_share(&c, 1, 0)));
    case_close(&c);
    assert_true(case_open(&c, "weighted", "{}"));
    case_turn(&c, all, 3, 1000);
    for (size_t i = 0; i < 3; i++)
        near(case_share(&c, 3, i), 1.0 / 3, 1e-12);
    case_close(&c);
}

static void weighted_refuses_what_is_no_weight(void **state)
{
    struct strategy_case c;
    (void)state;
    assert_false(case_open(&c, "weighted", "{\"weights\":{\"old\":-1,\"new\":5}}"));
    assert_false(case_open(&c, "weighted", "{\"weights\":{\"old\":\"much\"}}"));
    assert_false(case_open(&c, "weighted", "{\"weights\":{\"old\":0,\"new\":0}}"));
}

/* ---- performance_score ---- */

static void few_samples_do_not_win(void **state)
{
    struct strategy_case c;
    /* Ten perfect answers, twice as fast, beside ten thousand ordinary ones. */
    paddock_candidate all[2] = {seen("m:young", 10, 0, 20), seen("m:old", 10000, 100, 40)};
    (void)state;
    assert_true(case_open(&c, "performance_score", "{}"));
    case_turn(&c, all, 2, 1000);
    if (!(case_share(&c, 2, 1) > 0.98))
        fail_msg("the known one gets %g", case_share(&c, 2, 1));
    near(case_share(&c, 2, 0), 0.01, 0.005); /* the floor */
    all[0] = seen("m:young", 10000, 0, 20);  /* it keeps its promise */
    case_turn(&c, all, 2, 1000);
    assert_true(case_share(&c, 2, 0) > 0.85);
    case_close(&c);
}

static void score_parts_are_the_formula(void **state)
{
    struct strategy_case c;
    paddock_score score = {"brier", 400, 0.2, 0.04};
    paddock_candidate all[1] = {seen("m:1", 900, 9, 50)};
    (void)state;
    all[0].scores = &score;
    all[0].n_scores = 1;
    assert_true(case_open(&c, "performance_score",
                          "{\"score_weight\":1,\"success_weight\":1,\"score\":\"brier\","
                          "\"better\":\"lower\",\"latency_target_ms\":100}"));
    case_turn(&c, all, 1, 1000);
    double n = 900, ratio = 0.99, success = ratio + 2 / n;
    success -= 2 * sqrt(ratio * (1 - ratio) / n + 1 / (n * n));
    success /= 1 + 4 / n;
    double latency = 100 / (100 + 50 * (1 + 2.0 / 30)), brier = 0.8 - 2 * 0.01 - 3.0 / 400;
    near(case_part(&c, 0, "success"), success, 1e-12);
    near(case_part(&c, 0, "latency"), latency, 1e-12);
    near(case_part(&c, 0, "score"), brier, 1e-12);
    near(c.w[0].score, cbrt(success * latency * brier), 1e-12);
    case_close(&c);
}

static void the_unhealthy_get_nothing(void **state)
{
    struct strategy_case c;
    paddock_candidate all[3] = {seen("m:1", 1000, 0, 10), seen("m:2", 1000, 0, 10),
                                seen("m:3", 1000, 0, 10)};
    (void)state;
    assert_true(case_open(&c, "performance_score", "{}"));
    all[0].health = PADDOCK_UNHEALTHY;
    case_turn(&c, all, 3, 1000);
    assert_true(c.w[0].weight == 0);
    near(case_share(&c, 3, 1), 0.5, 1e-12);
    all[1].health = all[2].health = PADDOCK_UNHEALTHY; /* then it does not matter */
    case_turn(&c, all, 3, 1000);
    near(case_share(&c, 3, 0), 1.0 / 3, 1e-12);
    case_close(&c);
}

static void unknown_ones_stand_as_configured(void **state)
{
    struct strategy_case c;
    paddock_candidate all[2] = {candidate("m:1", "stable"), candidate("m:2", "canary")};
    (void)state;
    assert_true(case_open(&c, "performance_score", "{\"floor_ratio\":0}"));
    case_turn(&c, all, 2, 1000);
    near(case_share(&c, 2, 0), 0.5, 1e-12);
    all[0].configured = 0.9;
    all[1].configured = 0.1;
    case_turn(&c, all, 2, 1000);
    near(case_share(&c, 2, 0), 0.9, 1e-12);
    case_close(&c);
    assert_false(case_open(&c, "performance_score", "{\"low\":1,\"high\":0}"));
    assert_false(case_open(&c, "performance_score", "{\"success_weight\":0,\"latency_weight\":0}"));
}

/* ---- lowest_latency ---- */

static void the_fastest_serves(void **state)
{
    struct strategy_case c;
    paddock_candidate all[3] = {seen("m:1", 1000, 0, 50), seen("m:2", 1000, 0, 30),
                                seen("m:3", 50, 0, 1)}; /* too few requests */
    (void)state;
    assert_true(case_open(&c, "lowest_latency", "{}"));
    case_turn(&c, all, 3, 1000);
    near(case_share(&c, 3, 1), 0.95 + 0.05 / 3, 1e-12);
    near(case_share(&c, 3, 2), 0.05 / 3, 1e-12);
    all[0].p95_ms = 28; /* not by enough: no taking turns */
    case_turn(&c, all, 3, 3600000);
    near(case_share(&c, 3, 1), 0.95 + 0.05 / 3, 1e-12);
    all[0].p95_ms = 20;
    case_turn(&c, all, 3, 3600000);
    near(case_share(&c, 3, 0), 0.95 + 0.05 / 3, 1e-12);
    all[0].error_rate = 0.9; /* failing fast */
    case_turn(&c, all, 3, 3600000);
    near(case_share(&c, 3, 1), 0.95 + 0.05 / 3, 1e-12);
    case_close(&c);
}

static void p95_decays_by_its_half_life(void **state)
{
    struct strategy_case a, b;
    paddock_candidate all[1] = {seen("m:1", 1000, 0, 10)};
    (void)state;
    assert_true(case_open(&a, "lowest_latency", "{\"half_life_seconds\":60}"));
    assert_true(case_open(&b, "lowest_latency", "{\"half_life_seconds\":60}"));
    case_turn(&a, all, 1, 1000);
    near(case_part(&a, 0, "decayed_p95_ms"), 10, 1e-9);
    all[0].p95_ms = 1000;
    case_turn(&a, all, 1, 60000); /* half of the way, in the logarithm */
    near(case_part(&a, 0, "decayed_p95_ms"), 100, 1e-9);
    carry_over(&a, &b);
    all[0].p95_ms = 17;
    same_turn(&a, &b, all, 1);
    all[0].p95_ms = NAN; /* no traffic: what is known stays */
    all[0].requests = 0;
    same_turn(&a, &b, all, 1);
    case_close(&a);
    case_close(&b);
}

/* ---- champion_challenger ---- */

static void challengers_share_what_is_theirs(void **state)
{
    struct strategy_case c;
    paddock_candidate all[3] = {seen("m:2", 1000, 1, 10), seen("m:1", 1000, 1, 10),
                                seen("m:3", 1000, 1, 10)};
    (void)state;
    all[1].status = "stable";
    assert_true(case_open(&c, "champion_challenger", "{}"));
    case_turn(&c, all, 3, 1000);
    near(case_share(&c, 3, 1), 0.9, 1e-12);
    near(case_share(&c, 3, 0), 0.05, 1e-12);
    case_turn(&c, all, 2, 1000);
    near(case_share(&c, 2, 0), 0.1, 1e-12);
    case_turn(&c, all + 1, 1, 1000);
    near(case_share(&c, 1, 0), 1, 1e-12);
    case_close(&c);
}

static void a_failing_challenger_is_benched(void **state)
{
    struct strategy_case a, b;
    paddock_candidate all[3] = {seen("m:1", 10000, 100, 10), seen("m:2", 1000, 100, 10),
                                seen("m:3", 20, 1, 10)}; /* who knows? */
    (void)state;
    all[0].status = "stable";
    assert_true(case_open(&a, "champion_challenger", "{}"));
    assert_true(case_open(&b, "champion_challenger", "{}"));
    case_turn(&a, all, 3, 1000);
    assert_true(a.w[1].weight == 0);
    near(case_share(&a, 3, 2), 0.1, 1e-12);
    all[1] = seen("m:2", 0, 0, NAN); /* its window has emptied: it stays where it is */
    carry_over(&a, &b);
    same_turn(&a, &b, all, 3);
    assert_true(a.w[1].weight == 0);
    case_turn(&a, all, 3, 600000);
    near(case_share(&a, 3, 1), 0.05, 1e-12);
    all[1].health = PADDOCK_UNHEALTHY;
    case_turn(&a, all, 3, 1000);
    assert_true(a.w[1].weight == 0);
    case_close(&a);
    case_close(&b);
}

/* ---- bandits ---- */

static void epsilon_is_spread_and_the_best_has_the_rest(void **state)
{
    struct strategy_case a, b;
    paddock_candidate all[3] = {candidate("m:1", "stable"), candidate("m:2", "canary"),
                                candidate("m:3", "canary")};
    (void)state;
    assert_true(case_open(&a, "epsilon_greedy", "{\"epsilon\":0.3}"));
    assert_true(case_open(&b, "epsilon_greedy", "{\"epsilon\":0.3}"));
    case_turn(&a, all, 3, 1000);
    for (size_t i = 0; i < 3; i++)
        near(case_share(&a, 3, i), 1.0 / 3, 1e-12);
    case_reward(&a, "m:1", 0.25, 100); /* fractions count as what they are */
    case_reward(&a, "m:2", 0.5, 100);
    case_reward(&a, "m:3", 1, 29); /* not enough to be the best */
    case_turn(&a, all, 3, 1000);
    near(case_share(&a, 3, 1), 0.8, 1e-12);
    near(case_share(&a, 3, 2), 0.1, 1e-12);
    near(a.w[0].score, 0.25, 1e-12);
    carry_over(&a, &b);
    case_reward(&a, "m:3", 1, 1);
    case_reward(&b, "m:3", 1, 1);
    same_turn(&a, &b, all, 3);
    near(case_share(&a, 3, 2), 0.8, 1e-12);
    case_close(&a);
    case_close(&b);
}

static void lower_is_better_where_it_is_said(void **state)
{
    struct strategy_case c;
    paddock_candidate all[2] = {candidate("m:1", "stable"), candidate("m:2", "canary")};
    static const char *const BANDITS[] = {"epsilon_greedy", "thompson"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(case_open(&c, BANDITS[i], "{\"better\":\"lower\",\"high\":10}"));
        case_reward(&c, "m:1", 9, 200);
        case_reward(&c, "m:2", 1, 200);
        case_reward(&c, "m:2", 1e300, 1); /* cut to 10 */
        case_turn(&c, all, 2, 1000);
        assert_true(case_share(&c, 2, 1) > 0.9);
        case_close(&c);
    }
}

static void epsilon_cools(void **state)
{
    struct strategy_case c;
    paddock_candidate all[2] = {candidate("m:1", "stable"), candidate("m:2", "canary")};
    (void)state;
    assert_true(case_open(&c, "epsilon_greedy",
                          "{\"epsilon\":0.4,\"cool_outcomes\":100,\"epsilon_min\":0.05}"));
    case_reward(&c, "m:1", 1, 100);
    case_turn(&c, all, 2, 1000);
    near(case_share(&c, 2, 1), 0.1, 1e-12);
    case_reward(&c, "m:1", 1, 100000);
    case_turn(&c, all, 2, 1000);
    near(case_share(&c, 2, 1), 0.025, 1e-12);
    case_close(&c);
}

/* P(B > A) for Betas of whole numbers, exactly. */
static double chance_of(double a1, double b1, double a2, double b2)
{
    double sum = 0;
    for (double i = 0; i < a2; i++)
        sum += exp(lgamma(a1 + i) + lgamma(b1 + b2) - lgamma(a1 + i + b1 + b2) - log(b2 + i) -
                   (lgamma(1 + i) + lgamma(b2) - lgamma(1 + i + b2)) -
                   (lgamma(a1) + lgamma(b1) - lgamma(a1 + b1)));
    return sum;
}

static void reward_arm(struct strategy_case *c, const char *id, unsigned good, unsigned bad)
{
    case_reward(c, id, 1, good);
    case_reward(c, id, 0, bad);
}

static void thompson_is_the_chance_to_be_the_best(void **state)
{
    static const unsigned CASES[][4] = {
        {0, 0, 0, 0},           {3, 10, 5, 9},          {0, 50, 0, 3},
        {5, 95, 60, 940},       {500, 9500, 560, 9440}, {1000, 1, 998, 3},
        {50, 950, 5000, 95000}, {4000, 36000, 0, 0},    {20000, 380000, 20200, 379800},
    };
    paddock_candidate all[2] = {candidate("m:1", "stable"), candidate("m:2", "canary")};
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct strategy_case c;
        const unsigned *of = CASES[i];
        assert_true(case_open(&c, "thompson", "{\"floor_ratio\":0}"));
        reward_arm(&c, "m:1", of[0], of[1]);
        reward_arm(&c, "m:2", of[2], of[3]);
        case_turn(&c, all, 2, 1000);
        near(case_share(&c, 2, 1), chance_of(of[0] + 1, of[1] + 1, of[2] + 1, of[3] + 1), 1e-3);
        case_close(&c);
    }
}

static void thompson_with_a_thousand(void **state)
{
    struct strategy_case c;
    char ids[1000][16];
    paddock_candidate *all = mem_zero(1000, sizeof *all);
    (void)state;
    assert_true(case_open(&c, "thompson", "{}"));
    for (size_t i = 0; i < 1000; i++) {
        snprintf(ids[i], sizeof ids[i], "m:%zu", i);
        all[i] = candidate(ids[i], "canary");
    }
    case_turn(&c, all, 1000, 1000);
    for (size_t i = 0; i < 1000; i++)
        near(case_share(&c, 1000, i), 0.001, 1e-9);
    reward_arm(&c, "m:7", 900, 100);
    for (size_t i = 0; i < 1000; i++)
        if (i != 7)
            reward_arm(&c, ids[i], 10, 90);
    case_turn(&c, all, 1000, 1000);
    assert_true(case_share(&c, 1000, 7) > 0.49); /* the floor is half of an equal share */
    near(case_share(&c, 1000, 8), 0.0005, 1e-6);
    case_close(&c);
    free(all);
}

static void what_is_old_is_forgotten(void **state)
{
    struct strategy_case a, b;
    paddock_candidate all[2] = {candidate("m:1", "stable"), candidate("m:2", "canary")};
    (void)state;
    assert_true(case_open(&a, "thompson", "{\"half_life_outcomes\":100}"));
    assert_true(case_open(&b, "thompson", "{\"half_life_outcomes\":100}"));
    reward_arm(&a, "m:1", 1000, 0);
    case_turn(&a, all, 2, 1000);
    near(case_part(&a, 0, "outcomes"), 1 / (1 - exp2(-0.01)), 0.2);
    reward_arm(&a, "m:2", 50, 50); /* others' outcomes age it too */
    case_turn(&a, all, 2, 1000);
    near(case_part(&a, 0, "outcomes"), 0.5 / (1 - exp2(-0.01)), 0.2);
    carry_over(&a, &b);
    reward_arm(&a, "m:1", 3, 4);
    reward_arm(&b, "m:1", 3, 4);
    same_turn(&a, &b, all, 2);
    case_close(&a);
    case_close(&b);
}

/* ---- what they lose, shortened: the whole is tests/bench/regret ---- */

static void bandits_learn(void **state)
{
    static const struct {
        const char *strategy;
        double most;
    } ALL[] = {{"thompson", 180}, {"epsilon_greedy", 260}};
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* uniform draws lose 300 of these */
        double regret = 0;
        for (uint64_t seed = 1; seed <= 4; seed++) {
            const struct regret_setup setup = {.strategy = ALL[i].strategy,
                                               .config = "{}",
                                               .success = {0.05, 0.06, 0.07},
                                               .decisions = 30000,
                                               .every = 500,
                                               .seed = seed};
            struct regret_result r = regret_run(&setup);
            if (regret_propensity_z(&r) > 4)
                fail_msg("shares drawn are %g deviations from the propensities",
                         regret_propensity_z(&r));
            regret += r.regret / 4;
        }
        if (regret > ALL[i].most)
            fail_msg("%s lost %g", ALL[i].strategy, regret);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weighted_is_what_is_configured),
        cmocka_unit_test(weighted_refuses_what_is_no_weight),
        cmocka_unit_test(few_samples_do_not_win),
        cmocka_unit_test(score_parts_are_the_formula),
        cmocka_unit_test(the_unhealthy_get_nothing),
        cmocka_unit_test(unknown_ones_stand_as_configured),
        cmocka_unit_test(the_fastest_serves),
        cmocka_unit_test(p95_decays_by_its_half_life),
        cmocka_unit_test(challengers_share_what_is_theirs),
        cmocka_unit_test(a_failing_challenger_is_benched),
        cmocka_unit_test(epsilon_is_spread_and_the_best_has_the_rest),
        cmocka_unit_test(lower_is_better_where_it_is_said),
        cmocka_unit_test(epsilon_cools),
        cmocka_unit_test(thompson_is_the_chance_to_be_the_best),
        cmocka_unit_test(thompson_with_a_thousand),
        cmocka_unit_test(what_is_old_is_forgotten),
        cmocka_unit_test(bandits_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
