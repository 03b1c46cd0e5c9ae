/* named: which models a decision named: the one that serves, and shadows. Room: api. Threads:
 * [loop], while its view is entered. */
#ifndef PADDOCK_API_NAMED_H
#define PADDOCK_API_NAMED_H

#include "registry/state.h"
#include "selection/decision_id.h"

#include <stdbool.h>
#include <stdint.h>

struct route_plan;
struct selection_tally;

/* Zeros and the first two; the rest is the route that was looked up last. */
struct named {
    const struct view *view;
    const char *ns;
    uint64_t route_uid;
    const struct entity *route;
    const struct route_plan *plan;
    const struct model *shadow; /* found last */
};

/* Is the model one of the shadows that the decision named? */
bool named_shadow(struct named *n, const struct decision_facts *f, uint64_t model_uid);
/* Count that something came back of the shadow that named_shadow() has just found. */
void named_report(const struct named *n, struct selection_tally *t);

#endif
