#include "api/named.h"

#include "registry/route.h"

static bool is_route(const struct entity *e, void *ctx)
{
    struct named *n = ctx;
    if (e->uid == n->route_uid)
        n->plan = route_plan_of(document_of(e));
    return e->uid != n->route_uid;
}

static const struct route_plan *plan_of(struct named *n, uint64_t route_uid)
{
    if (n->route_uid != route_uid) {
        n->route_uid = route_uid;
        n->plan = NULL;
        view_each_of(n->view, ENTITY_ROUTE, n->ns, is_route, n);
    }
    return n->plan;
}

bool named_shadow(struct named *n, const struct decision_facts *f, uint64_t model_uid)
{
    const struct route_plan *plan = f->shadows ? plan_of(n, f->route_uid) : NULL;
    for (size_t i = 0; plan && i < plan->shadow_count; i++) {
        const struct model *m = f->shadows & 1u << i
                                    ? route_model(n->view, n->ns, plan, plan->shadows[i].reference)
                                    : NULL;
        if (m && m->entity.uid == model_uid)
            return true;
    }
    return false;
}
