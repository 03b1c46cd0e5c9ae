/* policy_trial: a policy and a made-up flag, to try a draft before anybody depends on it.
 * Room: extend. Threads: one owner. */
#ifndef PADDOCK_EXTEND_POLICY_TRIAL_H
#define PADDOCK_EXTEND_POLICY_TRIAL_H

#include "base/arena.h"
#include "extend/policy.h"

struct policy_trial {
    struct policy *policy;
    struct policy_flag *flag;
    const char *variants[ARMS_MAX]; /* in the arena given */
    size_t variant_count;
    struct share shares[SHARES_MAX];
    size_t share_count;
};

struct trial_setup {
    const json_t *params;        /* or NULL */
    const char *const *variants; /* NULL-terminated; the first is the default. NULL: off, on, and
                                    whatever the weights name */
    const char *salt;            /* NULL: "trial" */
    /* The flag as it is today, or NULL: the allocation follows from that one with as few moves as
     * can be, if both have the same variants. */
    const struct policy_trial *today;
};

/* Make a flag of `loaded` with the parameters, checked. False: ERR_POLICY, or the faults of the
 * parameters (below /params). Texts and faults go to `a`; `loaded` stays the caller's. */
bool policy_trial_open(struct policy_trial *t, struct policy *loaded,
                       const struct trial_setup *setup, struct arena *a, struct err *e) MUST_CHECK;

/* The percentages of the parameter of type weights, as the ranges of an allocation that changes
 * `flag->shares`, the one until now, as little as can be. Of `flag` its variants, params (filled
 * ones) and shares are read. Returns the number of ranges, 0 without such a parameter, or -1 and a
 * fault: a weight names no variant. `out` has room for SHARES_MAX. */
int policy_allocation(const struct policy_declaration *d, const struct flag_facts *flag,
                      struct share *out, struct faults *f);

struct trial_count {
    uint64_t units, errors, unit_missing, moved;
    uint64_t variants[ARMS_MAX];
    char first_error[512];
    double us_per_call;
};

/* Ask `t` (and `before`, if not NULL: `moved` counts the units whose variant differs, by name) for
 * units "user-0" ... of a population, each with `context` and its own targetingKey. */
void policy_trial_simulate(struct policy_trial *t, struct policy_trial *before,
                           const json_t *context, const struct policy_env *env, uint64_t population,
                           struct trial_count *out);

#endif
