#include "extend/plugin_traits.h"

#include <paddock/plugin.h>

bool plugin_is_alone(const struct plugin *p)
{
    return p->flags & PADDOCK_ALONE;
}

bool plugin_needs_baseline(const struct plugin *p)
{
    return p->flags & PADDOCK_NEEDS_BASELINE;
}

bool plugin_needs_dataset(const struct plugin *p)
{
    return p->flags & PADDOCK_NEEDS_DATASET;
}

const char *measured_better(const struct worker_measurement *m)
{
    switch (m->better) {
    case PADDOCK_HIGHER: return "higher";
    case PADDOCK_LOWER: return "lower";
    case PADDOCK_TARGET: return "target";
    default: return NULL;
    }
}
