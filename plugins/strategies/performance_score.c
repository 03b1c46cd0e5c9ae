/* The strategy "performance_score": who works best, as far as one can be sure of it.
 *
 * Each part is from 0 to 1 and is taken at its pessimistic end, z deviations below what was seen,
 * so a model with ten good samples does not win over one with ten thousand:
 *
 *   success  Wilson's lower end of (requests - errors) / requests
 *   latency  target / (target + p95 (1 + z / sqrt(requests)))         half at the target
 *   score    lower end of the mean of the reported score, scaled to 0..1 by low and high:
 *            mean - z sqrt(variance / n) - 3 / n                      (empirical Bernstein)
 *
 *   total    success^a latency^b score^c, with a + b + c scaled to 1: one bad part spoils all
 *   p        total^sharpness, summing to 1
 *   weight   f + (1 - n f) p                                          f: floor_ratio
 *
 * Who is unhealthy gets nothing while somebody is not. While nobody is known, the route's
 * configured shares stand, else all get the same. */
#include "../shared/rewards.h"
#include "../shared/wilson.h"

#include <stdlib.h>

#define SHARE(name, preset, doc)                                       \
    {                                                                  \
        name, PADDOCK_FIELD_NUMBER, 0, 0, 100, preset, NULL, NULL, doc \
    }

static const paddock_field CONFIG[] = {
    SHARE("success_weight", "4", "How much the part success counts."),
    SHARE("latency_weight", "1", "How much the part latency counts."),
    SHARE("score_weight", "0", "How much the part score counts; 0: outcomes are not looked at."),
    {"latency_target_ms", PADDOCK_FIELD_NUMBER, 0, 0.001, 86400000, "100", NULL, NULL,
     "The p95 in ms at which the part latency is one half."},
    {"score", PADDOCK_FIELD_TEXT, 0, 1, 64, "\"reward\"", NULL, NULL, "The score that counts."},
    {"better", PADDOCK_FIELD_TEXT, 0, 0, 0, "\"higher\"", REWARD_BETTER, NULL,
     "Which values of the score are better."},
    {"low", PADDOCK_FIELD_NUMBER, 0, -1e12, 1e12, "0", NULL, NULL, "The score's lower end."},
    {"high", PADDOCK_FIELD_NUMBER, 0, -1e12, 1e12, "1", NULL, NULL, "The score's upper end."},
    {"z", PADDOCK_FIELD_NUMBER, 0, 0, 10, "2", NULL, NULL,
     "Pessimism: how many standard deviations below what was seen. 0: what was seen is believed."},
    {"sharpness", PADDOCK_FIELD_NUMBER, 0, 0, 1000, "50", NULL, NULL,
     "How much more traffic goes to who is better: a total 1 % higher gets about `sharpness` % "
     "more. 0: all the same."},
    {"floor_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 0.5, "0.01", NULL, NULL,
     "Least share of each healthy candidate, without which nobody new would ever become known; at "
     "most half of an equal share."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

struct scoring {
    paddock_strategy *s;
    double z, target_ms, low, high;
    double weight[3]; /* of success, latency, score; summing to 1 */
    const char *score;
    bool lower;
};

static double setting(paddock_strategy *s, const char *name)
{
    return paddock_number(s->host, s->config, name);
}

static bool open_score(paddock_strategy *s)
{
    double sum =
        setting(s, "success_weight") + setting(s, "latency_weight") + setting(s, "score_weight");
    bool good = sum > 0 && setting(s, "low") < setting(s, "high");
    if (!good)
        paddock_log(s->host, sum > 0 ? "low must be less than high"
                                     : "one of the weights must be more than 0");
    return good;
}

static struct scoring begin(paddock_strategy *s)
{
    struct scoring g = {.s = s,
                        .z = setting(s, "z"),
                        .target_ms = setting(s, "latency_target_ms"),
                        .low = setting(s, "low"),
                        .high = setting(s, "high"),
                        .weight = {setting(s, "success_weight"), setting(s, "latency_weight"),
                                   setting(s, "score_weight")},
                        .score = paddock_text(s->host, s->config, "score"),
                        .lower = strcmp(paddock_text(s->host, s->config, "better"), "lower") == 0};
    double sum = g.weight[0] + g.weight[1] + g.weight[2];
    for (int i = 0; i < 3; i++)
        g.weight[i] /= sum;
    return g;
}

/* ---- the parts; 0 while unknown ---- */

static double success_part(const struct scoring *g, const paddock_candidate *c)
{
    double n = (double)c->requests, bad = fmin((double)c->errors, n);
    return wilson(n - bad, n, -g->z);
}

static double latency_part(const struct scoring *g, const paddock_candidate *c)
{
    if (!(c->p95_ms >= 0) || c->requests == 0)
        return 0;
    double doubt = 1 + g->z / sqrt((double)c->requests);
    return g->target_ms / (g->target_ms + c->p95_ms * doubt);
}

static double score_part(const struct scoring *g, const paddock_candidate *c)
{
    double width = g->high - g->low;
    for (uint32_t i = 0; i < c->n_scores; i++) {
        const paddock_score *score = &c->scores[i];
        if (strcmp(score->name, g->score) != 0 || score->count == 0)
            continue;
        double n = (double)score->count, mean = (score->mean - g->low) / width;
        double deviation = sqrt(fmax(score->variance, 0) / n) / width;
        double doubt = g->z * deviation + (g->z > 0 ? 3 / n : 0);
        double lower_end = (g->lower ? 1 - mean : mean) - doubt;
        return lower_end > 0 ? fmin(lower_end, 1) : 0;
    }
    return 0;
}

static double total_of(const struct scoring *g, const paddock_candidate *c, size_t index)
{
    static const char *const NAMES[] = {"success", "latency", "score"};
    const double parts[] = {success_part(g, c), latency_part(g, c), score_part(g, c)};
    double log_total = 0;
    for (size_t i = 0; i < 3; i++) {
        if (g->weight[i] == 0)
            continue;
        log_total += g->weight[i] * log(parts[i]);
        paddock_part(g->s, index, NAMES[i], parts[i]);
    }
    return exp(log_total);
}

/* ---- shares ---- */

/* What stands while nothing is known. */
static void fall_back(const paddock_candidate *const *candidates, const bool *out, size_t n,
                      double *p)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i] = !out[i] && candidates[i]->configured > 0 ? candidates[i]->configured : 0;
    for (size_t i = 0; !(sum > 0) && i < n; i++)
        p[i] = !out[i];
}

