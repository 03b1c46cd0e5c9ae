/* Error rates over thousands of experiments: tests/bench/experiments.c. */
#include "selection/experiment_rules.h"

#include "support/unit.h"

#include <math.h>
#include <string.h>

enum { LOOK_MS = 10000, STARTED = 1000000 };

struct lab {
    struct experiment_rules rules;
    struct experiment_decision last;
    int64_t now;
};

static struct experiment_plan plan_of(size_t metrics)
{
    return (struct experiment_plan){
        .guardrails =
            {{.name = "error_rate", .kind = GUARDRAIL_ERRORS, .margin = 0.5, .error_floor = 0.001},
             {.name = "score:hit",
              .kind = GUARDRAIL_SCORE,
              .higher_is_better = true,
              .margin = 0.02}},
        .guardrail_count = metrics,
        .alpha = 0.05,
        .attempt = 1,
        .treatments = 1,
        .steps_percent = {5, 50, 100},
        .step_count = 3,
        .started_at_ms = STARTED,
        .step_min_ms = 60000,
        .max_ms = 3600000,
        .quiet_ms = 60000,
        .min_samples = 1000,
    };
}

static struct lab begun(const struct experiment_plan *plan)
{
    assert_null(experiment_plan_fault(plan));
    struct lab lab = {.now = plan->started_at_ms};
    experiment_begin(&lab.rules, plan);
    return lab;
}

static struct lab begun_with(size_t metrics)
{
    const struct experiment_plan plan = plan_of(metrics);
    return begun(&plan);
}

/* The next slot: requests and errors of treatment and control, split as planned unless said. */
static struct experiment_look slot(const struct lab *lab, uint64_t treatment, uint64_t errors,
                                   uint64_t control, uint64_t control_errors)
{
    return (struct experiment_look){
        .start_ms = lab->now,
        .end_ms = lab->now + LOOK_MS,
        .share = lab->rules.plan.steps_percent[lab->rules.step] / 100,
        .treatment = treatment,
        .treatment_errors = errors,
        .control = control,
        .control_errors = control_errors,
    };
}

static enum experiment_verdict judge(struct lab *lab)
{
    experiment_decide(&lab->rules, lab->now, false, &lab->last);
    assert_true(strlen(lab->last.sentence) > 10);
    assert_int_equal(lab->last.sentence[strlen(lab->last.sentence) - 1], '.');
    return lab->last.verdict;
}

static enum experiment_verdict take(struct lab *lab, const struct experiment_look *look)
{
    lab->now = look->end_ms;
    assert_int_equal(experiment_take(&lab->rules, look, lab->now), EXPERIMENT_TAKEN);
    return judge(lab);
}

/* One more look at 10,000 requests with these error rates. */
static enum experiment_verdict look(struct lab *lab, double treatment_rate, double control_rate)
{
    const double share = lab->rules.plan.steps_percent[lab->rules.step] / 100;
    const double n = 10000 * share, rest = 10000 - n;
    const struct experiment_look l = slot(lab, (uint64_t)n, (uint64_t)(n * treatment_rate),
                                          (uint64_t)rest, (uint64_t)(rest * control_rate));
    return take(lab, &l);
}

static void a_good_treatment_goes_up_and_is_promoted(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    for (int i = 1; i < 6; i++) {
        assert_int_equal(look(&lab, 0.01, 0.01), EXPERIMENT_HOLD);
        assert_int_equal(lab.last.cause, CAUSE_STEP_TIME);
    }
    assert_int_equal(look(&lab, 0.01, 0.01), EXPERIMENT_ADVANCE);
    assert_true(lab.last.share_percent == 5 && lab.last.next_percent == 50);
    const double carried = lab.last.guardrails[0].log_fine;
    experiment_advance(&lab.rules);
    assert_int_equal(judge(&lab), EXPERIMENT_HOLD); /* this step's time begins anew, */
    assert_int_equal(lab.last.cause, CAUSE_STEP_TIME);
    assert_true(lab.last.guardrails[0].log_fine == carried); /* the evidence does not */
    enum experiment_verdict v = EXPERIMENT_HOLD;
    for (int i = 0; i < 30 && v == EXPERIMENT_HOLD; i++)
        v = look(&lab, 0.01, 0.01);
    assert_int_equal(v, EXPERIMENT_PROMOTE);
    assert_true(lab.last.next_percent == 100 && lab.last.step == 1);
    assert_non_null(strstr(lab.last.sentence, "Promoted: on all 1 metrics"));
    experiment_release(&lab.rules);
}

