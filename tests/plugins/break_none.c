/* Takes it for granted that weigh() was called before save(). */
#include <paddock/plugin.h>

#include <stdlib.h>

struct memory {
    double *turns; /* made by the first weigh() */
};

static bool begin(paddock_strategy *s)
{
    s->state = calloc(1, sizeof(struct memory));
    return s->state != NULL;
}

static void end(paddock_strategy *s)
{
    struct memory *m = s->state;
    free(m->turns);
    free(m);
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    struct memory *m = s->state;
    (void)candidates;
    if (!m->turns)
        m->turns = calloc(1, sizeof *m->turns);
    for (size_t i = 0; i < n; i++)
        weights[i].weight = 1;
    return true;
}

static bool save(paddock_strategy *s)
{
    const struct memory *m = s->state;
    volatile const double *turns = m->turns;
    double copy = *turns;
    return paddock_save(s, &copy, sizeof copy);
}

static bool load(paddock_strategy *s, const void *data, size_t len)
{
    (void)s, (void)data;
    return len == sizeof(double);
}

static const paddock_strategy_ops OPS = {
    .weigh = weigh, .open = begin, .close = end, .save = save, .load = load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
