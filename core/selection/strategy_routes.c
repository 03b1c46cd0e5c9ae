#include "selection/strategy_routes.h"

#include "base/mem.h"
#include "registry/health.h"
#include "registry/registered_model.h"
#include "selection/selector_impl.h"
#include "selection/strategy_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a strategy may be asked about: everything is copied from the view, so that it is left before
 * the figures are read. */
struct collecting {
    const struct view *view;
    struct arena *arena;
    struct strategy_route *routes;
    size_t n, room;
};

static enum strategy_health health_of_model(const struct view *v, const struct model *m)
{
    const struct entity *h = view_get(v, ENTITY_HEALTH, m->entity.ns, m->entity.id);
    const char *status = h && h->uid == m->entity.uid ? health_of(h)->status : "unknown";
    return strcmp(status, "healthy") == 0     ? STRATEGY_HEALTHY
           : strcmp(status, "degraded") == 0  ? STRATEGY_DEGRADED
           : strcmp(status, "unhealthy") == 0 ? STRATEGY_UNHEALTHY
                                              : STRATEGY_UNKNOWN;
}

/* By the route's own weights. */
static double configured(const struct route_plan *p, const char *arm)
{
    return p->share_count ? share_of_arm(p->shares, p->share_count, route_arm_called(p, arm))
                          : (double)NAN;
}

static void add_candidates(struct collecting *c, const struct ready_route *ready,
                           struct strategy_route *out)
{
    struct strategy_candidate *all = arena_zero(c->arena, (ready->arm_count + 1) * sizeof *all);
    for (size_t i = 0; i < ready->arm_count; i++) {
        const struct model *m = ready->arms[i].model;
        if (!route_serves(m))
            continue;
        all[out->n++] = (struct strategy_candidate){
            .arm = arena_text(c->arena, ready->arms[i].name),
            .model_id = arena_text(c->arena, m->entity.id),
            .name = arena_text(c->arena, m->name),
            .version = arena_text(c->arena, m->version),
            .status = status_name(m->status),
            .configured = ready->plan ? configured(ready->plan, ready->arms[i].name) : (double)NAN,
            .health = health_of_model(c->view, m),
            .model_uid = m->entity.uid,
        };
    }
    out->candidates = all;
}

static void add_route(struct collecting *c, const struct document *d, const struct model_route *r)
{
    struct ready_route ready = {.view = 0};
    struct err e;
    const struct selection_question q = {
        .view = c->view, .ns = d->entity.ns, .route = d->entity.id};
    if (ready_route_make(&ready, &q, &e)) {
        struct strategy_route *out = &c->routes[c->n++];
        *out = (struct strategy_route){.ns = arena_text(c->arena, d->entity.ns),
                                       .route = arena_text(c->arena, d->entity.id),
                                       .uid = d->entity.uid,
                                       .strategy = arena_text(c->arena, r->strategy),
                                       .params = strategy_params(r->params, c->arena)};
        add_candidates(c, &ready, out);
    }
    ready_route_release(&ready);
}

/* What is asked for without a route, and is of several models. */
static void add_match(struct collecting *c, const struct match *m)
{
    struct ready_route ready = {.view = 0};
    struct selection_question q;
    struct err e;
    if (c->n == c->room || !match_question(m->ns, m->id, c->arena, &q))
        return;
    q.view = c->view;
    if (ready_route_make(&ready, &q, &e) && !ready.id && ready.arm_count > 1) {
        struct strategy_route *out = &c->routes[c->n++];
        *out = (struct strategy_route){.ns = m->ns, .route = m->id, .strategy = MATCHES_STRATEGY};
        add_candidates(c, &ready, out);
    }
    ready_route_release(&ready);
    json_decref((json_t *)(uintptr_t)q.labels);
}

static bool consider(const struct entity *e, void *ctx)
{
    struct collecting *c = ctx;
    const struct document *d = document_of(e);
    const struct model_route *r = route_of(d);
    if (r->strategy && strcmp(r->strategy, STRATEGY_WEIGHTED) != 0 && c->n < c->room)
        add_route(c, d, r);
    return c->n < c->room;
}

/* ---- figures ---- */

