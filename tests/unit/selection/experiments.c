/* An experiment with one treatment as it runs: looks, steps, ends, and what a restart keeps. */
#include "experiments_lab.h"

static bool count_one(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    (void)key, (void)at, (void)id, (void)data, (void)len;
    ++*(size_t *)ctx;
    return true;
}

static size_t kept_looks(struct lab *lab)
{
    char key[32];
    size_t n = 0;
    snprintf(key, sizeof key, "x/%llu", (unsigned long long)look_up(lab).uid);
    struct series_read r = {.key = key, .each = count_one, .ctx = &n};
    assert_true(wait_read(lab->store, &r));
    return n;
}

/* ---- one treatment ---- */

static void it_goes_step_by_step_and_is_promoted(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[20,50,100]");
    AWAIT(is_live(lab) && share(lab, 1) == 20);
    assert_true(share(lab, 0) == 80);
    for (int i = 0; i < 40 && look_up(lab).step == 0; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).cause, "step_served");
    AWAIT(share(lab, 1) == 50);
    assert_true(kept_looks(lab) >= 2);
    for (int i = 0; i < 40 && look_up(lab).runs; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).state, "succeeded");
    assert_string_equal(look_up(lab).winner, "new");
    /* Everything that it had is let go. */
    AWAIT(share(lab, 0) == -1 && !evidence_wanted(lab->evidence) && !*analysis(lab));
    AWAIT(kept_looks(lab) == 0);
}

static void the_same_looks_give_the_same_evidence_after_a_restart(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"",
          "\"steps_percent\":[20,50],\"metrics\":[{\"name\":\"latency_p95\"},{\"name\":"
          "\"error_rate\"},{\"name\":\"score:hit\"}]");
    AWAIT(is_live(lab));
    static const double SOME[ARMS] = {0.01, 0.012, 0};
    for (int i = 0; i < 8; i++)
        slot(lab, 3000, SOME);
    AWAIT(share(lab, 1) == 50); /* in its second step */
    slot(lab, 3000, SOME);
    const char *before = analysis(lab);
    const struct weights_set *shares =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    assert_non_null(strstr(before, "\"looks\":9"));
    assert_non_null(strstr(before, "\"threshold_ms\":10.")); /* frozen */
    stop(lab);
    start(lab);
    assert_string_equal(analysis(lab), before);
    const struct weights_set *after =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    assert_int_equal(after->share_count, shares->share_count);
    assert_memory_equal(after->shares, shares->shares,
                        shares->share_count * sizeof *shares->shares);
    /* What came in the slot that was open when it stopped is a look, too. */
    atomic_fetch_add(&lab->now, SLOT_MS / 5);
    tell(lab, 0, (struct told){70, 0, 0});
    tell(lab, 1, (struct told){70, 0, 0});
    stop(lab);
    start(lab);
    assert_true(number_of(lab, "looks") == 10);
}

static void what_does_not_belong_to_it_is_no_evidence(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[50]");
    AWAIT(is_live(lab));
    struct evidence_request good = {.decision = {.flags = DECISION_DRAWN,
                                                 .reason = SELECTION_EXPERIMENT,
                                                 .propensity = 0.5,
                                                 .at_ms = atomic_load(&lab->now),
                                                 .served_uid = uid_of(lab, 1),
                                                 .arm = decision_mark("new", 3)},
                                    .latency_ms = 1};
    const struct document *route =
        view_document(view_enter(lab->reader), &ROUTE_TYPE, "default", "r");
    good.decision.route_uid = route->entity.uid;
    view_leave(lab->reader);
    struct evidence_request r = good;
    r.decision.flags |= DECISION_FALLBACK;
    evidence_request(lab->evidence, &r);
    r = good, r.decision.flags = 0; /* not drawn: somebody asked for it */
    evidence_request(lab->evidence, &r);
    r = good, r.decision.reason = SELECTION_STRATEGY;
    evidence_request(lab->evidence, &r);
    r = good, r.decision.at_ms -= 1000000; /* before it began */
    evidence_request(lab->evidence, &r);
    r = good, r.decision.served_uid = uid_of(lab, 0);
    evidence_request(lab->evidence, &r);
    r = good, r.decision.route_uid++;
    evidence_request(lab->evidence, &r);
    evidence_request(lab->evidence, &good);
    end_slot(lab);
    assert_true(number_of(lab, "treatment_requests") == 1);
}

static void a_new_attempt_begins_anew_with_less(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[20,50]");
    AWAIT(is_live(lab));
    slot(lab, 1000, NO_ERRORS);
    assert_true(number_of(lab, "alpha") == 0.05);
    run(lab, experiment_stop, NULL, "x", NULL);
    AWAIT(!is_live(lab) && share(lab, 1) == -1);
    atomic_fetch_add(&lab->now, 1000);
    run(lab, experiment_start, NULL, "x", NULL);
    AWAIT(is_live(lab));
    assert_true(number_of(lab, "looks") == 0);
    assert_true(fabs(number_of(lab, "alpha") - 0.05 * 6 / (4 * M_PI * M_PI)) < 1e-6);
    assert_int_equal(look_up(lab).attempt, 2);
    /* And so at once, before the thread has seen that it was stopped. */
    slot(lab, 1000, NO_ERRORS);
    run(lab, experiment_stop, NULL, "x", NULL);
    atomic_fetch_add(&lab->now, 1);
    run(lab, experiment_start, NULL, "x", NULL);
    AWAIT(is_live(lab) && number_of(lab, "looks") == 0);
}

