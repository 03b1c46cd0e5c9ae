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
    (void)self;
    json_t *params = json_read(plan->declares, strlen(plan->declares), NULL);
    const struct policy_declaration d = {plan->policy, params};
    int n = allocate(plan, &d, out, f);
    json_decref(params);
    return n;
}

static const char *file_declares(void *self, const char *policy, struct arena *a, struct faults *f)
{
    const struct policy_ref ref = {POLICY_ROLLOUT, NULL, policy, 0};
    struct policy_info info;
    bool known = policies_info(self, &ref, a, &info);
    if (known && info.params_json)
        return info.params_json;
    if (f && known)
        fault_add(f, &ERR_INVALID, "/policy", "the policy is broken: %.300s", info.last_error);
    else if (f)
        fault_add(f, &ERR_INVALID, "/policy", "no rollout policy has this name");
    return NULL;
}

struct rollout_policies flag_rules(struct policies *catalog)
{
    return (struct rollout_policies){
        .file_declares = file_declares, .plan = plan_flag, .self = catalog};
}
