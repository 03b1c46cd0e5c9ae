/* selecting: a selector over a registry in one struct and the shipped policies. */
#ifndef PADDOCK_TESTS_UNIT_SELECTION_SELECTING_H
#define PADDOCK_TESTS_UNIT_SELECTION_SELECTING_H

#include "../registry/world.h"

#include "registry/experiment.h"
#include "registry/flag.h"
#include "registry/route.h"
#include "selection/errors.h"
#include "selection/flag_rules.h"
#include "selection/selector.h"
#include "support/temp_dir.h"

#include <math.h>

struct fixture {
    struct world *w;
    char dir[TEMP_DIR_SIZE];
    struct policies *catalog;
    struct rollout_policies rules;
    struct policy_set *policies;
    struct flag_set *flags;
    struct selector_shared shared;
    struct selector *selector;
    uint64_t open_circuit; /* uid; 0: none */
    struct selection_question q;
    struct selection_answer a;
    struct err e;
    json_t *context;
};

UNUSED_OK static bool circuit_open(void *self, uint64_t uid, uint32_t bucket)
{
    const struct fixture *x = self;
    (void)bucket;
    return uid == x->open_circuit;
}

UNUSED_OK static int setup(void **state)
{
    struct fixture *x = *state = calloc(1, sizeof *x);
    char path[300], policies[4096];
    struct err e = {0};
    const char *source = getenv("PADDOCK_SOURCE");
    temp_dir_make(x->dir);
    snprintf(path, sizeof path, "%s/keys", x->dir);
    snprintf(policies, sizeof policies, "%s/scripts/lua", source ? source : ".");
    const char *const dirs[] = {policies, NULL};
    x->w = world_new();
    x->catalog = policies_open(dirs, &CLOCK_SYSTEM, &e);
    assert_non_null(x->catalog);
    x->rules = flag_rules(x->catalog);
    x->w->rules.rollout_policies = &x->rules;
    x->policies = policy_set_new(x->catalog);
    x->flags = flag_set_new(x->policies);
    x->shared = (struct selector_shared){.keys = decision_keys_open(path, true, &e),
                                         .weights = weights_new(),
                                         .circuit_open = circuit_open,
                                         .circuits = x,
                                         .ttl_max_ms = 300000};
    assert_non_null(x->shared.keys);
    x->selector = selector_new(&x->shared, x->flags, &e);
    assert_non_null(x->selector);
    return 0;
}

UNUSED_OK static int teardown(void **state)
{
    struct fixture *x = *state;
    selector_free(x->selector);
    selector_free(NULL);
    weights_free(x->shared.weights);
    decision_keys_close((struct decision_keys *)(uintptr_t)x->shared.keys);
    flag_set_free(x->flags);
    policy_set_free(x->policies);
    policies_close(x->catalog);
    world_free(x->w);
    json_decref(x->context);
    temp_dir_remove(x->dir);
    free(x);
    return 0;
}

/* ---- changing the registry ---- */

UNUSED_OK static bool put_route(struct command *c, struct head *h, struct changes *out,
                                struct err *e)
{
    c->args = (void *)(uintptr_t)&ROUTE_TYPE;
    return document_replace(c, h, out, e);
}

UNUSED_OK static bool put_flag(struct command *c, struct head *h, struct changes *out,
                               struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_replace(c, h, out, e);
}

UNUSED_OK static void route(struct fixture *x, const char *id, const char *body)
{
    if (!world_run(x->w, put_route, id, NULL, body))
        fail_msg("%s: %s", x->w->c.err.detail, x->w->c.err.members ? x->w->c.err.members : "");
}

UNUSED_OK static void flag(struct fixture *x, const char *key, const char *body)
{
    if (!world_run(x->w, put_flag, key, NULL, body))
        fail_msg("%s", x->w->c.err.detail);
}

UNUSED_OK static void health(struct fixture *x, const char *id, const char *status)
{
    struct health_change change = {id, world_model(x->w, id)->entity.uid, status, "as told"};
    x->w->c.args = &change;
    if (!world_run(x->w, health_changed, id, NULL, NULL))
        fail_msg("%s", x->w->c.err.detail);
}

UNUSED_OK static void change(struct fixture *x,
                             bool (*decide)(struct command *, struct head *, struct changes *,
                                            struct err *),
                             const char *id, const char *body)
{
    if (!world_run(x->w, decide, id, NULL, body))
        fail_msg("%s: %s", x->w->c.err.detail, x->w->c.err.members ? x->w->c.err.members : "");
}

UNUSED_OK static bool put_experiment(struct command *c, struct head *h, struct changes *out,
                                     struct err *e)
{
    c->args = (void *)(uintptr_t)&EXPERIMENT_TYPE;
    return document_replace(c, h, out, e);
}

/* m:1 is the stable, m:2 a canary. */
UNUSED_OK static void models(struct fixture *x)
{
    world_register(x->w, "m", "1");
    world_move(x->w, "m:1", "canary");
    world_move(x->w, "m:1", "stable");
    world_register(x->w, "m", "2");
    world_move(x->w, "m:2", "canary");
}

#define HALVES                                                                       \
    "{\"arms\":{\"new\":\"@canary\",\"old\":\"@stable\"},\"strategy\":\"weighted\"," \
    "\"params\":{\"weights\":{\"new\":50,\"old\":50}}}"

/* ---- asking ---- */

UNUSED_OK static bool try_ask(struct fixture *x, const char *unit)
{
    json_decref(x->context);
    x->context = unit ? json_pack("{s:s}", "targetingKey", unit) : json_object();
    x->q.view = world_view(x->w);
    x->q.ns = x->w->ns;
    x->q.context = x->context;
    x->q.at_ms = 1700000000000;
    if (!x->q.route && !x->q.sport && !x->q.type)
        x->q.model_name = "m";
    x->e = (struct err){0};
    return selector_ask(x->selector, &x->q, &x->a, &x->e);
}

UNUSED_OK static const struct selection_answer *ask(struct fixture *x, const char *unit)
{
    if (!try_ask(x, unit))
        fail_msg("%s", x->e.detail);
    return &x->a;
}

UNUSED_OK static void expect(struct fixture *x, const char *unit, const char *model,
                             enum selection_reason r, const char *cause)
{
    const struct selection_answer *a = ask(x, unit);
    assert_string_equal(a->served->entity.id, model);
    assert_string_equal(selection_reason_name(a->reason), selection_reason_name(r));
    if (cause)
        assert_string_equal(a->cause, cause);
    else
        assert_null(a->cause);
}

UNUSED_OK static size_t share(struct fixture *x, const char *model, int units)
{
    size_t n = 0;
    for (int i = 0; i < units; i++) {
        char unit[32];
        snprintf(unit, sizeof unit, "user-%d", i);
        n += strcmp(ask(x, unit)->served->entity.id, model) == 0;
    }
    return n;
}

#endif