static void a_bad_treatment_goes_back(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    enum experiment_verdict v = EXPERIMENT_HOLD;
    int looks = 0;
    for (; looks < 100 && v != EXPERIMENT_ROLLBACK; looks++)
        v = look(&lab, 0.04, 0.01);
    assert_true(v == EXPERIMENT_ROLLBACK && looks >= EPROCESS_DISPERSION_NEEDED && looks < 15);
    assert_int_equal(lab.last.cause, CAUSE_REGRESSION);
    assert_true(lab.last.next_percent == 0);
    assert_non_null(strstr(lab.last.sentence, "Rolled back: error_rate 4 times the control's (200 "
                                              "of 5000 against 950 of 95000)"));
    /* Nobody's pause and no silence stands in the way. */
    experiment_decide(&lab.rules, lab.now + 600000, true, &lab.last);
    assert_int_equal(lab.last.verdict, EXPERIMENT_ROLLBACK);
    experiment_release(&lab.rules);
}

static void the_hard_trip_is_no_statistics(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(1);
    plan.warmup_ms = 600000; /* it holds in the warm-up as well */
    struct lab lab = begun(&plan);
    struct experiment_look l = slot(&lab, 19, 19, 400, 2);
    assert_int_equal(take(&lab, &l), EXPERIMENT_HOLD);
    l = slot(&lab, 1, 1, 400, 2);
    assert_int_equal(take(&lab, &l), EXPERIMENT_ROLLBACK);
    assert_int_equal(lab.last.cause, CAUSE_HARD_TRIP);
    assert_non_null(strstr(lab.last.sentence, "no statistics: 20 of the treatment's last 20"));
    experiment_release(&lab.rules);

    /* Where the control fails as well it is the world's fault. */
    lab = begun_with(1);
    l = slot(&lab, 40, 30, 760, 400);
    assert_int_equal(take(&lab, &l), EXPERIMENT_HOLD);
    assert_int_equal(lab.last.cause, CAUSE_SHARED_TROUBLE);
    for (int i = 0; i < EXPERIMENT_RECENT; i++) { /* what is past is past */
        l = slot(&lab, 40, 0, 760, 0);
        take(&lab, &l);
    }
    assert_int_not_equal(lab.last.cause, CAUSE_SHARED_TROUBLE);
    experiment_release(&lab.rules);
}

static void open_and_late_slots_count_never_or_once(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    const struct experiment_look first = slot(&lab, 5, 0, 95, 0);
    assert_int_equal(experiment_take(&lab.rules, &first, first.end_ms - 1), EXPERIMENT_OPEN);
    assert_int_equal(lab.rules.looks, 0);
    assert_int_equal(take(&lab, &first), EXPERIMENT_HOLD);
    assert_int_equal(experiment_take(&lab.rules, &first, lab.now), EXPERIMENT_LATE);
    lab.now -= 1;
    const struct experiment_look overlap = slot(&lab, 5, 0, 95, 0);
    assert_int_equal(experiment_take(&lab.rules, &overlap, INT64_MAX), EXPERIMENT_LATE);
    assert_int_equal(lab.rules.treatment, 5);
    assert_int_equal(lab.rules.looks, 1);
    experiment_release(&lab.rules);
}

