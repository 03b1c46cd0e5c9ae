#include "support/regret.h"

#include "base/bucket.h"
#include "base/mem.h"
#include "support/strategy_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const IDS[REGRET_ARMS] = {"model:a", "model:b", "model:c"};

struct run {
    const struct regret_setup *setup;
    struct strategy_case bandit;
    struct share shares[SHARES_MAX];
    size_t n_shares;
    uint32_t want[REGRET_ARMS];
    uint8_t *arm, *good; /* of each decision */
    uint32_t told;       /* decisions that the strategy knows the end of */
    uint64_t random;
};

static double success_of(const struct run *r, uint32_t decision, unsigned arm)
{
    const struct regret_setup *s = r->setup;
    bool changed = s->later[0] + s->later[1] + s->later[2] > 0 && decision >= s->decisions / 2;
    return changed ? s->later[arm] : s->success[arm];
}

static void tell(struct run *r, uint32_t until)
{
    for (; r->told < until; r->told++)
        case_reward(&r->bandit, IDS[r->arm[r->told]], r->good[r->told], 1);
}

static void reweigh(struct run *r)
{
    paddock_candidate all[REGRET_ARMS];
    double weights[REGRET_ARMS];
    struct share next[SHARES_MAX];
    memset(all, 0, sizeof all);
    for (size_t i = 0; i < REGRET_ARMS; i++) {
        all[i].model_id = all[i].version = IDS[i];
        all[i].name = "model";
        all[i].status = i ? "canary" : "stable";
        all[i].configured = all[i].p95_ms = NAN;
    }
    case_turn(&r->bandit, all, REGRET_ARMS, 1000);
    for (size_t i = 0; i < REGRET_ARMS; i++)
        weights[i] = r->bandit.w[i].weight;
    if (!shares_of_weights(weights, REGRET_ARMS, r->want))
        abort();
    r->n_shares = shares_reweigh(r->shares, r->n_shares, r->want, REGRET_ARMS, next);
    memcpy(r->shares, next, r->n_shares * sizeof *next);
}

static void decide(struct run *r, uint32_t decision, struct regret_result *out)
{
    char unit[32];
    int len = snprintf(unit, sizeof unit, "u%u", decision);
    char salt[32];
    snprintf(salt, sizeof salt, "%llu", (unsigned long long)r->setup->seed);
    int arm = share_at(r->shares, r->n_shares,
                       bucket_of(salt, BUCKET_SPLIT, unit, (size_t)(len > 0 ? len : 0)));
    if (arm < 0)
        abort();
    double best = 0;
    for (unsigned i = 0; i < REGRET_ARMS; i++) {
        double p = (double)r->want[i] / BUCKETS;
        best = fmax(best, success_of(r, decision, i));
        out->wanted[i] += p;
        out->spread[i] += p * (1 - p);
    }
    out->drawn[arm]++;
    out->regret += best - success_of(r, decision, (unsigned)arm);
    r->arm[decision] = (uint8_t)arm;
    r->good[decision] =
        paddock_uniform(&r->random) < success_of(r, decision, (unsigned)arm) ? 1 : 0;
}

struct regret_result regret_run(const struct regret_setup *setup)
{
    struct regret_result out = {.regret = 0};
    struct run *r = mem_zero(1, sizeof *r);
    r->setup = setup;
    r->random = setup->seed;
    r->arm = mem_zero(setup->decisions, 1);
    r->good = mem_zero(setup->decisions, 1);
    if (!case_open(&r->bandit, setup->strategy, setup->config))
        abort();
    for (uint32_t i = 0; i < setup->decisions; i++) {
        if (i % setup->every == 0) {
            tell(r, i > setup->delay ? i - setup->delay : 0);
            reweigh(r);
        }
        decide(r, i, &out);
    }
    for (size_t i = 0; i < REGRET_ARMS; i++)
        out.spread[i] = sqrt(out.spread[i]);
    case_close(&r->bandit);
    free(r->arm);
    free(r->good);
    free(r);
    return out;
}

double regret_propensity_z(const struct regret_result *r)
{
    double worst = 0;
    for (size_t i = 0; i < REGRET_ARMS; i++)
        worst = fmax(worst, fabs(r->drawn[i] - r->wanted[i]) / fmax(r->spread[i], 1));
    return worst;
}
