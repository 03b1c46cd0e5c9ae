/* Trusts the length that is written in a state. */
#include <paddock/plugin.h>
#include <stdlib.h>

struct memory {
    double total;
};

static bool begin(paddock_strategy *s)
{
    s->state = calloc(1, sizeof(struct memory));
    return s->state != NULL;
}

static void end(paddock_strategy *s)
{
    free(s->state);
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    struct memory *m = s->state;
    m->total += 1;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = candidates[i]->configured >= 0 ? (double)i + m->total : 1;
    return true;
}

static bool save(paddock_strategy *s)
{
    return paddock_save(s, s->state, sizeof(struct memory));
}

static bool load(paddock_strategy *s, const void *data, size_t len)
{
    if (len > sizeof(struct memory))
        abort(); /* as an overrun would */
    memcpy(s->state, data, len);
    return len == sizeof(struct memory) && isfinite(((struct memory *)s->state)->total);
}

static const paddock_strategy_ops OPS = {
    .weigh = weigh, .open = begin, .close = end, .save = save, .load = load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
