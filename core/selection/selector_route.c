/* A route made ready for a view: who its arms, fallbacks and shadows are, and who of them may
 * serve. */
#include "selection/selector_impl.h"

#include "base/json.h"
#include "registry/errors.h"
#include "registry/experiment.h"
#include "registry/grant.h"
#include "registry/health.h"
#include "registry/registered_model.h"
#include "selection/matches.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_ARENA (4 << 20)

/* ---- what was asked for ---- */

static bool by_what_they_are(const struct selection_question *q)
{
    return !q->route && !q->model_name;
}

size_t ready_route_key(const struct selection_question *q, char out[READY_KEY_MAX])
{
    const char *const parts[] = {q->ns,    q->route, q->model_name,
                                 q->sport, q->type,  q->deployment_target};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = parts[i] ? strlen(parts[i]) : 0;
        if (used + len + 2 > READY_KEY_MAX / 2)
            return 0;
        out[used++] = parts[i] ? '+' : '-';
        memcpy(out + used, parts[i] ? parts[i] : "", len);
        used += len;
        out[used++] = '\0';
    }
    if (by_what_they_are(q) && q->grants)
        used += (size_t)snprintf(out + used, READY_KEY_MAX - used, "%" PRIu64 ".%" PRId64 "+",
                                 q->asker, q->asker_revision);
    if (json_object_size(q->labels) == 0)
        return used;
    char *labels = json_dumps(q->labels, JSON_SORT_KEYS | JSON_COMPACT);
    size_t len = labels ? strlen(labels) : READY_KEY_MAX;
    if (used + len <= READY_KEY_MAX) {
        memcpy(out + used, labels, len);
        used += len;
    } else {
        used = 0;
    }
    free(labels);
    return used;
}

/* ---- who may serve ---- */

/* Why a model cannot serve, or NULL. A former stable may, where somebody names it, unless it is
 * held. */
static const char *cause_of(const struct view *v, const struct model *m)
{
    if (!m)
        return "NO_MODEL";
    if (!route_serves(m))
        return "NOT_IN_SERVICE";
    const struct entity *h = view_get(v, ENTITY_HEALTH, m->entity.ns, m->entity.id);
    return h && h->uid == m->entity.uid && strcmp(health_of(h)->status, "unhealthy") == 0
               ? "UNHEALTHY"
               : NULL;
}

/* Where its clients send traffic: looked for here, once, and not for each answer. */
static struct slice endpoint_of(const struct model *m)
{
    static const char *const NAME = "endpoint";
    struct slice value = {NULL, 0};
    if (!m || !scan_pick((struct slice){m->entity.json, m->entity.json_len}, &NAME, 1, &value))
        value = (struct slice){NULL, 0};
    return value;
}

/* ---- which models match ---- */

struct search {
    const struct selection_question *q;
    const char *sport, *type;
    const struct route_label *labels;
    size_t label_count;
    const struct model *found[ARMS_MAX];
    size_t count;
};

static bool has_label(const json_t *labels, const char *key, const char *value)
{
    const char *is = json_string_value(json_object_get(labels, key));
    return is && strcmp(is, value) == 0;
}

static bool labels_fit(const struct search *s, const struct model *m)
{
    size_t asked = json_object_size(s->q->labels);
    if (!asked && !s->label_count)
        return true;
    struct slice text = model_labels(m);
    json_t *labels = json_read(text.at, text.len, NULL), *value;
    const char *key;
    bool fit = labels != NULL;
    for (size_t i = 0; fit && i < s->label_count; i++)
        fit = has_label(labels, s->labels[i].key, s->labels[i].value);
    json_object_foreach((json_t *)s->q->labels, key, value)
        fit = fit && json_is_string(value) && has_label(labels, key, json_string_value(value));
    json_decref(labels);
    return fit;
}

static bool text_fits(const char *want, const char *is)
{
    return !want || (is && strcmp(want, is) == 0);
}

/* Stables go before canaries, and among them who was promoted last. */
static bool goes_before(const struct model *a, const struct model *b)
{
    if (a->status != b->status)
        return a->status == STATUS_STABLE;
    return a->promoted_at > b->promoted_at;
}

static void keep(struct search *s, const struct model *m)
{
    size_t at = s->count < ARMS_MAX ? s->count++ : ARMS_MAX;
    while (at > 0 && goes_before(m, s->found[at - 1])) {
        if (at < ARMS_MAX)
            s->found[at] = s->found[at - 1];
        at--;
    }
    if (at < ARMS_MAX)
        s->found[at] = m;
}

static bool consider(const struct model *m, void *ctx)
{
    struct search *s = ctx;
    if (model_in_service(m) && text_fits(s->sport, m->sport) && text_fits(s->type, m->type) &&
        text_fits(s->q->deployment_target, m->deployment_target) && labels_fit(s, m))
        keep(s, m);
    return true;
}

static bool consider_entity(const struct entity *e, void *ctx)
{
    return consider(model_of(e), ctx);
}

