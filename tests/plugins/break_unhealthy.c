/* Shares by successes, of which there may be none. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += (double)(candidates[i]->requests - candidates[i]->errors);
    bool known = candidates[0]->requests > 0;
    for (size_t i = 0; i < n; i++)
        weights[i].weight =
            known ? (double)(candidates[i]->requests - candidates[i]->errors) / all : 1;
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
