#include "extend/policy_trial.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static int variant_index(const char *const *variants, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(variants[i], name) == 0)
            return (int)i;
    return -1;
}

int policy_allocation(const struct policy_declaration *d, const struct flag_facts *flag,
                      struct share *out, struct faults *f)
{
    double weights[ARMS_MAX] = {0};
    uint32_t want[ARMS_MAX];
    const char *param = policy_weights_param(d), *name;
    const json_t *given = param ? json_object_get(flag->params, param) : NULL;
    json_t *weight;
    char pointer[256], below[512];
    if (!given || json_object_size(given) == 0)
        return 0;
    snprintf(pointer, sizeof pointer, "/params/%s", param);
    json_object_foreach((json_t *)given, name, weight) {
        int i = variant_index(flag->variants, flag->variant_count, name);
        pointer_join(below, sizeof below, pointer, name);
        if (i < 0) {
            fault_add(f, &ERR_INVALID, below, "is no variant of the flag");
            return -1;
        }
        weights[i] = json_number_value(weight);
    }
    if (!shares_of_weights(weights, flag->variant_count, want)) {
        fault_add(f, &ERR_INVALID, pointer, "must have a positive weight");
        return -1;
    }
    return (int)shares_reweigh(flag->shares, flag->share_count, want, flag->variant_count, out);
}

/* The variants given, or off, on, and the names of the weights. */
static bool name_variants(struct policy_trial *t, const struct trial_setup *setup,
                          const json_t *params, struct arena *a, struct err *e)
{
    static const char *const USUAL[] = {"off", "on", NULL};
    const char *const *given = setup->variants ? setup->variants : USUAL;
    const struct policy_declaration d = policy_declaration(t->policy);
    const char *param = policy_weights_param(&d), *name;
    json_t *weights = param && !setup->variants ? json_object_get(params, param) : NULL, *weight;
    for (size_t i = 0; given[i] && t->variant_count < ARMS_MAX; i++)
        t->variants[t->variant_count++] = arena_text(a, given[i]);
    json_object_foreach(weights, name, weight)
        if (t->variant_count < ARMS_MAX && variant_index(t->variants, t->variant_count, name) < 0)
            t->variants[t->variant_count++] = arena_text(a, name);
    return t->variant_count > 0 || fail(e, &ERR_INVALID, "a flag needs variants");
}

static bool same_variants(const struct policy_trial *a, const struct policy_trial *b)
{
    if (a->variant_count != b->variant_count)
        return false;
    for (size_t i = 0; i < a->variant_count; i++)
        if (strcmp(a->variants[i], b->variants[i]) != 0)
            return false;
    return true;
}

static bool allocate(struct policy_trial *t, const struct policy_trial *today, const json_t *params,
                     struct faults *f, struct err *e)
{
    bool follows = today && same_variants(t, today);
    const struct flag_facts flag = {.variants = t->variants,
                                    .variant_count = t->variant_count,
                                    .params = params,
                                    .shares = follows ? today->shares : NULL,
                                    .share_count = follows ? today->share_count : 0};
    const struct policy_declaration d = policy_declaration(t->policy);
    int n = policy_allocation(&d, &flag, t->shares, f);
    if (n < 0)
        return faults_fail(f, e);
    t->share_count = (size_t)n;
    return true;
}

bool policy_trial_open(struct policy_trial *t, struct policy *loaded,
                       const struct trial_setup *setup, struct arena *a, struct err *e)
{
    struct faults faults;
    *t = (struct policy_trial){.policy = loaded};
    faults_init(&faults, a);
    json_t *params = policy_params_fill(loaded, setup->params, "/params", &faults);
    if (!params)
        return faults_fail(&faults, e);
    bool good =
        name_variants(t, setup, params, a, e) && allocate(t, setup->today, params, &faults, e);
    if (good) {
        const struct flag_facts facts = {.key = "trial",
                                         .salt = setup->salt ? setup->salt : "trial",
                                         .variants = t->variants,
                                         .variant_count = t->variant_count,
                                         .params = params,
                                         .shares = t->shares,
                                         .share_count = t->share_count};
        t->flag = policy_flag_add(loaded, &facts);
    }
    json_decref(params);
    return good;
}

/* The variant's name, or NULL. */
static const char *ask(struct policy_trial *t, const json_t *context, const struct policy_env *env,
                       struct trial_count *out)
{
    struct policy_decision decision;
    struct err e = {0};
    if (policy_decide(t->policy, t->flag, context, env, &decision, &e)) {
        if (out)
            out->variants[decision.variant]++;
        return t->variants[decision.variant];
    }
    if (out) {
        out->errors++;
        out->unit_missing += decision.unit_missing;
        if (!*out->first_error)
            snprintf(out->first_error, sizeof out->first_error, "%s", e.detail);
    }
    return NULL;
}

void policy_trial_simulate(struct policy_trial *t, struct policy_trial *before,
                           const json_t *context, const struct policy_env *env, uint64_t population,
                           struct trial_count *out)
{
    char unit[32];
    int64_t asked_ns = 0;
    json_t *own = context ? json_copy((json_t *)context) : json_object();
    *out = (struct trial_count){.units = population};
    for (uint64_t i = 0; i < population; i++) {
        snprintf(unit, sizeof unit, "user-%llu", (unsigned long long)i);
        json_object_set_new(own, "targetingKey", json_string(unit));
        int64_t start = clock_mono_ns(&CLOCK_SYSTEM);
        const char *now = ask(t, own, env, out);
        asked_ns += clock_mono_ns(&CLOCK_SYSTEM) - start;
        if (!before)
            continue;
        const char *then = ask(before, own, env, NULL);
        out->moved += strcmp(now ? now : "", then ? then : "") != 0;
    }
    json_decref(own);
    out->us_per_call = population ? (double)asked_ns / 1e3 / (double)population : 0;
}