/* One that nobody named, but for what it is. */
static bool consider_allowed(const struct entity *e, void *ctx)
{
    const struct search *s = ctx;
    const struct model *m = model_of(e);
    return !grants_allow(s->q->grants, e->ns, m->name, ACTION_BIT(ACTION_SELECT)) ||
           consider(m, ctx);
}

static void search(struct search *s, const struct route_plan *p)
{
    const struct selection_question *q = s->q;
    s->sport = p && p->sport ? p->sport : q->sport;
    s->type = p && p->type ? p->type : q->type;
    s->labels = p ? p->labels : NULL;
    s->label_count = p ? p->label_count : 0;
    if (p && p->model_name)
        view_versions(q->view, q->ns, p->model_name, consider, s);
    else
        view_each_serving(q->view, q->ns, p ? consider_entity : consider_allowed, s);
}

/* ---- which route ---- */

struct lookup {
    const struct selection_question *q;
    const struct document *found;
};

/* A route that is about just what was asked for. */
static bool same_match(const struct entity *e, void *ctx)
{
    struct lookup *l = ctx;
    const struct route_plan *p = route_plan_of(document_of(e));
    const struct selection_question *q = l->q;
    bool same = !p->model_name && !p->sport == !q->sport && !p->type == !q->type &&
                text_fits(q->sport, p->sport) && text_fits(q->type, p->type) &&
                p->label_count == json_object_size(q->labels);
    for (size_t i = 0; same && i < p->label_count; i++)
        same = has_label(q->labels, p->labels[i].key, p->labels[i].value);
    if (same)
        l->found = document_of(e);
    return !same;
}

static const struct document *find(const struct selection_question *q, struct arena *a,
                                   bool *implied)
{
    *implied = false;
    if (q->route)
        return document_find(q->view, &ROUTE_TYPE, q->ns, q->route, a, implied);
    if (q->model_name) {
        const struct document *d =
            document_find(q->view, &ROUTE_TYPE, q->ns, q->model_name, a, implied);
        const char *name = d ? route_plan_of(d)->model_name : NULL;
        return name && strcmp(name, q->model_name) == 0 ? d : NULL;
    }
    struct lookup l = {.q = q};
    view_each_of(q->view, ENTITY_ROUTE, q->ns, same_match, &l);
    return l.found;
}

/* ---- making ready ---- */

static void make_arms(struct ready_route *r, const struct selection_question *q,
                      const struct search *s)
{
    const struct route_plan *p = r->plan;
    bool named = p && p->arm_count > 0;
    r->arm_count = named ? p->arm_count : s->count;
    r->arms = arena_zero(r->arena, (r->arm_count + 1) * sizeof *r->arms);
    for (size_t i = 0; i < r->arm_count; i++) {
        struct ready_arm *arm = &r->arms[i];
        arm->model = named ? route_model(q->view, q->ns, p, p->arms[i].reference) : s->found[i];
        arm->name = named ? p->arms[i].name : s->found[i]->entity.id;
        arm->cause = cause_of(q->view, arm->model);
        arm->endpoint = endpoint_of(arm->model);
    }
}

/* Which treatments the experiment goes on without. */
static void note_trial(struct ready_route *r, const struct selection_question *q)
{
    const struct document *d = r->experiment ? view_experiment_on(q->view, q->ns, r->id) : NULL;
    const struct experiment_spec *x = d ? experiment_spec_of(d) : NULL;
    for (size_t i = 0; x && i < r->arm_count; i++) {
        struct ready_arm *arm = &r->arms[i];
        if (strcmp(arm->name, experiment_of(d)->control) == 0)
            r->control = arm;
        for (size_t k = 0; k < x->treatment_count; k++)
            arm->out = arm->out ||
                       (x->treatments[k].out_order && strcmp(x->treatments[k].arm, arm->name) == 0);
    }
}

static void add_fallback(struct ready_route *r, const struct view *v, const struct model *m)
{
    for (size_t i = 0; i < r->fallback_count; i++)
        if (r->fallbacks[i] == m)
            return;
    if (!route_serves(m) || r->fallback_count == ROUTE_FALLBACK_MAX)
        return;
    r->fallbacks[r->fallback_count] = m;
    r->fallback_endpoints[r->fallback_count] = endpoint_of(m);
    r->fallback_causes[r->fallback_count++] = cause_of(v, m);
}

static void add_stables(struct ready_route *r, const struct view *v)
{
    for (size_t i = 0; i < r->stable_count; i++)
        add_fallback(r, v, r->stables[i]);
}

static void make_fallbacks(struct ready_route *r, const struct selection_question *q)
{
    const struct route_plan *p = r->plan;
    r->fallback_count = 0;
    for (size_t i = 0; p && i < p->fallback_count; i++)
        if (p->model_name || p->fallback[i][0] != '@')
            add_fallback(r, q->view, route_model(q->view, q->ns, p, p->fallback[i]));
        else
            add_stables(r, q->view);
    if (!p)
        add_stables(r, q->view);
}

