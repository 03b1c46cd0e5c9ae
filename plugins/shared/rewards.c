#include "rewards.h"

#include <stdlib.h>

const char *const REWARD_BETTER[] = {"higher", "lower", NULL};

/* The first bytes of a saved state; another layout gets other bytes. */
static const char MAGIC[8] = "rewards1";

/* ---- the table of arms, sorted by id ---- */

static size_t place_of(const struct rewards *r, const char *id)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(r->arms[mid].id, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool at(const struct rewards *r, size_t place, const char *id)
{
    return place < r->n && strcmp(r->arms[place].id, id) == 0;
}

static void forget_least(struct rewards *r)
{
    size_t least = 0;
    for (size_t i = 1; i < r->n; i++)
        if (r->arms[i].count < r->arms[least].count)
            least = i;
    memmove(r->arms + least, r->arms + least + 1, (--r->n - least) * sizeof *r->arms);
}

static bool make_room(struct rewards *r)
{
    if (r->n == REWARDS_ARMS)
        forget_least(r);
    if (r->n < r->room)
        return true;
    size_t room = r->room ? r->room * 2 : 8;
    struct reward_arm *arms = realloc(r->arms, room * sizeof *arms);
    if (!arms)
        return false;
    r->arms = arms;
    r->room = room;
    return true;
}

static struct reward_arm *arm_for(struct rewards *r, const char *id)
{
    size_t place = place_of(r, id);
    if (at(r, place, id))
        return &r->arms[place];
    if (strlen(id) >= REWARDS_ID || !make_room(r))
        return NULL;
    place = place_of(r, id);
    memmove(r->arms + place + 1, r->arms + place, (r->n++ - place) * sizeof *r->arms);
    r->arms[place] = (struct reward_arm){.count = 0};
    memcpy(r->arms[place].id, id, strlen(id) + 1);
    return &r->arms[place];
}

struct reward_arm rewards_of(const struct rewards *r, const char *model_id)
{
    size_t place = place_of(r, model_id);
    return at(r, place, model_id) ? r->arms[place] : (struct reward_arm){.count = 0};
}

double rewards_mean(const struct reward_arm *arm)
{
    return arm->count > 0 ? arm->sum / arm->count : (double)NAN;
}

/* ---- learning ---- */

static void scale(struct reward_arm *arm, double factor)
{
    arm->count *= factor;
    arm->sum *= factor;
}

static void learn(struct rewards *r, const paddock_outcome *o)
{
    if (strcmp(o->name, r->score) != 0 || !isfinite(o->value))
        return;
    double reward = (fmin(fmax(o->value, r->low), r->high) - r->low) / (r->high - r->low);
    struct reward_arm *arm = arm_for(r, o->model_id);
    if (!arm)
        return;
    for (size_t i = 0; r->keep < 1 && i < r->n; i++)
        scale(&r->arms[i], r->keep);
    if (arm->count + 1 > REWARDS_MEMORY)
        scale(arm, (REWARDS_MEMORY - 1) / arm->count);
    arm->count += 1;
    arm->sum = fmin(arm->sum + (r->lower ? 1 - reward : reward), arm->count);
}

void rewards_update(paddock_strategy *s, const paddock_outcome *const *outcomes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        learn(s->state, outcomes[i]);
}

/* ---- life ---- */

void *rewards_open(paddock_strategy *s, size_t size)
{
    const paddock_host *h = s->host;
    double half_life = paddock_number(h, s->config, "half_life_outcomes");
    double low = paddock_number(h, s->config, "low"), high = paddock_number(h, s->config, "high");
    struct rewards *r = low < high ? calloc(1, size) : NULL;
    if (!r) {
        paddock_log(h, low < high ? "no memory" : "low must be less than high");
        return NULL;
    }
    r->score = paddock_text(h, s->config, "score");
    r->lower = strcmp(paddock_text(h, s->config, "better"), "lower") == 0;
    r->low = low;
    r->high = high;
    r->keep = half_life > 0 ? exp2(-1 / half_life) : 1;
    s->state = r;
    return r;
}

void rewards_close(paddock_strategy *s)
{
    struct rewards *r = s->state;
    if (r)
        free(r->arms);
    free(r);
    s->state = NULL;
}

/* ---- state: the magic, then for each arm one byte of length, the id, count and sum ---- */

bool rewards_save(paddock_strategy *s)
{
    const struct rewards *r = s->state;
    bool good = paddock_save(s, MAGIC, sizeof MAGIC);
    for (size_t i = 0; good && i < r->n; i++) {
        const struct reward_arm *arm = &r->arms[i];
        unsigned char len = (unsigned char)strlen(arm->id);
        const double figures[2] = {arm->count, arm->sum};
        good = paddock_save(s, &len, 1) && paddock_save(s, arm->id, len) &&
               paddock_save(s, figures, sizeof figures);
    }
    return good;
}

/* Bytes taken; 0 if they are no arm. */
static size_t load_arm(struct rewards *r, const unsigned char *data, size_t len)
{
    double figures[2];
    char id[256] = "";
    if (len < 1 || data[0] >= REWARDS_ID || len < 1 + data[0] + sizeof figures)
        return 0;
    memcpy(id, data + 1, data[0]);
    memcpy(figures, data + 1 + data[0], sizeof figures);
    if (!(figures[1] >= 0 && figures[1] <= figures[0] && figures[0] <= REWARDS_MEMORY))
        return 0;
    struct reward_arm *arm = r->n < REWARDS_ARMS ? arm_for(r, id) : NULL;
    if (!arm)
        return 0;
    arm->count = figures[0];
    arm->sum = figures[1];
    return 1 + data[0] + sizeof figures;
}

bool rewards_load(paddock_strategy *s, const void *data, size_t len)
{
    struct rewards *r = s->state;
    const unsigned char *from = data;
    if (len < sizeof MAGIC || memcmp(from, MAGIC, sizeof MAGIC) != 0)
        return false;
    r->n = 0;
    for (size_t done = sizeof MAGIC, n; done < len; done += n) {
        n = load_arm(r, from + done, len - done);
        if (n == 0) {
            r->n = 0;
            return false;
        }
    }
    return true;
}

void weights_with_floor(paddock_weight *weights, const double *p, size_t n, double floor_ratio)
{
    double floor_of = fmin(floor_ratio, 0.5 / (double)n);
    for (size_t i = 0; i < n; i++)
        weights[i].weight = floor_of + (1 - (double)n * floor_of) * p[i];
}
