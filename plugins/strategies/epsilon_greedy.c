/* The strategy "epsilon_greedy": mostly the best so far, now and then anybody.
 *
 *   weight_i = e / n + (1 - e) [i is best] / (number of best ones)
 *   e        = max(epsilon_min, epsilon / (1 + outcomes / cool_outcomes))
 *
 * The best is who has the highest mean reward among those with `min_outcomes`; as long as nobody
 * has, all are. A constant epsilon pays for exploring for ever, so it may cool down. */
#include "../shared/rewards.h"

#include <stdlib.h>

static const paddock_field CONFIG[] = {
    REWARD_FIELDS,
    {"epsilon", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0.1", NULL, NULL,
     "Share of the traffic that explores, spread evenly over all candidates."},
    {"epsilon_min", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0.01", NULL, NULL,
     "What epsilon cools down to."},
    {"cool_outcomes", PADDOCK_FIELD_NUMBER, 0, 0, 1e12, "0", NULL, NULL,
     "After this many remembered outcomes epsilon is half. 0: it stays."},
    {"min_outcomes", PADDOCK_FIELD_NUMBER, 0, 1, 1e6, "30", NULL, NULL,
     "Outcomes that a candidate needs before it may be the best."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static bool open_greedy(paddock_strategy *s)
{
    return rewards_open(s, sizeof(struct rewards)) != NULL;
}

static double epsilon_now(const paddock_strategy *s)
{
    const struct rewards *r = s->state;
    double epsilon = paddock_number(s->host, s->config, "epsilon");
    double cool = paddock_number(s->host, s->config, "cool_outcomes"), outcomes = 0;
    for (size_t i = 0; i < r->n; i++)
        outcomes += r->arms[i].count;
    if (cool > 0)
        epsilon = fmax(epsilon / (1 + outcomes / cool),
                       fmin(epsilon, paddock_number(s->host, s->config, "epsilon_min")));
    return epsilon;
}

/* -1 for who is not known well enough. */
static double mean_of(const paddock_strategy *s, const paddock_candidate *c)
{
    struct reward_arm arm = rewards_of(s->state, c->model_id);
    return arm.count >= paddock_number(s->host, s->config, "min_outcomes") ? rewards_mean(&arm)
                                                                           : -1;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    double best = -1, epsilon = epsilon_now(s);
    size_t n_best = 0;
    for (size_t i = 0; i < n; i++) {
        weights[i].score = mean_of(s, candidates[i]);
        n_best = weights[i].score > best ? 1 : n_best + (weights[i].score >= best);
        best = fmax(best, weights[i].score);
    }
    for (size_t i = 0; i < n; i++) {
        bool is_best = weights[i].score >= best;
        weights[i].weight = epsilon / (double)n + (is_best ? (1 - epsilon) / (double)n_best : 0);
        weights[i].score = fmax(weights[i].score, 0);
        paddock_part(s, i, "outcomes", rewards_of(s->state, candidates[i]->model_id).count);
        paddock_part(s, i, "mean_reward", weights[i].score);
        paddock_part(s, i, "epsilon", epsilon);
    }
    return true;
}

static const paddock_strategy_ops OPS = {weigh, open_greedy,  rewards_close, rewards_update,
                                         NULL,  rewards_save, rewards_load};

PADDOCK_PLUGIN(
        .kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "epsilon_greedy", .version = "1.0.0",
        .summary = "Bandit: the best mean reward, and a fixed or cooling share that explores.",
        .config = CONFIG, .ops = &OPS);