static void silence_pauses_and_traffic_goes_on(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[50],\"min_samples\":100000000");
    AWAIT(is_live(lab));
    slot(lab, 1000, NO_ERRORS);
    atomic_fetch_add(&lab->now, 10 * SLOT_MS);
    AWAIT(!strcmp(look_up(lab).paused_by, "traffic"));
    assert_string_equal(look_up(lab).cause, "insufficient_data");
    assert_true(share(lab, 1) == 50); /* shares stay */
    slot(lab, 1000, NO_ERRORS);
    AWAIT(!strcmp(look_up(lab).state, "running"));
    assert_true(number_of(lab, "treatment_requests") == 1000);
}

static void turn_circuit(struct lab *lab, const char *model_id, enum circuit circuit)
{
    struct circuit_change change = {
        .model_id = model_id, .circuit = (int)circuit, .records = 20, .failed = 20};
    change.uid = view_model(view_enter(lab->reader), "default", model_id)->entity.uid;
    view_leave(lab->reader);
    run(lab, circuit_changed, (const void *)&change, model_id, NULL);
}

/* Silence that the breaker made is said to be that. */
static void a_cut_off_arm_pauses_it_as_that(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[50],\"min_samples\":100000000");
    AWAIT(is_live(lab));
    slot(lab, 1000, NO_ERRORS);
    turn_circuit(lab, "m:2", CIRCUIT_OPEN);
    atomic_fetch_add(&lab->now, 10 * SLOT_MS);
    AWAIT(!strcmp(look_up(lab).paused_by, "cut_off"));
    assert_string_equal(look_up(lab).cause, "cut_off");
    assert_non_null(strstr(look_up(lab).sentence, "the treatment is cut off"));
    assert_non_null(strstr(look_up(lab).sentence, "its circuit breaker opened"));
    turn_circuit(lab, "m:2", CIRCUIT_CLOSED);
    slot(lab, 1000, NO_ERRORS);
    AWAIT(!strcmp(look_up(lab).state, "running"));
}

static void a_person_pauses_it_and_guardrails_stay(void **state)
{
    struct lab *lab = *state;
    static const double DOWN[ARMS] = {0, 0.9, 0};
    begin(lab, "\"new\"", "\"steps_percent\":[50]");
    AWAIT(is_live(lab));
    run(lab, experiment_pause, NULL, "x", NULL);
    for (int i = 0; i < 6; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).paused_by, "person"); /* good, and not promoted */
    for (int i = 0; i < 20 && look_up(lab).runs; i++)
        slot(lab, 4000, DOWN);
    assert_string_equal(look_up(lab).state, "rolled_back");
    assert_string_equal(look_up(lab).cause, "hard_trip");
    assert_non_null(strstr(look_up(lab).sentence, "no statistics"));
}

static void an_arm_that_leads_elsewhere_ends_it(void **state)
{
    struct lab *lab = *state;
    begin(lab, "\"new\"", "\"steps_percent\":[50]");
    AWAIT(is_live(lab));
    run(lab, model_transition, NULL, "m:2", "{\"status\":\"development\"}");
    AWAIT(!look_up(lab).runs);
    assert_string_equal(look_up(lab).state, "stopped");
    assert_string_equal(look_up(lab).cause, "arm_moved");
    AWAIT(share(lab, 1) == -1);
}

static void refused_by_the_gate_it_is_ready_and_tries_again(void **state)
{
    struct lab *lab = *state;
    run(lab, registered_model_patch, NULL, "m",
        "{\"gate\":{\"stable\":{\"require_types\":[\"unit\"]}}}");
    begin(lab, "\"new\"", "\"steps_percent\":[50]");
    AWAIT(is_live(lab));
    for (int i = 0; i < 40 && !look_up(lab).ready; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).cause, "gate");
    assert_string_equal(look_up(lab).state, "running");
    assert_string_equal(look_up(lab).winner, "new");
    const size_t decisions = look_up(lab).decisions;
    for (int i = 0; i < 6; i++) /* it says so once, however often it tries */
        slot(lab, 4000, NO_ERRORS);
    assert_int_equal(look_up(lab).decisions, decisions);
    run(lab, registered_model_patch, NULL, "m", "{\"gate\":{\"stable\":{\"require_types\":[]}}}");
    for (int i = 0; i < 40 && look_up(lab).runs; i++)
        slot(lab, 4000, NO_ERRORS);
    assert_string_equal(look_up(lab).state, "succeeded");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_goes_step_by_step_and_is_promoted),
        TEST(the_same_looks_give_the_same_evidence_after_a_restart),
        TEST(what_does_not_belong_to_it_is_no_evidence),
        TEST(a_new_attempt_begins_anew_with_less),
        TEST(silence_pauses_and_traffic_goes_on),
        TEST(a_cut_off_arm_pauses_it_as_that),
        TEST(a_person_pauses_it_and_guardrails_stay),
        TEST(an_arm_that_leads_elsewhere_ends_it),
        TEST(refused_by_the_gate_it_is_ready_and_tries_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
