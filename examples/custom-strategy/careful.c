/* Traffic by the rate of success, which is doubted while little is known of a candidate. */
#include <paddock/plugin.h>

static bool weigh(paddock_strategy *s, const paddock_candidate *const *c, size_t n,
                  paddock_weight *w)
{
    for (size_t i = 0; i < n; i++) {
        w[i].score = (double)(c[i]->requests - c[i]->errors + 1) / (double)(c[i]->requests + 10);
        w[i].weight = c[i]->health == PADDOCK_UNHEALTHY ? 0 : w[i].score * w[i].score;
        paddock_part(s, i, "success", w[i].score);
    }
    return true;
}
PADDOCK_STRATEGY("org.example.careful", "1.0.0", "success, doubted while new", NULL, weigh);
