/* The strategy "thompson": each candidate gets the probability that it is the best one.
 *
 *   theta_i ~ Beta(prior + sum_i, prior + count_i - sum_i)      sum, count: of rewards in 0..1
 *   p_i     = P(theta_i is the largest)
 *   weight  = f + (1 - n f) p_i                                 f: floor_ratio
 *
 * Usually p_i is found by drawing; here it is integrated, so that the same outcomes always give the
 * same weights and these do not tremble, which would move users about. In the angle
 * u = 2 asin(sqrt(theta)) a Beta is nearly normal with a deviation of 1 / sqrt(count), so an even
 * grid fits the vague and the certain alike:
 *
 *   p_i = sum over the grid of h g_i(u) prod over j != i of G_j(u),  log g = 2a log sin u/2 + ...
 *
 * with G by the trapezoid rule and its first correction (Euler and Maclaurin). REWARDS_MEMORY keeps
 * every deviation above the grid's step; the error is below 0.001. */
#include "../shared/rewards.h"

#include <stdlib.h>

#define NODES   4096
#define HALF_PI 1.57079632679489661923

static const paddock_field CONFIG[] = {
    REWARD_FIELDS,
    {"prior", PADDOCK_FIELD_NUMBER, 0, 1, 1e6, "1", NULL, NULL,
     "Successes and failures that everybody is taken to have had before the first outcome."},
    {"floor_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 0.5, "0.002", NULL, NULL,
     "Least share of each candidate, so that nobody is forgotten and old decisions can judge new "
     "policies; at most half of an equal share."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* One grid for all candidates, and what is needed at each node. */
struct grid {
    double step;
    double log_sin[NODES], log_cos[NODES]; /* of u / 2 */
    double cot[NODES];
    double product[NODES];               /* log of the product of all G */
    double density[NODES], below[NODES]; /* g and log G of the candidate at hand */
};

struct thompson {
    struct rewards rewards; /* first */
    struct grid grid;
};

static bool open_thompson(paddock_strategy *s)
{
    return rewards_open(s, sizeof(struct thompson)) != NULL;
}

/* Shapes of a candidate's Beta. */
struct shape {
    double a, b;
};

static struct shape shape_of(const paddock_strategy *s, const paddock_candidate *c)
{
    double prior = paddock_number(s->host, s->config, "prior");
    struct reward_arm arm = rewards_of(s->state, c->model_id);
    return (struct shape){prior + arm.sum, prior + arm.count - arm.sum};
}

/* Where the best may be: above the highest of the lower ends, below the highest upper end. */
static void span(const struct shape *all, size_t n, double *from, double *to)
{
    *from = *to = 0;
    for (size_t i = 0; i < n; i++) {
        double mid = 2 * asin(sqrt(all[i].a / (all[i].a + all[i].b)));
        double reach = 9 / sqrt(all[i].a + all[i].b);
        *from = fmax(*from, mid - reach);
        *to = fmax(*to, mid + reach);
    }
    *to = fmin(*to, 2 * HALF_PI);
}

static void lay_grid(struct grid *g, const struct shape *all, size_t n)
{
    double from, to;
    span(all, n, &from, &to);
    g->step = (to - from) / NODES;
    for (size_t k = 0; k < NODES; k++) {
        double half = (from + ((double)k + 0.5) * g->step) / 2;
        g->log_sin[k] = log(sin(half));
        g->log_cos[k] = log(cos(half));
        g->cot[k] = cos(half) / sin(half);
        g->product[k] = 0;
    }
}

/* The largest log density lies where the derivative is 0: tan(u/2)^2 = (a - 1/2) / (b - 1/2). What
 * lies left of the grid is the rest to 1; it matters where a candidate is surely not the best, and
 * then only that its G is 1. */
static void density_of(struct grid *g, struct shape shape)
{
    double a = 2 * shape.a - 1, b = 2 * shape.b - 1;
    double log_norm = lgamma(shape.a + shape.b) - lgamma(shape.a) - lgamma(shape.b);
    double mass = 0;
    for (size_t k = 0; k < NODES; k++) {
        g->density[k] = exp(log_norm + a * g->log_sin[k] + b * g->log_cos[k]);
        mass += g->density[k] * g->step;
    }
    double below = fmax(0, 1 - mass);
    for (size_t k = 0; k < NODES; k++) {
        double slope = g->density[k] * (a * g->cot[k] - b / g->cot[k]) / 2;
        double here = below + g->density[k] * g->step / 2 - slope * g->step * g->step / 12;
        g->below[k] = log(fmin(fmax(here, 1e-300), 1));
        below += g->density[k] * g->step;
    }
}

/* p[i] for all, summing to 1. False if numbers failed. */
static bool chances(struct grid *g, const struct shape *all, size_t n, double *p)
{
    double sum = 0;
    lay_grid(g, all, n);
    for (size_t i = 0; i < n; i++) {
        density_of(g, all[i]);
        for (size_t k = 0; k < NODES; k++)
            g->product[k] += g->below[k];
    }
    for (size_t i = 0; i < n; i++) {
        p[i] = 0;
        density_of(g, all[i]);
        for (size_t k = 0; k < NODES; k++)
            p[i] += g->density[k] * exp(g->product[k] - g->below[k]);
        sum += p[i];
    }
    for (size_t i = 0; sum > 0 && i < n; i++)
        p[i] /= sum;
    return sum > 0 && isfinite(sum);
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    struct thompson *t = s->state;
    struct shape *all = calloc(n, sizeof *all);
    double *p = calloc(n, sizeof *p);
    bool good = all && p;
    for (size_t i = 0; good && i < n; i++)
        all[i] = shape_of(s, candidates[i]);
    good = good && chances(&t->grid, all, n, p);
    if (good)
        weights_with_floor(weights, p, n, paddock_number(s->host, s->config, "floor_ratio"));
    for (size_t i = 0; good && i < n; i++) {
        weights[i].score = p[i];
        paddock_part(s, i, "outcomes", rewards_of(s->state, candidates[i]->model_id).count);
        paddock_part(s, i, "mean_reward", all[i].a / (all[i].a + all[i].b));
        paddock_part(s, i, "chance_best", p[i]);
    }
    free(all);
    free(p);
    return good;
}

static const paddock_strategy_ops OPS = {weigh, open_thompson, rewards_close, rewards_update,
                                         NULL,  rewards_save,  rewards_load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "thompson", .version = "1.0.0",
               .summary = "Bandit: each candidate by the probability that it is the best.",
               .config = CONFIG, .ops = &OPS);
