#include "selection/strategy_rules.h"

#include "base/json.h"

#include <string.h>

/* What is left for the strategy; a new reference. */
static json_t *without_weights(const json_t *params)
{
    json_t *rest = json_deep_copy(params);
    if (json_is_object(rest))
        json_object_del(rest, "weights");
    return rest;
}

static void check(void *self, const char *strategy, const json_t *params, struct faults *f)
{
    json_t *rest = without_weights(params);
    bool ok =
        catalog_check_config(self, PLUGIN_STRATEGY, strategy, "/strategy", rest, "/params", f);
    (void)ok; /* the faults are counted by who asks */
    json_decref(rest);
}

struct strategy_types strategy_rules(struct catalog *catalog)
{
    return (struct strategy_types){check, catalog};
}

const char *strategy_params(const char *params, struct arena *a)
{
    struct bytes text = BYTES_INIT(1 << 20);
    json_t *given = params ? json_read(params, strlen(params), NULL) : NULL;
    json_t *rest = without_weights(given);
    if (json_is_object(rest))
        json_put_value(&text, rest);
    const char *out = text.len && !text.full ? arena_text(a, text.data) : NULL;
    bytes_release(&text);
    json_decref(rest);
    json_decref(given);
    return out;
}
