/* What counts as evidence, and how requests were to be split. */
#include "selection/experiment_evidence.h"

#include "selection/selector.h"

#include "support/unit.h"

#include <math.h>

/* The planned split of a treatment and the control, whoever else has a share. */
static void the_planned_split_is_between_two(void **state)
{
    struct experiment_evidence *e = evidence_new(NULL);
    struct evidence_watch w = {.uid = 1,
                               .route_uid = 2,
                               .treatment_count = 3,
                               .arms = {10, 11, 12, 13},
                               .models = {20, 21, 22, 23}};
    struct evidence_slot s;
    struct evidence_request r = {
        .decision = {
            .flags = DECISION_DRAWN, .reason = SELECTION_EXPERIMENT, .route_uid = 2, .at_ms = 100}};
    (void)state;
    evidence_slot_init(&s);
    evidence_watch(e, &w);
    /* 10 % each, 70 % control. */
    r.decision.arm = 10, r.decision.served_uid = 20, r.decision.propensity = 0.7;
    evidence_request(e, &r);
    r.decision.arm = 12, r.decision.served_uid = 22, r.decision.propensity = 0.1;
    evidence_request(e, &r);
    evidence_take(e, 1, &s);
    assert_true(s.requests[ARM_CONTROL] == 1 && s.requests[2] == 1 && s.requests[1] == 0);
    assert_true(fabs(s.planned[1] - 0.125) < 1e-9 && fabs(s.planned[2] - 0.25) < 1e-9);
    /* Once one is out, 80 % control; but what was decided before is of before. */
    evidence_take_out(e, 1, 1, 200);
    r.decision.arm = 10, r.decision.served_uid = 20, r.decision.propensity = 0.7;
    evidence_request(e, &r);
    evidence_take(e, 1, &s);
    assert_true(fabs(s.planned[2] - 0.125) < 1e-9);
    r.decision.at_ms = 200, r.decision.propensity = 0.8;
    evidence_request(e, &r);
    evidence_take(e, 1, &s);
    assert_true(fabs(s.planned[2] - 0.1 / 0.9) < 1e-9);
    evidence_slot_release(&s);
    evidence_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_planned_split_is_between_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
