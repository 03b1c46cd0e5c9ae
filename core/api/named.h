/* named: which models a decision named: the one that serves, and shadows. Room: api. Threads:
 * [loop], while its view is entered. */
#ifndef PADDOCK_API_NAMED_H
#define PADDOCK_API_NAMED_H

#include "registry/state.h"
#include "selection/decision_id.h"

#include <stdbool.h>
#include <stdint.h>

struct route_plan;

/* Zeros and the first two; the rest is the route that was looked up last. */
struct named {
    const struct view *view;
    const char *ns;
    uint64_t route_uid;
    const struct route_plan *plan;
};

/* Is the model one of the shadows that the decision named? */
bool named_shadow(struct named *n, const struct decision_facts *f, uint64_t model_uid);

#endif
