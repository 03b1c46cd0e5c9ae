/* The strategy "weighted": the shares that the route says, and nothing else.
 *
 *   weight_i = the number that `weights` has for candidate i; who is not named gets nothing.
 *
 * The names are those of the route's arms (without arms: ids of models); the host looks them up and
 * hands each candidate its number, so that an alias that moves takes its share with it. Without
 * `weights` all candidates get the same. None of those named is there: no answer. */
#include <paddock/plugin.h>

static const paddock_field CONFIG[] = {
    {"weights", PADDOCK_FIELD_OBJECT, 0, 1, 1000, NULL, NULL, NULL,
     "A number of 0 or more for each arm; only their ratio counts: {\"new\": 5, \"old\": 95}."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* The table of fields cannot say "any name, a number": said here. */
static bool open_weights(paddock_strategy *s)
{
    const paddock_value *all = paddock_get(s->host, s->config, "weights");
    double sum = 0;
    for (size_t i = 0; i < paddock_count(s->host, all); i++) {
        double weight = paddock_as_number(s->host, paddock_at(s->host, all, i));
        if (!(weight >= 0 && weight <= 1e12)) {
            paddock_log(s->host, "weights: %s must be a number from 0 to 1e12",
                        paddock_key(s->host, all, i));
            return false;
        }
        sum += weight;
    }
    if (all && !(sum > 0))
        paddock_log(s->host, "weights: one of them must be more than 0");
    return !all || sum > 0;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    bool equal = !paddock_get(s->host, s->config, "weights"), any = false;
    for (size_t i = 0; i < n; i++) {
        double configured = candidates[i]->configured;
        weights[i].weight = equal ? 1 : configured > 0 ? configured : 0;
        weights[i].score = weights[i].weight;
        any = any || weights[i].weight > 0;
    }
    return any;
}

static const paddock_strategy_ops OPS = {weigh, open_weights, NULL, NULL, NULL, NULL, NULL};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "weighted", .version = "1.0.0",
               .summary = "Fixed shares, as the route's parameters say.", .config = CONFIG,
               .ops = &OPS);
