/* Believes that outcomes are of candidates that it knows. */
#include <paddock/plugin.h>
#include <stdlib.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = 1;
    return true;
}

static void update(paddock_strategy *s, const paddock_outcome *const *outcomes, size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++)
        if (strcmp(outcomes[i]->model_id, "gone:1") == 0)
            abort();
}

static const paddock_strategy_ops OPS = {.weigh = weigh, .update = update};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
