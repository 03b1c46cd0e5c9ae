/* What a round sees of the experiments that run: copied from the view, which is left at once. */
#include "registry/health.h"
#include "registry/route.h"
#include "selection/experiments_impl.h"

#include <string.h>

struct looking {
    struct experiments *x;
    const struct view *v;
    struct seen_experiment *list;
    size_t n;
};

/* The route's own ranges, as a set that shares may start from. */
static const struct weights_set *base_of(struct arena *a, const struct document *route)
{
    const struct route_plan *p = route_plan_of(route);
    struct weights_set *set = arena_zero(a, sizeof *set);
    struct weights_arm *arms = arena_zero(a, (p->arm_count + 1u) * sizeof *arms);
    struct share *shares = arena_zero(a, (p->share_count + 1u) * sizeof *shares);
    for (size_t i = 0; i < p->arm_count; i++)
        arms[i].arm = arena_text(a, p->arms[i].name);
    memcpy(shares, p->shares, p->share_count * sizeof *shares);
    set->arms = arms;
    set->arm_count = p->arm_count;
    set->shares = shares;
    set->share_count = p->share_count;
    return set;
}

static bool leads_to(const struct looking *k, const struct document *route, const char *arm,
                     const char *model_id, uint64_t *uid)
{
    const struct model *m = route_arm_model(k->v, route, arm);
    *uid = m ? m->entity.uid : 0;
    return m && route_serves(m) && strcmp(m->entity.id, model_id) == 0;
}

/* Why selections pass a model over, whatever the shares say; NULL: they do not. */
static const char *cut_off(const struct view *v, const char *ns, uint64_t uid, const char *model_id)
{
    const struct entity *e = view_get(v, ENTITY_HEALTH, ns, model_id);
    const struct health *h = e && e->uid == uid ? health_of(e) : NULL;
    return !h                                    ? NULL
           : h->circuit != CIRCUIT_CLOSED        ? "since its circuit breaker opened"
           : strcmp(h->status, "unhealthy") == 0 ? "since its health is judged unhealthy"
                                                 : NULL;
}

static void find_arms(const struct looking *k, struct seen_experiment *s)
{
    const struct document *route = view_document(k->v, &ROUTE_TYPE, s->ns, s->route);
    s->moved = true;
    if (!route)
        return;
    s->route_uid = route->entity.uid;
    s->base = base_of(k->x->arena, route);
    s->moved = !leads_to(k, route, s->control, s->spec.control_model, &s->models[ARM_CONTROL]);
    s->cut[ARM_CONTROL] = cut_off(k->v, s->ns, s->models[ARM_CONTROL], s->spec.control_model);
    for (size_t i = 0; i < s->spec.treatment_count; i++) {
        const struct experiment_treatment *t = &s->spec.treatments[i];
        uint64_t *uid = &s->models[ARM_TREATMENT + i];
        if (!leads_to(k, route, t->arm, t->model, uid) && !t->out_order)
            s->moved = true;
        s->cut[ARM_TREATMENT + i] = cut_off(k->v, s->ns, *uid, t->model);
    }
}

static bool see(const struct entity *e, void *ctx)
{
    struct looking *k = ctx;
    struct arena *a = k->x->arena;
    const struct document *d = document_of(e);
    const struct experiment *f = experiment_of(d);
    struct seen_experiment *s = &k->list[k->n++];
    *s = (struct seen_experiment){
        .ns = arena_text(a, e->ns),
        .key = arena_text(a, e->id),
        .route = arena_text(a, f->route),
        .control = arena_text(a, f->control),
        .uid = e->uid,
        .revision = e->revision,
        .started_at = f->started_at,
        .step = f->step,
        .attempt = f->attempt,
        .step_min_ms = f->step_min_seconds * 1000,
        .max_ms = f->max_seconds * 1000,
        .warmup_ms = f->warmup_seconds * 1000,
        .min_samples = f->min_samples,
        .alpha = f->alpha,
        .paused_by = f->paused_by ? arena_text(a, f->paused_by) : NULL,
        .ready = f->ready,
        .spec = *experiment_spec_of(d),
    };
    find_arms(k, s);
    return true;
}

const struct seen_experiment *experiments_seen(struct experiments *x, size_t *n)
{
    struct looking k = {.x = x, .v = view_enter(x->reader)};
    k.list = arena_zero(x->arena, (view_running_count(k.v) + 1) * sizeof *k.list);
    view_running(k.v, NULL, see, &k);
    view_leave(x->reader);
    *n = k.n;
    return k.list;
}