static void warm_up_is_no_evidence(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(1);
    plan.warmup_ms = 25000;
    struct lab lab = begun(&plan);
    for (int i = 0; i < 3; i++)
        look(&lab, 0.4, 0.01);
    assert_int_equal(lab.last.treatment, 0);
    look(&lab, 0.01, 0.01);
    assert_int_equal(lab.last.treatment, 500);
    experiment_warm(&lab.rules, lab.now); /* a new instance */
    look(&lab, 0.4, 0.01);
    assert_int_equal(lab.last.treatment, 500);
    assert_int_equal(lab.last.guardrails[0].treatment_hits, 5);
    experiment_release(&lab.rules);
}

static void missing_traffic_pauses_and_ends_by_itself(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    for (int i = 0; i < 5; i++)
        look(&lab, 0.01, 0.01);
    const int64_t step_ms = lab.rules.step_ms;
    lab.now += 59999;
    assert_int_equal(judge(&lab), EXPERIMENT_HOLD);
    lab.now += 1;
    assert_int_equal(judge(&lab), EXPERIMENT_PAUSE);
    assert_int_equal(lab.last.cause, CAUSE_NO_TRAFFIC);
    assert_non_null(strstr(lab.last.sentence, "decision_id"));
    assert_int_equal(look(&lab, 0.01, 0.01), EXPERIMENT_ADVANCE); /* there is traffic again */
    assert_int_equal(lab.rules.step_ms, step_ms + LOOK_MS);

    /* One arm alone is silent as soon as the other one shows that it should not be. */
    struct experiment_look l = slot(&lab, 0, 0, 180, 2);
    assert_int_equal(take(&lab, &l), EXPERIMENT_ADVANCE); /* 9.5 were due */
    l = slot(&lab, 0, 0, 180, 2);
    assert_int_equal(take(&lab, &l), EXPERIMENT_PAUSE);
    assert_non_null(strstr(lab.last.sentence, "the treatment gets no traffic"));
    l = slot(&lab, 300, 3, 0, 0);
    assert_int_equal(take(&lab, &l), EXPERIMENT_PAUSE);
    assert_non_null(strstr(lab.last.sentence, "the control gets no traffic"));
    assert_int_equal(lab.rules.step_ms, step_ms + LOOK_MS);
    experiment_release(&lab.rules);
}

static void nothing_is_promoted_in_silence(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    for (int i = 0; i < 200; i++)
        if (look(&lab, 0.01, 0.01) == EXPERIMENT_ADVANCE)
            experiment_advance(&lab.rules);
    assert_int_equal(lab.last.verdict, EXPERIMENT_PROMOTE);
    lab.now += 60000;
    assert_int_equal(judge(&lab), EXPERIMENT_PAUSE);
    lab.now = STARTED + 3600000;
    assert_int_equal(judge(&lab), EXPERIMENT_INCONCLUSIVE);
    experiment_release(&lab.rules);
}

static void the_time_over_is_inconclusive_and_says_what_is_missing(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(2);
    plan.max_ms = 300000;
    struct lab lab = begun(&plan);
    enum experiment_verdict v = EXPERIMENT_HOLD;
    for (int i = 0; i < 30; i++) {
        v = look(&lab, 0.01, 0.01);
        if (v == EXPERIMENT_ADVANCE)
            experiment_advance(&lab.rules);
    }
    assert_int_equal(v, EXPERIMENT_INCONCLUSIVE); /* nobody sent scores */
    assert_int_equal(lab.last.guardrails[0].state, GUARDRAIL_FINE);
    assert_int_equal(lab.last.guardrails[1].state, GUARDRAIL_SILENT);
    assert_non_null(strstr(lab.last.sentence, "score:hit has no data"));
    experiment_release(&lab.rules);
}

