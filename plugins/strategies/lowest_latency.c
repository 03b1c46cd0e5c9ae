/* The strategy "lowest_latency": the traffic goes where answers come fastest.
 *
 *   cost_i  = p95_i / (1 - error_rate_i)      what it takes to get a good answer: failing fast is
 *                                             not being fast
 *   L_i    += (1 - 2^(-dt / half_life)) (log cost_i - L_i)           the decayed p95
 *   weight  = 1 - explore for the fastest, explore spread evenly over all
 *
 * The fastest stays the fastest until another is `margin_ratio` faster, so that two equals do not
 * take turns. Who explores keeps being measured: a slow one that has become fast is found again.
 * Who has fewer than `min_requests` in the window, or is unhealthy, cannot be the fastest. */
#include <paddock/plugin.h>
#include <stdlib.h>

#define TIMES_MAX 1024 /* candidates that are remembered */
#define ID_MAX    200  /* bytes of an id, its end included */

static const paddock_field CONFIG[] = {
    {"half_life_seconds", PADDOCK_FIELD_NUMBER, 0, 0, 86400, "30", NULL, NULL,
     "After this many seconds a measured p95 counts half. 0: only the newest counts."},
    {"margin_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 10, "0.1", NULL, NULL,
     "How much faster another must be to take over."},
    {"explore_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0.05", NULL, NULL,
     "Share of the traffic that is spread evenly over all."},
    {"min_requests", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, "100", NULL, NULL,
     "Requests in the window that a candidate needs before it may be the fastest."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* What is remembered of one candidate; also a record of the saved state. */
struct latency {
    char id[ID_MAX];
    double log_cost;
    int64_t at_ms;
};

struct memory {
    char magic[8];
    char fastest[ID_MAX]; /* "": nobody yet */
    uint64_t n;
    struct latency all[TIMES_MAX];
};

static const char MAGIC[8] = "latency1";
#define HEAD offsetof(struct memory, all)

static bool open_latency(paddock_strategy *s)
{
    struct memory *m = calloc(1, sizeof *m);
    if (m)
        memcpy(m->magic, MAGIC, sizeof MAGIC);
    s->state = m;
    return m != NULL;
}

static void close_latency(paddock_strategy *s)
{
    free(s->state);
}

static struct latency *find(struct memory *m, const char *id)
{
    for (uint64_t i = 0; i < m->n; i++)
        if (strcmp(m->all[i].id, id) == 0)
            return &m->all[i];
    return NULL;
}

/* Past the bound the one that was seen longest ago goes. */
static struct latency *add(struct memory *m, const char *id)
{
    struct latency *l = m->all;
    if (m->n < TIMES_MAX)
        l = &m->all[m->n++];
    else
        for (size_t i = 1; i < TIMES_MAX; i++)
            if (m->all[i].at_ms < l->at_ms)
                l = &m->all[i];
    *l = (struct latency){.at_ms = INT64_MIN};
    memcpy(l->id, id, strlen(id) + 1);
    return l;
}

/* The candidate's decayed cost in ms; NAN while unknown. */
static double learn(paddock_strategy *s, const paddock_candidate *c)
{
    struct memory *m = s->state;
    struct latency *l = strlen(c->model_id) < ID_MAX ? find(m, c->model_id) : NULL;
    double good = 1 - (c->error_rate > 0 ? fmin(c->error_rate, 1) : 0);
    if (c->p95_ms >= 0 && isfinite(c->p95_ms) && strlen(c->model_id) < ID_MAX) {
        double log_cost = log(fmax(c->p95_ms, 1e-6)) - log(fmax(good, 1e-6));
        double half_life = paddock_number(s->host, s->config, "half_life_seconds");
        bool fresh = !l;
        l = l ? l : add(m, c->model_id);
        double age = fresh ? INFINITY : fmax(0, (double)s->now_ms - (double)l->at_ms) / 1000;
        double part = half_life > 0 && !fresh ? 1 - exp2(-age / half_life) : 1;
        l->log_cost += part * (log_cost - l->log_cost);
        l->at_ms = s->now_ms;
    }
    return l ? exp(l->log_cost) : (double)NAN;
}

static bool may_win(const paddock_strategy *s, const paddock_candidate *c, double cost)
{
    return cost >= 0 && c->health != PADDOCK_UNHEALTHY &&
           (double)c->requests >= paddock_number(s->host, s->config, "min_requests");
}

/* The index of the fastest; n if nobody may be. Ties go to the first by id, so that the order of
 * the candidates does not matter. */
static size_t choose(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                     const paddock_weight *w)
{
    struct memory *m = s->state;
    double margin = 1 + paddock_number(s->host, s->config, "margin_ratio");
    size_t best = n, now = n;
    for (size_t i = 0; i < n; i++) {
        double cost = 1 / w[i].score;
        if (w[i].score == 0 || !may_win(s, candidates[i], cost))
            continue;
        if (strcmp(candidates[i]->model_id, m->fastest) == 0)
            now = i;
        if (best == n || w[i].score > w[best].score ||
            (w[i].score == w[best].score &&
             strcmp(candidates[i]->model_id, candidates[best]->model_id) < 0))
            best = i;
    }
    if (now < n && w[best].score < w[now].score * margin)
        best = now;
    if (best < n)
        memcpy(m->fastest, candidates[best]->model_id, strlen(candidates[best]->model_id) + 1);
    return best;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    double explore = paddock_number(s->host, s->config, "explore_ratio");
    for (size_t i = 0; i < n; i++) {
        double cost = learn(s, candidates[i]);
        weights[i].score = cost > 0 ? 1 / cost : 0;
        if (cost > 0)
            paddock_part(s, i, "decayed_p95_ms", cost);
    }
    size_t best = choose(s, candidates, n, weights);
    for (size_t i = 0; best < n && i < n; i++)
        weights[i].weight = explore / (double)n + (i == best ? 1 - explore : 0);
    return best < n; /* nobody is known: what stands, stands */
}

static bool save(paddock_strategy *s)
{
    const struct memory *m = s->state;
    return paddock_save(s, m, HEAD + m->n * sizeof *m->all);
}

static bool load(paddock_strategy *s, const void *data, size_t len)
{
    struct memory *m = s->state;
    uint64_t n;
    if (len < HEAD || memcmp(data, MAGIC, sizeof MAGIC) != 0)
        return false;
    memcpy(&n, (const char *)data + offsetof(struct memory, n), sizeof n);
    if (n > TIMES_MAX || len != HEAD + n * sizeof *m->all)
        return false;
    memcpy(m, data, len);
    bool good = memchr(m->fastest, '\0', ID_MAX) != NULL;
    for (uint64_t i = 0; good && i < n; i++)
        good = memchr(m->all[i].id, '\0', ID_MAX) && isfinite(m->all[i].log_cost);
    if (!good) {
        m->n = 0;
        m->fastest[0] = '\0';
    }
    return good;
}

static const paddock_strategy_ops OPS = {weigh, open_latency, close_latency, NULL,
                                         NULL,  save,         load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "lowest_latency",
               .version = "1.0.0",
               .summary = "The lowest decayed p95 serves, a small share goes on looking.",
               .config = CONFIG, .ops = &OPS);
