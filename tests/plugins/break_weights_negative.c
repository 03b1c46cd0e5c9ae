/* Punishes with weights below zero. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = n == 3 && candidates[i]->error_rate > 0 && candidates[i]->error_rate < 1
                                ? -candidates[i]->error_rate
                                : 1;
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