static void scores_must_come_for_both_arms_alike(void **state)
{
    (void)state;
    for (int uneven = 0; uneven < 2; uneven++) {
        struct lab lab = begun_with(2);
        for (int i = 0; i < 100; i++) {
            const uint64_t n = lab.rules.step ? 5000 : 500;
            struct experiment_look l = slot(&lab, n, n / 100, 10000 - n, (10000 - n) / 100);
            const uint64_t scored = uneven ? n / 2 : n;
            l.guardrails[1].treatment = (struct moments){scored, 0.9, 0, 1, 0.09 * (double)scored};
            l.guardrails[1].control =
                (struct moments){10000 - n, 0.9, 0, 1, 0.09 * (double)(10000 - n)};
            if (take(&lab, &l) == EXPERIMENT_ADVANCE)
                experiment_advance(&lab.rules);
        }
        assert_int_equal(lab.last.verdict, uneven ? EXPERIMENT_HOLD : EXPERIMENT_PROMOTE);
        assert_int_equal(lab.last.cause, uneven ? CAUSE_COVERAGE : CAUSE_NOT_WORSE);
        experiment_release(&lab.rules);
    }
}

static void a_wrong_split_holds(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    for (int i = 0; i < 30; i++) { /* 5 % planned, 10 % seen: somebody loses records */
        const struct experiment_look l = slot(&lab, 100, 1, 900, 9);
        take(&lab, &l);
    }
    assert_int_equal(lab.last.verdict, EXPERIMENT_HOLD);
    assert_int_equal(lab.last.cause, CAUSE_SAMPLE_RATIO);
    assert_non_null(strstr(lab.last.sentence, "do not fit the planned shares"));
    experiment_release(&lab.rules);
    lab = begun_with(1);
    for (int i = 0; i < 30; i++) { /* 5.8 %: units that ask more often than others */
        const struct experiment_look l = slot(&lab, 58, 0, 942, 9);
        take(&lab, &l);
    }
    assert_int_equal(lab.last.verdict, EXPERIMENT_ADVANCE);
    experiment_release(&lab.rules);
}

static void people_and_suspicion_hold(void **state)
{
    (void)state;
    struct lab lab = begun_with(1);
    for (int i = 0; i < 10; i++)
        look(&lab, 0.01, 0.01);
    experiment_decide(&lab.rules, lab.now, true, &lab.last);
    assert_int_equal(lab.last.verdict, EXPERIMENT_HOLD);
    assert_int_equal(lab.last.cause, CAUSE_WAITING);
    for (int i = 0; i < 100 && lab.last.guardrails[0].state != GUARDRAIL_SUSPECT; i++)
        look(&lab, 0.016, 0.01);
    assert_int_equal(lab.last.verdict, EXPERIMENT_HOLD);
    assert_int_equal(lab.last.cause, CAUSE_SUSPICION);
    assert_non_null(strstr(lab.last.sentence, "Held: suspicion: error_rate"));
    experiment_release(&lab.rules);
}

static void too_few_samples_hold(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(1);
    plan.min_samples = 100000;
    plan.step_count = 1;
    struct lab lab = begun(&plan);
    for (int i = 0; i < 100; i++)
        assert_int_equal(look(&lab, 0.01, 0.01), EXPERIMENT_HOLD);
    assert_int_equal(lab.last.cause, CAUSE_SAMPLES);
    for (int i = 0; i < 100; i++)
        look(&lab, 0.01, 0.01);
    assert_int_equal(lab.last.verdict, EXPERIMENT_PROMOTE);
    experiment_release(&lab.rules);
}

