/* One turn: the question as text, the answer as weights. */
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "selection/strategies_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the question ---- */

static double rate(uint64_t n, double of)
{
    return of > 0 ? (double)n / of : (double)NAN;
}

static void put_scores(const struct strategy_candidate *c, struct bytes *q)
{
    json_key(q, "scores");
    bytes_char(q, '[');
    for (size_t i = 0; i < c->n_scores; i++) {
        bytes_text(q, i ? ",[" : "[");
        json_put_string(q, c->scores[i].name);
        bytes_printf(q, ",%" PRIu64 ",", c->scores[i].count);
        json_put_number(q, c->scores[i].mean);
        bytes_char(q, ',');
        json_put_number(q, c->scores[i].variance);
        bytes_char(q, ']');
    }
    bytes_char(q, ']');
}

static void put_candidate(const struct strategy_candidate *c, double published, struct bytes *q)
{
    json_kv_string(q, "id", c->model_id);
    json_kv_string(q, "name", c->name);
    json_kv_string(q, "version", c->version);
    json_kv_string(q, "status", c->status);
    json_kv_number(q, "configured", c->configured);
    json_kv_number(q, "published", published);
    json_kv_int(q, "health", c->health);
    json_kv_int(q, "window_ms", (int64_t)c->window_ms);
    json_kv_int(q, "requests", (int64_t)c->requests);
    json_kv_int(q, "errors", (int64_t)c->errors);
    json_kv_number(q, "rate", rate(c->requests, (double)c->window_ms / 1000));
    json_kv_number(q, "error_rate", rate(c->errors, (double)c->requests));
    json_kv_number(q, "mean", c->mean_ms);
    json_kv_number(q, "p50", c->p50_ms);
    json_kv_number(q, "p95", c->p95_ms);
    json_kv_number(q, "p99", c->p99_ms);
    put_scores(c, q);
}

static double published(const struct weights_set *set, const char *arm)
{
    for (size_t i = 0; set && i < set->arm_count; i++)
        if (strcmp(set->arms[i].arm, arm) == 0)
            return weights_propensity(set, &set->arms[i]);
    return 0;
}

static size_t candidates_of(const struct strategy_route *route)
{
    return route->n < ARMS_MAX ? route->n : ARMS_MAX;
}

static void put_candidates(struct strategies *s, const struct strategy_route *route,
                           struct bytes *q)
{
    const struct weights_set *now =
        weights_copy(s->config.weights, WEIGHTS_STRATEGY, route->ns, route->route, s->arena);
    json_key(q, "candidates");
    bytes_char(q, '[');
    for (size_t i = 0; i < candidates_of(route); i++) {
        bytes_text(q, i ? ",{" : "{");
        put_candidate(&route->candidates[i], published(now, route->candidates[i].arm), q);
        bytes_char(q, '}');
    }
    bytes_char(q, ']');
}

static void put_outcomes(const struct strategy_outcome *list, size_t n, struct bytes *q)
{
    json_key(q, "outcomes");
    bytes_char(q, '[');
    for (size_t i = 0; i < n; i++) {
        bytes_text(q, i ? ",[" : "[");
        json_put_string(q, list[i].decision_id);
        bytes_char(q, ',');
        json_put_string(q, list[i].model_id);
        bytes_char(q, ',');
        json_put_string(q, list[i].name);
        bytes_char(q, ',');
        json_put_number(q, list[i].value);
        bytes_char(q, ',');
        json_put_number(q, list[i].propensity);
        bytes_printf(q, ",%" PRId64 "]", list[i].at_ms);
    }
    bytes_char(q, ']');
}

static void begin(const char *op, const struct asked *a, struct bytes *q)
{
    *q = BYTES_INIT(STRATEGY_QUESTION);
    bytes_char(q, '{');
    json_kv_string(q, "op", op);
    json_kv_int(q, "key", a->key);
}

static json_t *ask(struct strategies *s, struct asked *a, struct bytes *q, struct err *e)
{
    json_t *answer = NULL;
    bytes_char(q, '}');
    if (q->full)
        fail(e, &ERR_INVALID, "the question is too long");
    else
        answer = strategy_process_ask(a->shop->process, q->data, q->len, s->config.turn_ms, e);
    bytes_release(q);
    return answer;
}

/* ---- the instance ---- */

/* Fixed for the life of the route, whichever node asks. */
static uint64_t seed_of(const struct asked *a)
{
    return hash64(a->route, strlen(a->route), hash64(a->ns, strlen(a->ns), a->uid));
}

static bool take_key(struct asked *a, struct err *e)
{
    for (size_t i = 0; i < STRATEGY_KEYS; i++)
        if (!a->shop->taken[i]) {
            a->shop->taken[i] = true;
            a->key = (int)i;
            return true;
        }
    return fail(e, &ERR_BUSY, "a strategy takes at most %d routes", STRATEGY_KEYS);
}

