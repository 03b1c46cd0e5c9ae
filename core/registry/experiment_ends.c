#include "registry/experiment_ends.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/family.h"
#include "registry/route.h"

#include <math.h>
#include <string.h>

size_t experiment_move_left(const struct experiment_move *m)
{
    return m->spec->treatment_count - m->spec->out_count;
}

const struct experiment_treatment *experiment_move_treatment(const struct experiment_move *m,
                                                             const char *arm)
{
    for (size_t i = 0; i < m->spec->treatment_count; i++) {
        const struct experiment_treatment *t = &m->spec->treatments[i];
        if (!t->out_order && (arm ? strcmp(t->arm, arm) == 0 : experiment_move_left(m) == 1))
            return t;
    }
    return NULL;
}

static bool finish(struct experiment_move *m, const char *state, const char *action,
                   const char *cause, struct err *e)
{
    struct experiment *x = &m->want;
    x->state = state;
    x->paused_by = NULL;
    x->share_percent = NAN;
    x->finished_at = m->d.h->now_ms;
    return experiment_move_put(m, action, cause, e);
}

/* Run another decision as a part of this one: with what it is about and its body. */
static bool as_part(struct experiment_move *m, const char *id, json_t *body, void *args,
                    bool (*decide)(struct command *c, struct head *h, struct changes *out,
                                   struct err *e),
                    struct err *e)
{
    struct command *c = m->d.c, before = *c;
    c->id = id;
    c->body = body;
    c->args = args;
    c->if_match = -1;
    bool ok = decide(c, m->d.h, m->d.out, e);
    c->id = before.id;
    c->body = before.body;
    c->args = before.args;
    c->if_match = before.if_match;
    json_decref(body);
    return ok;
}

/* ---- the route's own weights ---- */

/* {"params":{"weights":{...}}} that gives one arm everything. */
static json_t *all_for(const struct route_plan *p, const char *arm)
{
    json_t *body = json_object(), *params = json_object(), *weights = json_object();
    for (size_t i = 0; i < p->arm_count; i++)
        json_object_set_new(weights, p->arms[i].name,
                            json_integer(strcmp(p->arms[i].name, arm) == 0));
    json_object_set_new(params, "weights", weights);
    json_object_set_new(body, "params", params);
    return body;
}

static const struct document *route_of_move(const struct experiment_move *m)
{
    return view_document(m->d.h->view, &ROUTE_TYPE, m->d.c->ns, m->want.route);
}

/* The route, where its own weights count and name the arm; a flag or a strategy goes on by itself.
 */
static const struct document *weighted_route(const struct experiment_move *m, const char *arm)
{
    const struct document *route = route_of_move(m);
    const char *strategy = route ? route_of(route)->strategy : NULL;
    return strategy && strcmp(strategy, STRATEGY_WEIGHTED) == 0 &&
                   route_arm_called(route_plan_of(route), arm) != ARMS_MAX
               ? route
               : NULL;
}

/* A route that was damaged otherwise is no reason to leave a bad treatment where it is. */
static void reweigh(struct experiment_move *m, json_t *body)
{
    struct err ignored;
    (void)as_part(m, m->want.route, body, (void *)(uintptr_t)&ROUTE_TYPE, document_patch, &ignored);
}

static void give_all(struct experiment_move *m, const char *arm)
{
    const struct document *route = weighted_route(m, arm);
    if (route)
        reweigh(m, all_for(route_plan_of(route), arm));
}

/* {"params":{"weights":{...}}} that gives the control what those had that were taken out; NULL:
 * they had nothing. */
