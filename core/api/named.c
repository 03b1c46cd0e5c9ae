#include "api/named.h"

#include "registry/route.h"
#include "selection/selection_counts.h"

static const struct route_plan *plan_of(struct named *n, uint64_t route_uid)
{
    if (n->route_uid != route_uid) {
        n->route = view_by_uid_of(n->view, ENTITY_ROUTE, n->ns, route_uid);
        n->route_uid = route_uid;
        n->plan = n->route ? route_plan_of(document_of(n->route)) : NULL;
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
        if (m && m->entity.uid == model_uid) {
            n->shadow = m;
            return true;
        }
    }
    return false;
}

void named_report(const struct named *n, struct selection_tally *t)
{
    const struct selection_count one = {.route_uid = n->route_uid,
                                        .model_uid = n->shadow->entity.uid,
                                        .ns = n->route->ns,
                                        .route = n->route->id,
                                        .model_id = n->shadow->entity.id,
                                        .name = n->shadow->name};
    selection_tally_report(t, &one);
}
