/* A strategy: all traffic to the healthy candidate with the lowest live p95. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    size_t best = n;
    (void)s;
    for (size_t i = 0; i < n; i++) {
        const paddock_candidate *c = candidates[i];
        weights[i].score = c->p95_ms > 0 ? 1 / c->p95_ms : 0; /* NAN, "unknown", gives 0 */
        if (c->health != PADDOCK_UNHEALTHY && c->requests >= 100 &&
            (best == n || weights[i].score > weights[best].score))
            best = i;
    }
    if (best < n)
        weights[best].weight = 1;
    return best < n; /* no answer: the route's own weights stand */
}

PADDOCK_STRATEGY("org.example.template", "1.0.0", "the lowest live p95 serves", NULL, weigh);