static json_t *without_removed(const struct experiment_move *m, const struct document *route)
{
    const char *text = route_of(route)->params, *control = m->want.control;
    json_t *params = json_read(text, strlen(text), NULL);
    const json_t *had = json_object_get(params, "weights");
    json_t *weights = json_object();
    double sum = json_number_value(json_object_get(had, control)), more = 0;
    for (size_t i = 0; i < m->spec->treatment_count; i++) {
        const struct experiment_treatment *t = &m->spec->treatments[i];
        const double weight = json_number_value(json_object_get(had, t->arm));
        if (!t->out_order || weight <= 0)
            continue;
        more += weight;
        json_object_set_new(weights, t->arm, json_integer(0));
    }
    json_object_set_new(weights, control, json_real(sum + more));
    json_decref(params);
    json_t *body = more > 0 ? json_pack("{s:{s:O}}", "params", "weights", weights) : NULL;
    json_decref(weights);
    return body;
}

/* The route has its weights again, but who was taken out does not have its share. */
static void give_back(struct experiment_move *m)
{
    const struct document *route =
        experiment_moves(m->d.c) ? weighted_route(m, m->want.control) : NULL;
    json_t *body = route ? without_removed(m, route) : NULL;
    if (body)
        reweigh(m, body);
}

bool experiment_end(struct experiment_move *m, const char *state, const char *action,
                    const char *cause, struct err *e)
{
    give_back(m);
    return finish(m, state, action, cause, e);
}

bool experiment_moves(const struct command *c)
{
    return c->decide == experiment_report || c->decide == experiment_promote ||
           c->decide == experiment_roll_back || c->decide == experiment_stop;
}

/* ---- stopping those of a name ---- */

struct stopping {
    const struct view *v;
    const char *ns, *name;
    const struct document *list[EXPERIMENTS_STOPPED_MAX];
    size_t n;
};

static bool is_of(const struct stopping *s, const char *model_id)
{
    const struct model *m = view_model(s->v, s->ns, model_id);
    return m && strcmp(m->name, s->name) == 0;
}

static bool collect(const struct entity *e, void *ctx)
{
    struct stopping *s = ctx;
    const struct document *d = document_of(e);
    const struct experiment_spec *spec = experiment_spec_of(d);
    bool any = is_of(s, spec->control_model);
    for (size_t i = 0; i < spec->treatment_count; i++)
        any = any || (!spec->treatments[i].out_order && is_of(s, spec->treatments[i].model));
    if (any)
        s->list[s->n++] = d;
    return s->n < EXPERIMENTS_STOPPED_MAX;
}

bool experiments_stop_of(const struct decision *d, const char *name, const char *sentence,
                         const char **stopped, struct err *e)
{
    struct stopping s = {.v = d->h->view, .ns = d->c->ns, .name = name};
    const char *list = "";
    view_running(s.v, s.ns, collect, &s);
    for (size_t i = 0; i < s.n; i++) {
        struct experiment_move m = {.d = *d,
                                    .there = s.list[i],
                                    .want = *experiment_of(s.list[i]),
                                    .spec = experiment_spec_of(s.list[i])};
        m.want.sentence = sentence;
        if (!experiment_end(&m, "stopped", "experiment.stopped", "rollback", e))
            return false;
        list = arena_printf(d->c->arena, "%s%s\"%s\"", list, i ? "," : "", s.list[i]->entity.id);
    }
    *stopped = arena_printf(d->c->arena, "[%s]", list);
    return true;
}

/* ---- promoting ---- */

static bool control_by_id(const struct experiment_move *m)
{
    const struct document *route = route_of_move(m);
    const struct route_plan *p = route ? route_plan_of(route) : NULL;
    uint32_t i = p ? route_arm_called(p, m->want.control) : ARMS_MAX;
    return i != ARMS_MAX && !strchr(p->arms[i].reference, '@');
}

bool experiment_end_promoted(struct experiment_move *m, const struct experiment_treatment *t,
                             const char *cause, struct err *e)
{
    json_t *body = json_object();
    json_object_set_new(body, "status", json_string("stable"));
    if (control_by_id(m))
        give_all(m, t->arm);
    else
        give_back(m);
    if (!as_part(m, t->model, body, NULL, model_transition, e))
        return false;
    m->want.winner = t->arm;
    return finish(m, "succeeded", "experiment.promoted", cause, e);
}

