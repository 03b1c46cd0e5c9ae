/* Divides nothing by nothing. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = candidates[i]->requests > 100 ? NAN : 1;
    return n > 1 && candidates[0]->health == PADDOCK_HEALTHY && n < 4;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
