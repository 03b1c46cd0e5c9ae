/* Evidence for promotions, of runs that really ran. */
#include "support/house.h"

#include "registry/documents.h"
#include "registry/errors.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOON INT64_C(1764244800000) /* 2025-11-27T12:00:00Z */

#define TO_STABLE "{\"status\":\"stable\"}"

/* The promotion is refused, and among its conditions is this one. */
static void assert_blocked(struct house *h, const struct err_kind *kind, const char *name,
                           const char *status)
{
    struct arena *a = arena_new(1 << 20);
    char part[128];
    const char *members = house_refused(h, model_transition, "m:1", TO_STABLE, kind, a);
    snprintf(part, sizeof part, "\"name\":\"%s\",\"status\":\"%s\"", name, status);
    if (!members || !strstr(members, part))
        fail_msg("wanted %s in %s", part, members ? members : "nothing");
    arena_free(a);
}

/* Wait for the run that the refused promotion has started. */
static void await_evidence(struct house *h)
{
    struct validation_stats s = {.running = 1};
    HOUSE_AWAIT((validation_stats(h->validation, &s), s.queued + s.running == 0));
}

static void evidence_opens_the_gate(void **state)
{
    struct house *h = *state;
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    assert_blocked(h, &VALIDATION_PENDING, "validation", "missing");
    await_evidence(h);
    house_do(h, model_transition, NULL, "m:1", TO_STABLE);
}

static void failure_keeps_it_shut(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.segv", "");
    house_run_whole(h, "m:1", a, &r);
    assert_true(strcmp(r.status, "passed") != 0);
    assert_blocked(h, &PROMOTION_BLOCKED, "validation", r.status[0] == 'e' ? "error" : "fail");
    arena_free(a);
}

/* What the gate demands has changed since. */
static void another_test_makes_it_stale(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    house_run_whole(h, "m:1", a, &r);
    house_test(h, "another", "m", "test.nothing", "");
    assert_blocked(h, &VALIDATION_PENDING, "validation", "stale");
    await_evidence(h);
    house_do(h, model_transition, NULL, "m:1", TO_STABLE);
    arena_free(a);
}

/* A trial is no evidence, nor is a run of some of the tests; but a partial run that failed counts.
 */
static void partial_runs_open_nothing(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run_wish trial = {.trial = true}, part = {.test_ids = "[\"t\"]"};
    struct run r;
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    house_test(h, "t2", "m", "test.nothing", "");
    house_run(h, "m:1", &trial);
    house_read(h, trial.run_id, a, &r);
    assert_string_equal(r.status, "passed");
    house_run(h, "m:1", &part);
    house_read(h, part.run_id, a, &r);
    assert_string_equal(r.status, "passed");
    assert_false(r.complete);
    assert_blocked(h, &VALIDATION_PENDING, "validation", "missing");
    await_evidence(h);
    house_test(h, "report", "m", "test.segv", "\"enforcement\":\"report\"");
    house_run_whole(h, "m:1", a, &r);
    assert_true(r.complete);
    assert_string_equal(run_result(&r, "report")->status, "crashed");
    house_do(h, model_transition, NULL, "m:1", TO_STABLE);
    arena_free(a);
}

/* ... until a complete one comes after it; a partial one that passes takes nothing back. */
static void a_partial_failure_blocks(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run_wish bad = {.test_ids = "[\"bad\"]"}, good = {.test_ids = "[\"t\"]"};
    struct run r;
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    house_test(h, "bad", "m", "test.segv", "");
    house_run(h, "m:1", &bad);
    house_read(h, bad.run_id, a, &r);
    assert_string_not_equal(r.status, "passed");
    assert_false(r.complete);
    house_run(h, "m:1", &good);
    house_read(h, good.run_id, a, &r);
    assert_string_equal(r.status, "passed");
    assert_blocked(h, &VALIDATION_PENDING, "partial", "fail");
    await_evidence(h); /* the complete run fails, too */
    assert_blocked(h, &PROMOTION_BLOCKED, "validation", "fail");
    house_do(h, document_delete, &TEST_CASE_TYPE, "bad", NULL);
    house_run_whole(h, "m:1", a, &r);
    assert_string_equal(r.status, "passed");
    house_do(h, model_transition, NULL, "m:1", TO_STABLE);
    arena_free(a);
}

static void evidence_grows_old(void **state)
{
    struct house *h = *state;
    struct arena *a = arena_new(RUN_TEXT_MAX);
    struct run r;
    house_stop(h);
    h->rules.gate_max_age_seconds = 3600;
    house_start(h);
    house_model(h, "m", "canary");
    house_test(h, "t", "m", "test.nothing", "");
    house_run_whole(h, "m:1", a, &r);
    house_set_clock(h, r.finished_at + 3600001); /* a millisecond too old */
    assert_blocked(h, &VALIDATION_PENDING, "age", "stale");
    await_evidence(h);
    house_do(h, model_transition, NULL, "m:1", TO_STABLE);
    arena_free(a);
}

static void a_required_type_must_be_there(void **state)
{
    static const char *const REQUIRED[] = {"smoke", NULL};
    struct house *h = *state;
    house_stop(h);
    h->rules.required_stable = REQUIRED;
    house_start(h);
    house_model(h, "m", "canary");
    assert_blocked(h, &PROMOTION_BLOCKED, "test:smoke", "missing");
}

static int set_up(void **state)
{
    static const char *const PLUGINS[] = {"good_nothing", "misbehave_segv", NULL};
    return house_set_up(state, PLUGINS, NOON);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evidence_opens_the_gate),       TEST(failure_keeps_it_shut),
        TEST(another_test_makes_it_stale),   TEST(partial_runs_open_nothing),
        TEST(a_partial_failure_blocks),      TEST(evidence_grows_old),
        TEST(a_required_type_must_be_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
