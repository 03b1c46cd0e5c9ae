/* A draft beside the flag as it is: who would move, and nothing is stored. */
#include "selection/flag_trial.h"

#include "extend/lua_sandbox.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "selection/flag_rules.h"

#include "support/calls.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    struct store *store;
    struct policies *catalog;
    struct rollout_policies flags;
    struct rules rules;
    struct engine *engine;
    struct view_reader *reader;
    struct calls calls;
    struct arena *arena;
};

static void put_flag(struct place *p, const char *body)
{
    struct call *call = call_new(&p->calls, document_create, NULL, body);
    call->c.args = (void *)(uintptr_t)&FLAG_TYPE;
    if (!call_wait(call))
        fail_msg("%s", call->c.err.detail);
    call_free(call);
}

static int setup(void **state)
{
    static struct place place;
    struct place *p = *state = &place;
    struct err e = {0};
    char shipped[4096];
    const char *const source = getenv("PADDOCK_SOURCE");
    snprintf(shipped, sizeof shipped, "%s/scripts/lua", source ? source : ".");
    const char *const dirs[] = {shipped, NULL};
    *p = (struct place){.rules = TEST_RULES, .arena = arena_new(16u << 20)};
    p->store = store_memory_open(&CLOCK_SYSTEM);
    p->catalog = policies_open(dirs, &CLOCK_SYSTEM, &e);
    assert_non_null(p->catalog);
    p->flags = flag_rules(p->catalog);
    p->rules.rollout_policies = &p->flags;
    p->engine = engine_start(
        &(struct engine_config){.store = p->store, .clock = &CLOCK_SYSTEM, .rules = &p->rules}, &e);
    if (!p->engine)
        fail_msg("%s", e.detail);
    p->reader = engine_join(p->engine);
    calls_init(&p->calls, p->engine);
    put_flag(p, "{\"key\":\"f\",\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
                "\"policy\":\"percentage\",\"params\":{\"percent\":10,\"weights\":{\"on\":100}}}");
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    calls_release(&p->calls);
    engine_part(p->reader);
    engine_stop(p->engine);
    policies_close(p->catalog);
    p->store->ops->close(p->store);
    arena_free(p->arena);
    return 0;
}

static struct flag_trial_plan plan_of(struct place *p)
{
    return (struct flag_trial_plan){.reader = p->reader,
                                    .catalog = p->catalog,
                                    .rules = &p->rules,
                                    .clock = &CLOCK_SYSTEM,
                                    .ns = "default",
                                    .key = "f",
                                    .population = 20000,
                                    .at_ms = 1700000000000};
}

/* How many of today, and of the draft, get `variant`. */
static uint64_t today(const struct flag_trial_count *n, const char *variant)
{
    for (size_t i = 0; i < n->variants; i++)
        if (strcmp(n->list[i].name, variant) == 0)
            return n->list[i].today;
    return 0;
}

static uint64_t drafted(const struct flag_trial_count *n, const char *variant)
{
    for (size_t i = 0; i < n->variants; i++)
        if (strcmp(n->list[i].name, variant) == 0)
            return n->list[i].draft;
    return 0;
}

/* Run a plan with a draft (JSON) and contexts (JSON array), either NULL. */
static bool run(struct place *p, struct flag_trial_plan plan, const char *draft,
                const char *contexts, struct flag_trial_count *out, struct err *e)
{
    json_t *merge = draft ? json_loads(draft, 0, NULL) : NULL;
    json_t *list = contexts ? json_loads(contexts, 0, NULL) : NULL;
    assert_true((!draft || merge) && (!contexts || list));
    plan.draft = merge;
    plan.contexts = list;
    arena_reset(p->arena);
    const bool ok = flag_trial_run(&plan, p->arena, out, e);
    json_decref(merge);
    json_decref(list);
    return ok;
}

static void ran(struct place *p, struct flag_trial_plan plan, const char *draft,
                const char *contexts, struct flag_trial_count *out)
{
    struct err e = {0};
    if (!run(p, plan, draft, contexts, out, &e))
        fail_msg("%s %s", e.kind->code, e.detail);
}

static void refused_as(struct place *p, struct flag_trial_plan plan, const char *draft,
                       const struct err_kind *kind)
{
    struct flag_trial_count n;
    struct err e = {0};
    assert_false(run(p, plan, draft, NULL, &n, &e));
    if (e.kind != kind)
        fail_msg("%s %s", e.kind->code, e.detail);
}