static bool open_instance(struct strategies *s, struct asked *a, struct err *e)
{
    struct bytes q;
    if (a->generation == a->shop->generation)
        return true;
    if (!take_key(a, e))
        return false;
    begin("open", a, &q);
    json_kv_string(&q, "route", a->route);
    json_key(&q, "seed");
    bytes_printf(&q, "\"%" PRIu64 "\"", seed_of(a));
    json_kv_int(&q, "now_ms", clock_wall_ms(s->config.clock));
    json_kv_raw(&q, "config", a->params ? a->params : "{}");
    json_kv_string(&q, "state", a->state);
    json_t *answer = ask(s, a, &q, e);
    if (!answer) {
        a->shop->taken[a->key] = false;
        return false;
    }
    bool restored = json_is_true(json_object_get(answer, "restored"));
    json_decref(answer);
    a->generation = a->shop->generation;
    a->offset = a->state_offset; /* what came since is told again */
    pthread_mutex_lock(&s->lock);
    a->status.restored = restored;
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* Whatever the process has of it, it is done with. */
static void let_go(struct strategies *s, struct asked *a)
{
    struct shop *shop = a->shop;
    struct err e;
    struct bytes q;
    if (a->generation && a->generation == shop->generation &&
        !strategy_process_broken(shop->process)) {
        begin("close", a, &q);
        json_decref(ask(s, a, &q, &e));
        shop->taken[a->key] = false;
    }
    a->generation = 0;
}

void strategies_close(struct strategies *s, struct asked *a)
{
    if (a->shop && a->shop->process)
        let_go(s, a);
    a->generation = 0;
    a->shop = NULL;
}

/* ---- the answer ---- */

static const char *parts_of(struct strategies *s, const json_t *parts)
{
    struct bytes text = BYTES_INIT(4096);
    if (json_object_size(parts) == 0)
        return NULL;
    json_put_value(&text, parts);
    const char *copy = text.full ? NULL : arena_text(s->arena, text.data);
    bytes_release(&text);
    return copy;
}

/* Weights were checked by the process; their sum may be 0, which is no answer. */
static bool publish(struct strategies *s, const struct strategy_route *route, const json_t *list,
                    bool *answered, struct err *e)
{
    struct weights_arm arms[ARMS_MAX];
    size_t n = candidates_of(route);
    double sum = 0;
    *answered = false;
    if (json_array_size(list) != n)
        return fail(e, &ERR_INVALID, "it weighed %zu of %zu candidates", json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        arms[i] = (struct weights_arm){
            .arm = route->candidates[i].arm,
            .weight = json_number_value(json_array_get(one, 0)),
            .score = json_number_value(json_array_get(one, 1)),
            .parts = parts_of(s, json_array_get(one, 2)),
        };
        sum += arms[i].weight;
    }
    if (!(sum > 0))
        return true;
    *answered = true;
    const struct weights_wish wish = {.ns = route->ns,
                                      .route = route->route,
                                      .route_uid = route->uid,
                                      .by = route->strategy,
                                      .arms = arms,
                                      .arm_count = n,
                                      .at_ms = clock_wall_ms(s->config.clock)};
    return weights_publish(s->config.weights, WEIGHTS_STRATEGY, &wish, e);
}

static void take_state(struct asked *a, const json_t *state)
{
    a->state_offset = a->offset;
    if (!json_is_string(state))
        return;
    free(a->state);
    a->state = mem_text(json_string_value(state));
}

/* Those that are not told yet. While there are more than fit into one turn nobody is weighed: what
 * would come of it is older than what is published. */
static bool read_outcomes(struct strategies *s, struct asked *a, const struct strategy_route *route,
                          struct strategy_outcomes *out, struct err *e)
{
    const struct strategy_source *source = s->config.source;
    *out = (struct strategy_outcomes){.upto = a->offset};
    a->more = false;
    if (!source->outcomes)
        return true;
    if (!source->outcomes(source->ctx, route, a->offset, STRATEGY_OUTCOMES, s->arena, out))
        return fail(e, &ERR_IO, "the outcomes cannot be read just now");
    a->more = out->n == STRATEGY_OUTCOMES;
    return true;
}

bool strategies_turn(struct strategies *s, struct asked *a, const struct strategy_route *route,
                     bool keep, bool *answered, struct err *e)
{
    struct strategy_outcomes outcomes;
    struct bytes q;
    *answered = false;
    if (!open_instance(s, a, e) || !read_outcomes(s, a, route, &outcomes, e))
        return false;
    begin("turn", a, &q);
    json_kv_int(&q, "now_ms", clock_wall_ms(s->config.clock));
    put_outcomes(outcomes.list, outcomes.n, &q);
    if (!a->more)
        put_candidates(s, route, &q);
    json_kv_bool(&q, "save", keep && !a->more);
    json_t *answer = ask(s, a, &q, e);
    if (!answer) {
        let_go(s, a); /* what it took in is not sure: it begins anew from what was kept */
        return false;
    }
    a->offset = outcomes.upto;
    if (keep && !a->more)
        take_state(a, json_object_get(answer, "state"));
    bool good = a->more || publish(s, route, json_object_get(answer, "weights"), answered, e);
    json_decref(answer);
    return good;
}
