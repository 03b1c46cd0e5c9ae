/* Has room for a hundred. */
#include <paddock/plugin.h>
#include <stdlib.h>
static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    double best[100];
    for (size_t i = 0; i < n; i++) {
        if (i >= sizeof best / sizeof *best)
            abort(); /* what the array would do, only not always */
        best[i] = candidates[i]->p95_ms;
        weights[i].weight = isnan(best[i]) ? 0 : 1;
    }
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