static void without_a_draft_nobody_moves(void **state)
{
    struct place *p = *state;
    struct flag_trial_count n;
    ran(p, plan_of(p), NULL, NULL, &n);
    assert_true(n.complete && n.asked == 20000 && n.moved == 0 && n.errors == 0);
    assert_int_equal(today(&n, "on"), drafted(&n, "on"));
    assert_int_equal(today(&n, "on") + today(&n, "off"), 20000);
    assert_true(today(&n, "on") > 1800 && today(&n, "on") < 2200);
    assert_true(n.us_per_call > 0);
}

static void a_growing_share_moves_whom_it_takes_in(void **state)
{
    struct place *p = *state;
    struct flag_trial_count n;
    ran(p, plan_of(p), "{\"params\":{\"percent\":25}}", NULL, &n);
    assert_true(drafted(&n, "on") > 4800 && drafted(&n, "on") < 5200);
    assert_int_equal(n.moved, drafted(&n, "on") - today(&n, "on")); /* and nobody out */
    /* It was a question: the flag is as it was, and so are its figures. */
    const struct document *d = view_document(view_enter(p->reader), &FLAG_TYPE, "default", "f");
    assert_int_equal(d->entity.revision, 1);
    view_leave(p->reader);
    ran(p, plan_of(p), NULL, NULL, &n);
    assert_true(n.moved == 0 && today(&n, "on") < 2200);
}

static void a_kill_switch_and_a_new_variant_are_seen(void **state)
{
    struct place *p = *state;
    struct flag_trial_count n;
    ran(p, plan_of(p), "{\"killed\":true,\"fallback_variant\":\"off\"}", NULL, &n);
    assert_int_equal(drafted(&n, "off"), 20000);
    assert_int_equal(n.moved, today(&n, "on"));
    ran(p, plan_of(p),
        "{\"variants\":{\"new\":2},\"params\":{\"percent\":100,\"weights\":{\"on\":0,\"new\":100}}"
        "}",
        NULL, &n);
    assert_int_equal(drafted(&n, "new"), 20000);
    assert_int_equal(n.moved, 20000);
}

static void a_draft_policy_stands_in_for_the_real_one(void **state)
{
    struct place *p = *state;
    struct flag_trial_count n;
    struct flag_trial_plan plan = plan_of(p);
    plan.population = 300;
    plan.source = "return { summary = 's', decide = function(flag, ctx)\n"
                  "if ctx.plan == 'bad' then error('no plan') end\n"
                  "return ctx.plan == 'pro' and 'on' or 'off' end }";
    const char *three = "[{\"plan\":\"pro\"},{\"plan\":\"free\"},{\"plan\":\"bad\"}]";
    ran(p, plan, "{\"policy\":\"mine\",\"params\":{\"percent\":null,\"weights\":null}}", three, &n);
    assert_int_equal(drafted(&n, "on"), 100);
    assert_int_equal(n.errors, 100);
    assert_non_null(strstr(n.first_error, "no plan"));
    /* Without a population each context is asked once, as it is: today's flag wants a unit. */
    plan.population = 0;
    ran(p, plan, "{\"policy\":\"mine\",\"params\":{\"percent\":null,\"weights\":null}}", three, &n);
    assert_true(n.asked == 3 && drafted(&n, "on") == 1 && n.errors == 1 && n.complete);
    plan.source = NULL;
    ran(p, plan, NULL, three, &n);
    assert_int_equal(n.unit_missing, 3);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    struct place *p = *state;
    struct flag_trial_plan plan = plan_of(p);
    refused_as(p, plan, "{\"params\":{\"percent\":101}}", &ERR_INVALID);
    refused_as(p, plan, "{\"default_variant\":\"none\"}", &ERR_INVALID);
    plan.source = "return {";
    refused_as(p, plan, NULL, &ERR_POLICY);
    plan.source = "return { summary = 's', decide = function() return 'on' end }";
    refused_as(p, plan, "{\"policy\":null}", &ERR_INVALID);
    plan = plan_of(p);
    plan.key = "none";
    refused_as(p, plan, NULL, &FLAG_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_draft_nobody_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_growing_share_moves_whom_it_takes_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_switch_and_a_new_variant_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_draft_policy_stands_in_for_the_real_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