/* Where the route is of no one name, @stable is the best of all that match: the best scored; while
 * none is known, who was promoted last. */
static void keep_stables(struct ready_route *r, const struct search *s)
{
    if (r->plan && r->plan->model_name)
        return;
    r->stables = arena_zero(r->arena, (s->count + 1) * sizeof *r->stables);
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i]->status == STATUS_STABLE)
            r->stables[r->stable_count++] = s->found[i];
}

/* What a model of the route scores; NAN: it is not known. */
static double score_of(const struct ready_route *r, const struct weights_set *scores,
                       const struct model *m)
{
    for (size_t i = 0; i < r->arm_count; i++)
        for (size_t k = 0; r->arms[i].model == m && k < scores->arm_count; k++)
            if (strcmp(scores->arms[k].arm, r->arms[i].name) == 0)
                return scores->arms[k].score;
    return NAN;
}

void ready_route_rank(struct ready_route *r, const struct selection_question *q,
                      const struct weights_set *scores)
{
    double sorted[ARMS_MAX];
    if (!scores || scores->version == r->ranked)
        return;
    for (size_t i = 0; i < r->stable_count; i++) { /* those that score the same stay in order */
        const struct model *m = r->stables[i];
        const double score = score_of(r, scores, m);
        size_t at = i;
        for (; at > 0 && (score > sorted[at - 1] || (isnan(sorted[at - 1]) && !isnan(score)));
             at--) {
            sorted[at] = sorted[at - 1];
            r->stables[at] = r->stables[at - 1];
        }
        sorted[at] = score;
        r->stables[at] = m;
    }
    r->ranked = scores->version;
    make_fallbacks(r, q);
}

static void make_shadows(struct ready_route *r, const struct selection_question *q)
{
    const struct route_plan *p = r->plan;
    for (size_t i = 0; p && i < p->shadow_count; i++) {
        const struct model *m = route_model(q->view, q->ns, p, p->shadows[i].reference);
        r->shadows[i] = m && m->status != STATUS_RETIRED ? m : NULL;
        r->shadow_salts[i] =
            arena_printf(r->arena, "%.200s/shadow/%.40s", r->salt, p->shadows[i].reference);
    }
}

static bool make_route(struct ready_route *r, const struct selection_question *q, struct err *e)
{
    bool implied;
    const struct document *d = find(q, r->arena, &implied);
    if (!d && by_what_they_are(q)) {
        r->shares_id = match_id(q, r->arena);
        r->strategy = MATCHES_STRATEGY;
        return true;
    }
    if (!d)
        return q->route ? fail(e, &ROUTE_NOT_FOUND, "no route '%.200s'", q->route)
                        : fail(e, &ROUTE_NOT_FOUND, "no registered model with name '%.200s'",
                               q->model_name);
    const struct model_route *f = route_of(d);
    const struct document *x = view_experiment_on(q->view, q->ns, f->head.id);
    r->id = r->shares_id = f->head.id;
    r->experiment = x ? x->entity.id : NULL;
    r->uid = d->entity.uid;
    r->stored = !implied;
    r->salt = route_salt(f);
    r->unit = f->unit;
    r->flag = f->flag;
    r->strategy = f->strategy;
    r->killed = f->killed;
    r->ttl_ms = f->ttl_ms;
    r->plan = route_plan_of(d);
    return true;
}

bool ready_route_make(struct ready_route *r, const struct selection_question *q, struct err *e)
{
    struct search s = {.q = q};
    ready_route_release(r);
    *r = (struct ready_route){.arena = arena_new(READY_ARENA),
                              .view = view_number(q->view),
                              .salt = "",
                              .unit = "targetingKey",
                              .ttl_ms = INT64_MAX};
    if (!make_route(r, q, e))
        return false;
    search(&s, r->plan);
    make_arms(r, q, &s);
    note_trial(r, q);
    keep_stables(r, &s);
    make_fallbacks(r, q);
    make_shadows(r, q);
    return true;
}

void ready_route_release(struct ready_route *r)
{
    arena_free(r->arena);
    r->arena = NULL;
}

struct slice ready_route_endpoint(const struct ready_route *r, const struct model *served)
{
    struct slice endpoint = {0};
    for (size_t i = 0; i < r->arm_count; i++)
        if (r->arms[i].model == served)
            endpoint = r->arms[i].endpoint;
    for (size_t i = 0; !endpoint.at && i < r->fallback_count; i++)
        if (r->fallbacks[i] == served)
            endpoint = r->fallback_endpoints[i];
    return endpoint;
}

size_t ready_route_fallbacks(const struct ready_route *r, const struct model *served,
                             const struct model *out[ROUTE_FALLBACK_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < r->fallback_count; i++)
        if (r->fallbacks[i] != served)
            out[n++] = r->fallbacks[i];
    return n;
}