/* ---- rolling back ---- */

struct putting_back {
    const struct experiment_move *move;
    enum model_status to;
};

static void edit_back(struct model_fields *f, const void *ctx)
{
    const struct putting_back *p = ctx;
    const struct decision *d = &p->move->d;
    const char *now = status_name(p->to);
    if (strcmp(f->status, now) != 0)
        f->status_changed_at = d->h->now_ms;
    f->status = now;
    if (!f->hold)
        f->hold = hold_json(d->c, p->move->want.sentence, d->h->now_ms);
}

static bool put_one_back(struct experiment_move *m, const struct model *t, struct err *e)
{
    const struct model *control = view_model(m->d.h->view, m->d.c->ns, m->spec->control_model);
    struct putting_back p = {m, t->status};
    if (t->status == STATUS_CANARY)
        p.to = STATUS_DEVELOPMENT;
    else if (t->status == STATUS_STABLE && control && control->status == STATUS_STABLE)
        p.to = STATUS_DEPRECATED;
    return change_model(&m->d, t, edit_back, &p, "model.rolled_back_from", m->evidence, e);
}

/* Those of one name together: a name is opened and closed once in a command. */
static bool put_back(struct experiment_move *m, const struct model *const *list, size_t n,
                     struct err *e)
{
    bool done[EXPERIMENT_TREATMENTS_MAX] = {false};
    struct family family;
    for (size_t i = 0; i < n; i++) {
        if (done[i])
            continue;
        if (!family_open(&family, &m->d, list[i]->name, e))
            return false;
        for (size_t k = i; k < n; k++)
            if (strcmp(list[k]->name, list[i]->name) == 0) {
                done[k] = true;
                if (!put_one_back(m, list[k], e))
                    return false;
            }
        if (!family_close(&family, "registered_model.updated", NULL, NULL, e))
            return false;
    }
    return true;
}

/* {"arm","at","step","cause"} behind those that are there. */
static const char *with_one_out(const struct experiment_move *m, const char *arm, const char *cause)
{
    const struct experiment *x = &m->want;
    struct bytes b = BYTES_INIT(4096);
    bytes_add(&b, x->taken_out, strlen(x->taken_out) - 1);
    bytes_text(&b, m->spec->out_count ? ",{" : "{");
    json_kv_string(&b, "arm", arm);
    json_kv_time(&b, "at", m->d.h->now_ms);
    json_kv_int(&b, "step", x->step);
    json_kv_string(&b, "cause", cause);
    bytes_text(&b, "}]");
    const char *text = arena_copy(m->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

bool experiment_take_out(struct experiment_move *m, const struct experiment_treatment *t,
                         const char *cause, struct err *e)
{
    const struct model *model = view_model(m->d.h->view, m->d.c->ns, t->model);
    m->want.taken_out = with_one_out(m, t->arm, cause);
    if (m->want.winner && strcmp(m->want.winner, t->arm) == 0) {
        m->want.winner = NULL;
        m->want.ready = false;
    }
    return put_back(m, &model, model ? 1 : 0, e) &&
           experiment_move_put(m, "experiment.treatment_rolled_back", cause, e);
}

bool experiment_end_rolled_back(struct experiment_move *m, const char *state, const char *action,
                                const char *cause, struct err *e)
{
    const struct model *list[EXPERIMENT_TREATMENTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < m->spec->treatment_count; i++) {
        const struct experiment_treatment *t = &m->spec->treatments[i];
        list[n] = t->out_order ? NULL : view_model(m->d.h->view, m->d.c->ns, t->model);
        n += list[n] != NULL;
    }
    give_all(m, m->want.control);
    return put_back(m, list, n, e) && finish(m, state, action, cause, e);
}
