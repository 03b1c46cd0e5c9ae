/* The strategy "champion_challenger": the stable model serves, its challengers get a fixed share.
 *
 *   weight = challenger_percent / 100 spread evenly over the challengers, the rest for the champion
 *
 * The champion is the stable candidate (of several the one with the largest configured or else
 * published weight, then the first by id); all others are challengers. A challenger is benched (no
 * traffic for `bench_seconds`) when it is unhealthy, or when it surely fails more often than the
 * champion: Wilson's interval at z of its error rate lies above the champion's by more than
 * `error_margin`. The bench is a brake. Whether a challenger is better is an experiment's question.
 */
#include "../shared/wilson.h"

#include <paddock/plugin.h>
#include <stdlib.h>

#define BENCH_MAX 1024
#define ID_MAX    200 /* bytes of an id, its end included */

static const paddock_field CONFIG[] = {
    {"challenger_percent", PADDOCK_FIELD_NUMBER, 0, 0, 100, "10", NULL, NULL,
     "Share of all challengers together, in percent."},
    {"bench_seconds", PADDOCK_FIELD_NUMBER, 0, 0, 31536000, "600", NULL, NULL,
     "How long a benched challenger gets nothing. 0: nobody is benched."},
    {"error_margin", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0.005", NULL, NULL,
     "A rate of errors that is higher by this much does not matter."},
    {"z", PADDOCK_FIELD_NUMBER, 0, 0, 10, "3", NULL, NULL,
     "How sure one must be that it fails more often, in standard deviations."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* Who sits there and until when; also a record of the saved state. */
struct seat {
    char id[ID_MAX];
    int64_t until_ms;
};

struct bench {
    size_t n;
    struct seat seats[BENCH_MAX];
};

static bool open_bench(paddock_strategy *s)
{
    s->state = calloc(1, sizeof(struct bench));
    return s->state != NULL;
}

static void close_bench(paddock_strategy *s)
{
    free(s->state);
}

/* Whose time is over leaves. */
static void clear_seats(struct bench *b, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->seats[i].until_ms > now_ms)
            b->seats[kept++] = b->seats[i];
    b->n = kept;
}

static bool sits(const struct bench *b, const char *id)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->seats[i].id, id) == 0)
            return true;
    return false;
}

static bool sit(paddock_strategy *s, const char *id)
{
    struct bench *b = s->state;
    double seconds = paddock_number(s->host, s->config, "bench_seconds");
    if (seconds == 0 || b->n == BENCH_MAX || strlen(id) >= ID_MAX)
        return seconds > 0; /* for this turn at least */
    struct seat *seat = &b->seats[b->n++];
    *seat = (struct seat){.until_ms = s->now_ms + (int64_t)(seconds * 1000)};
    memcpy(seat->id, id, strlen(id) + 1);
    return true;
}

static bool surely_worse(const paddock_strategy *s, const paddock_candidate *c,
                         const paddock_candidate *champion)
{
    double z = paddock_number(s->host, s->config, "z");
    double margin = paddock_number(s->host, s->config, "error_margin");
    return wilson((double)c->errors, (double)c->requests, -z) >
           wilson((double)champion->errors, (double)champion->requests, z) + margin;
}

static bool benched(paddock_strategy *s, const paddock_candidate *c,
                    const paddock_candidate *champion)
{
    if (sits(s->state, c->model_id))
        return true;
    return (c->health == PADDOCK_UNHEALTHY || surely_worse(s, c, champion)) && sit(s, c->model_id);
}

/* Is `a` rather the champion than `b`? */
static bool before(const paddock_candidate *a, const paddock_candidate *b)
{
    bool a_stable = strcmp(a->status, "stable") == 0, b_stable = strcmp(b->status, "stable") == 0;
    double a_weight = a->configured >= 0 ? a->configured : a->published;
    double b_weight = b->configured >= 0 ? b->configured : b->published;
    if (a_stable != b_stable)
        return a_stable;
    if (a_weight != b_weight)
        return a_weight > b_weight;
    return strcmp(a->model_id, b->model_id) < 0;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    double share = paddock_number(s->host, s->config, "challenger_percent") / 100;
    size_t champion = 0, playing = 0;
    for (size_t i = 1; i < n; i++)
        if (before(candidates[i], candidates[champion]))
            champion = i;
    clear_seats(s->state, s->now_ms);
    for (size_t i = 0; i < n; i++) {
        bool plays = i != champion && !benched(s, candidates[i], candidates[champion]);
        weights[i].weight = plays;
        weights[i].score = plays || i == champion;
        playing += plays;
    }
    for (size_t i = 0; playing && i < n; i++)
        weights[i].weight *= share / (double)playing;
    weights[champion].weight = playing ? 1 - share : 1;
    return true;
}

/* ---- state: the seats, one behind the other ---- */

static bool save(paddock_strategy *s)
{
    const struct bench *b = s->state;
    return paddock_save(s, b->seats, b->n * sizeof *b->seats);
}

static bool load(paddock_strategy *s, const void *data, size_t len)
{
    struct bench *b = s->state;
    if (len % sizeof *b->seats != 0 || len > sizeof b->seats)
        return false;
    b->n = len / sizeof *b->seats;
    if (len)
        memcpy(b->seats, data, len);
    for (size_t i = 0; i < b->n; i++)
        if (!memchr(b->seats[i].id, '\0', ID_MAX))
            b->n = 0;
    return b->n * sizeof *b->seats == len;
}

static const paddock_strategy_ops OPS = {weigh, open_bench, close_bench, NULL, NULL, save, load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "champion_challenger",
               .version = "1.0.0",
               .summary = "The stable model serves, challengers get a fixed share and a bench.",
               .config = CONFIG, .ops = &OPS);
