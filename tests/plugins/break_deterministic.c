/* Draws from a sequence that all instances share. */
#include <paddock/plugin.h>

static uint64_t sequence = 1;

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = paddock_uniform(&sequence);
    return true;
}

PADDOCK_STRATEGY("org.example.broken", "1.0.0", "breaks a rule", NULL, weigh);
