/* Takes far too long for many candidates. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    volatile double sum = 0;
    for (size_t i = 0; i < n && n > 100; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++)
                for (size_t l = 0; l < n; l++)
                    sum += candidates[i]->configured;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = sum < 0 ? 0 : 1;
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
