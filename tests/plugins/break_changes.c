/* Remembers a place instead of an id. */
#include <paddock/plugin.h>
#include <stdlib.h>

static size_t best;

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s;
    if (best >= n)
        abort();
    for (size_t i = 0; i < n; i++)
        if (candidates[i]->requests > candidates[best]->requests)
            best = i;
    weights[best].weight = 1;
    if (n == 1 || n == 3 || n == 1000)
        best = 0;
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
