/* Believes that every latency is known. */
#include <paddock/plugin.h>
#include <stdlib.h>
static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++) {
        if (isnan(candidates[i]->p95_ms))
            abort();
        weights[i].weight = 1;
    }
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
