/* Forgets to close a file. */
#include <paddock/plugin.h>
#include <fcntl.h>

static bool begin(paddock_strategy *s)
{
    (void)s;
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    (void)s, (void)candidates;
    for (size_t i = 0; i < n; i++)
        weights[i].weight = 1;
    return true;
}

static const paddock_strategy_ops OPS = {.weigh = weigh, .open = begin};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
