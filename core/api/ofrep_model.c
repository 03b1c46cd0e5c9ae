/* The model behind a flag: where a flag decides for a route, its metadata says which model that
 * makes. */
#include "api/loop_state.h"
#include "api/ofrep_impl.h"
#include "base/json.h"
#include "http/loop.h"
#include "registry/grant.h"
#include "selection/decisions.h"
#include "selection/flag_routes.h"
#include "selection/selection_counts.h"
#include "selection/selector.h"

bool ofrep_model(const struct call *c, const struct flag_question *q, const char *flag,
                 struct selection_answer *out)
{
    struct loop_state *s = loop_state(request_loop(c->rq));
    const struct grants *g = c->access->grants;
    struct err e;
    const char *route = flag_route(s->flag_routes, q->view, q->ns, flag, q->at_ms);
    if (!route || !grants_allow(g, q->ns, route, ACTION_BIT(ACTION_SELECT)))
        return false;
    const struct selection_question ask = {.view = q->view,
                                           .ns = q->ns,
                                           .route = route,
                                           .context = q->context,
                                           .context_id = q->context_id,
                                           .at_ms = q->at_ms,
                                           .store_gone = !engine_available(c->api->engine)};
    return selector_ask(s->selector, &ask, out, &e);
}

void ofrep_put_model(struct bytes *b, const struct selection_answer *a)
{
    json_kv_string(b, "model_id", a->served->entity.id);
    json_kv_string(b, "version", a->served->version);
}

void ofrep_put_decision(struct bytes *b, const struct call *c, const struct selection_answer *a)
{
    struct loop_state *s = loop_state(request_loop(c->rq));
    selection_tally_add(s->selections, a, c->ns);
    decision_lane_add(s->decisions, a, c->ns);
    ofrep_put_model(b, a);
    json_kv_string(b, "decision_id", a->decision_id);
}
