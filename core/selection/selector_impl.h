/* selector_impl: what the files of a selector share. Room: selection, private. Threads: one owner.
 */
#ifndef PADDOCK_SELECTION_SELECTOR_IMPL_H
#define PADDOCK_SELECTION_SELECTOR_IMPL_H

#include "base/arena.h"
#include "selection/selector.h"

struct ready_arm {
    const char *name;
    const struct model *model; /* NULL: the reference leads nowhere */
    const char *cause;         /* why it cannot serve; NULL: it can */
    struct slice endpoint;     /* of the model: JSON */
};

/* A route as it stands in one view. Everything it points to is the view's or the arena's. */
struct ready_route {
    uint64_t seq; /* of the view */
    struct arena *arena;
    const char *id, *salt, *unit, *flag, *strategy; /* id NULL: there is no route */
    const struct route_plan *plan;                  /* NULL: there is no route */
    uint64_t uid;
    bool killed, stored;
    int64_t ttl_ms;
    struct ready_arm *arms;
    size_t arm_count;
    const struct model *fallbacks[ROUTE_FALLBACK_MAX];
    const char *fallback_causes[ROUTE_FALLBACK_MAX];
    struct slice fallback_endpoints[ROUTE_FALLBACK_MAX];
    size_t fallback_count;
    const struct model *shadows[ROUTE_SHADOWS_MAX]; /* NULL: leads nowhere */
    const char *shadow_salts[ROUTE_SHADOWS_MAX];
};

#define READY_KEY_MAX 8192
/* Which route and models a question is about, as one text. 0: it is too long. */
size_t ready_route_key(const struct selection_question *q, char out[READY_KEY_MAX]);

/* Make `r` (zeroed, or of an earlier view) ready for the question's view. ROUTE_NOT_FOUND. */
bool ready_route_make(struct ready_route *r, const struct selection_question *q, struct err *e)
    MUST_CHECK;
void ready_route_release(struct ready_route *r);
/* Where a model of the route is reached. */
struct slice ready_route_endpoint(const struct ready_route *r, const struct model *served);
/* Who would serve next, in order; how many. */
size_t ready_route_fallbacks(const struct ready_route *r, const struct model *served,
                             const struct model *out[ROUTE_FALLBACK_MAX]);

#endif