static void read_figures(struct strategy_routes *s, struct arena *a, struct strategy_candidate *c)
{
    const struct metrics_query q = {.window_ms = STRATEGY_WINDOW_MS, .quantiles_unasked = true};
    struct metrics m;
    struct err e;
    c->window_ms = STRATEGY_WINDOW_MS;
    c->mean_ms = c->p50_ms = c->p95_ms = c->p99_ms = NAN;
    if (!telemetry_metrics(s->telemetry, c->model_uid, &q, a, &m, &e))
        return;
    c->requests = m.total;
    c->errors = m.failure;
    c->mean_ms = m.latency.mean;
    c->p50_ms = m.latency.p50;
    c->p95_ms = m.latency.p95;
    c->p99_ms = m.latency.p99;
    struct strategy_score *scores = arena_zero(a, (m.n_scores + 1) * sizeof *scores);
    for (size_t i = 0; i < m.n_scores; i++)
        scores[i] = (struct strategy_score){.name = m.scores[i].name,
                                            .count = m.scores[i].count,
                                            .mean = m.scores[i].mean,
                                            .variance = m.scores[i].variance};
    c->scores = scores;
    c->n_scores = m.n_scores;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void want_outcomes(struct strategy_routes *s, const struct collecting *c)
{
    uint64_t *uids = arena_zero(c->arena, (c->n + 1) * sizeof *uids);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->routes[i].uid) /* matches have none, and their strategy learns from no outcomes */
            uids[n++] = c->routes[i].uid;
    qsort(uids, n, sizeof *uids, by_number);
    strategy_log_want(s->log, uids, n);
}

static bool give_routes(void *ctx, struct arena *a, const struct strategy_route **list, size_t *n)
{
    struct strategy_routes *s = ctx;
    const struct match *matches;
    const size_t n_matches = matches_take(s->matches, clock_wall_ms(s->clock), a, &matches);
    struct collecting c = {.view = view_enter(s->reader), .arena = a};
    c.room = view_count(c.view, ENTITY_ROUTE) + n_matches;
    c.room = c.room < STRATEGY_ROUTES_MAX ? c.room : STRATEGY_ROUTES_MAX;
    c.routes = arena_zero(a, (c.room + 1) * sizeof *c.routes);
    view_each(c.view, ENTITY_ROUTE, consider, &c);
    for (size_t i = 0; i < n_matches; i++)
        add_match(&c, &matches[i]);
    view_leave(s->reader);
    for (size_t i = 0; i < c.n; i++)
        for (size_t k = 0; k < c.routes[i].n; k++)
            read_figures(s, a, (struct strategy_candidate *)(uintptr_t)&c.routes[i].candidates[k]);
    want_outcomes(s, &c);
    *list = c.routes;
    *n = c.n;
    return true;
}

/* ---- outcomes ---- */

/* Candidates by their ids; who is none any more has a name that no model can have. */
static const char *model_id_of(const struct strategy_route *route, uint64_t uid, struct arena *a)
{
    for (size_t i = 0; i < route->n; i++)
        if (route->candidates[i].model_uid == uid)
            return route->candidates[i].model_id;
    return arena_printf(a, "@%" PRIu64, uid);
}

static bool give_outcomes(void *ctx, const struct strategy_route *route, uint64_t after, size_t max,
                          struct arena *a, struct strategy_outcomes *out)
{
    struct strategy_routes *s = ctx;
    struct logged_outcomes found;
    strategy_log_read(s->log, route->uid, after, max, a, &found);
    const struct logged_outcome *logged = found.list;
    struct strategy_outcome *all = arena_zero(a, (found.n + 1) * sizeof *all);
    for (size_t i = 0; i < found.n; i++)
        all[i] = (struct strategy_outcome){.offset = logged[i].offset,
                                           .decision_id = logged[i].decision_id,
                                           .model_id = model_id_of(route, logged[i].model_uid, a),
                                           .name = logged[i].name,
                                           .value = logged[i].value,
                                           .propensity = logged[i].propensity,
                                           .at_ms = logged[i].at_ms};
    *out = (struct strategy_outcomes){.list = all, .n = found.n, .upto = found.upto};
    return true;
}

static void note_kept(void *ctx, const char *ns, const char *route, uint64_t uid, uint64_t offset)
{
    struct strategy_routes *s = ctx;
    (void)ns, (void)route;
    strategy_log_kept(s->log, uid, offset);
}

static uint64_t life_of(void *ctx)
{
    const struct strategy_routes *s = ctx;
    return strategy_log_life(s->log);
}

bool strategy_routes_init(struct strategy_routes *r, struct engine *engine,
                          struct telemetry *telemetry, struct strategy_log *log,
                          struct matches *matches, const struct clock *clock, struct err *e)
{
    *r = (struct strategy_routes){
        .source = {give_routes, give_outcomes, note_kept, life_of, r},
        .reader = engine_join(engine),
        .telemetry = telemetry,
        .log = log,
        .matches = matches,
        .clock = clock,
    };
    return r->reader || fail(e, &ERR_INTERNAL, "the engine takes no more readers");
}

void strategy_routes_release(struct strategy_routes *r)
{
    if (r->reader)
        engine_part(r->reader);
    r->reader = NULL;
}