/* p sums to 1 over those that are not out. */
static void share_out(const struct scoring *g, const paddock_candidate *const *candidates,
                      const paddock_weight *w, const bool *out, size_t n, double *p)
{
    double best = 0, sum = 0, sharpness = setting(g->s, "sharpness");
    for (size_t i = 0; i < n; i++)
        best = out[i] ? best : fmax(best, w[i].score);
    for (size_t i = 0; i < n; i++)
        p[i] = out[i] || w[i].score == 0 ? 0 : pow(w[i].score / best, sharpness);
    if (best == 0)
        fall_back(candidates, out, n, p);
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    for (size_t i = 0; i < n; i++)
        p[i] /= sum;
}

static void put_floor(const struct scoring *g, const bool *out, size_t n, const double *p,
                      paddock_weight *w)
{
    size_t in = 0;
    for (size_t i = 0; i < n; i++)
        in += !out[i];
    double least = fmin(setting(g->s, "floor_ratio"), 0.5 / (double)in);
    for (size_t i = 0; i < n; i++)
        w[i].weight = out[i] ? 0 : least + (1 - (double)in * least) * p[i];
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    struct scoring g = begin(s);
    double *p = calloc(n, sizeof *p);
    bool *out = calloc(n, sizeof *out), anybody = false;
    bool good = p && out;
    for (size_t i = 0; good && i < n; i++)
        anybody = anybody || candidates[i]->health != PADDOCK_UNHEALTHY;
    for (size_t i = 0; good && i < n; i++) {
        out[i] = anybody && candidates[i]->health == PADDOCK_UNHEALTHY;
        weights[i].score = total_of(&g, candidates[i], i);
    }
    if (good) {
        share_out(&g, candidates, weights, out, n, p);
        put_floor(&g, out, n, p, weights);
    }
    free(p);
    free(out);
    return good;
}

static const paddock_strategy_ops OPS = {weigh, open_score, NULL, NULL, NULL, NULL, NULL};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "performance_score",
               .version = "1.0.0",
               .summary = "Errors, latency and a score, each at its pessimistic end.",
               .config = CONFIG, .ops = &OPS);
