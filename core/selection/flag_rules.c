#include "selection/flag_rules.h"

#include "base/json.h"
#include "extend/policy_trial.h"

#include <string.h>

static int allocate(const struct flag_plan *plan, const struct policy_declaration *d,
                    struct share *out, struct faults *f)
{
    json_t *filled = policy_params_check(d, plan->params, "/params", f);
    if (!filled)
        return -1;
    const struct flag_facts facts = {.variants = plan->variants,
                                     .variant_count = plan->variant_count,
                                     .params = filled,
                                     .shares = plan->shares,
                                     .share_count = plan->share_count};
    int n = policy_allocation(d, &facts, out, f);
    json_decref(filled);
    return n;
}

static int plan_flag(void *self, const struct flag_plan *plan, struct share *out, struct faults *f)
{
    struct arena *a = arena_new(1 << 20);
    struct policy_info info;
    int n = -1;
    if (!policies_info(self, POLICY_ROLLOUT, plan->policy, a, &info)) {
        fault_add(f, &ERR_INVALID, "/policy", "no rollout policy has this name");
    } else if (!info.params_json) {
        fault_add(f, &ERR_INVALID, "/policy", "the policy is broken: %.300s", info.last_error);
    } else {
        json_t *params = json_read(info.params_json, strlen(info.params_json), NULL);
        const struct policy_declaration d = {plan->policy, params};
        n = allocate(plan, &d, out, f);
        json_decref(params);
    }
    arena_free(a);
    return n;
}

struct rollout_policies flag_rules(struct policies *catalog)
{
    return (struct rollout_policies){.plan = plan_flag, .self = catalog};
}