static void a_retry_has_a_smaller_budget(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(2);
    struct experiment_rules x;
    experiment_begin(&x, &plan);
    assert_true(x.alpha == 0.05);
    experiment_release(&x);
    plan.treatments = 2;
    experiment_begin(&x, &plan);
    assert_true(x.alpha == 0.025);
    experiment_release(&x);
    double all = 0.05;
    plan.treatments = 1;
    for (unsigned k = 2; k < 1000; k++) {
        plan.attempt = k;
        experiment_begin(&x, &plan);
        all += x.alpha;
        experiment_release(&x);
    }
    assert_true(all < 1.4 * 0.05);
    plan.attempt = 2;
    struct lab lab = begun(&plan);
    judge(&lab);
    const double alpha = 0.05 * 6 / (M_PI * M_PI * 4);
    assert_true(fabs(lab.last.guardrails[0].worse_limit - log(2 / alpha)) < 1e-12);
    assert_true(fabs(lab.last.guardrails[1].fine_limit - log(1 / alpha)) < 1e-12);
    experiment_release(&lab.rules);
}

/* Sketches and scores become the counts of a look, each at its guardrail's place. */
static void measurements_become_a_look(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(2);
    plan.guardrails[0] = (struct guardrail_plan){
        .name = "latency_p95", .kind = GUARDRAIL_LATENCY, .quantile = 0.95, .margin = 0.1};
    struct experiment_rules x;
    experiment_begin(&x, &plan);
    struct sketch slow, fast;
    sketch_init(&slow, 7);
    sketch_init(&fast, 7);
    for (int i = 0; i < GUARDRAIL_CALIBRATION; i++)
        sketch_add(&fast, 1 + i % 100);
    for (int i = 0; i < 10; i++)
        sketch_add(&slow, 200);
    const struct moments hit = {10, 0.9, 0, 1, 0.9};
    const struct experiment_arm treatment = {.latency = &slow, .scores = {NULL, &hit}};
    const struct experiment_arm control = {.latency = &fast};
    struct experiment_look l = {.guardrails = {[1].control = {3, 1, 1, 1, 0}}};
    experiment_count(&x, &treatment, &control, &l);
    assert_int_equal(l.guardrails[0].counts.candidate, 0);
    experiment_count(&x, &treatment, &control, &l);
    assert_int_equal(l.guardrails[0].counts.candidate_hits, 10);
    assert_int_equal(l.guardrails[0].counts.baseline, GUARDRAIL_CALIBRATION);
    assert_int_equal(l.guardrails[1].treatment.count, 10);
    assert_int_equal(l.guardrails[1].control.count, 0);
    sketch_release(&slow);
    sketch_release(&fast);
    experiment_release(&x);
}

static void plans_are_checked(void **state)
{
    (void)state;
    struct experiment_plan plan = plan_of(1);
    assert_null(experiment_plan_fault(&plan));
    plan.guardrail_count = 0;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(2);
    plan.guardrails[1].margin = NAN;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(1);
    plan.alpha = 0.5;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(1);
    plan.attempt = 0;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(1);
    plan.step_count = EXPERIMENT_STEPS + 1;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(1);
    plan.steps_percent[1] = 5;
    assert_non_null(experiment_plan_fault(&plan));
    plan = plan_of(1);
    plan.steps_percent[0] = 100;
    plan.step_count = 1;
    assert_non_null(experiment_plan_fault(&plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_treatment_goes_up_and_is_promoted),
        cmocka_unit_test(a_bad_treatment_goes_back),
        cmocka_unit_test(the_hard_trip_is_no_statistics),
        cmocka_unit_test(open_and_late_slots_count_never_or_once),
        cmocka_unit_test(warm_up_is_no_evidence),
        cmocka_unit_test(missing_traffic_pauses_and_ends_by_itself),
        cmocka_unit_test(nothing_is_promoted_in_silence),
        cmocka_unit_test(the_time_over_is_inconclusive_and_says_what_is_missing),
        cmocka_unit_test(scores_must_come_for_both_arms_alike),
        cmocka_unit_test(a_wrong_split_holds),
        cmocka_unit_test(people_and_suspicion_hold),
        cmocka_unit_test(too_few_samples_hold),
        cmocka_unit_test(a_retry_has_a_smaller_budget),
        cmocka_unit_test(measurements_become_a_look),
        cmocka_unit_test(plans_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
