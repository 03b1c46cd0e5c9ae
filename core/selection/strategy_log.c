#include "selection/strategy_log.h"

#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_BITS 18 /* places of one position: OUTCOMES_WRITE_MAX is less than 2^18 */
_Static_assert(OUTCOMES_WRITE_MAX < 1u << PLACE_BITS, "places of one position");

struct waiting {
    struct waiting *next;
    uint64_t offset, model_uid;
    double value, propensity;
    int64_t at_ms;
    char decision_id[DECISION_ID_SIZE];
    char name[]; /* ended by NUL */
};

/* Of one route, oldest first. */
struct route_log {
    uint64_t uid, kept; /* everything up to here is kept */
    bool wanted;        /* by the last round, or new since */
    struct waiting *first, *last;
};

struct strategy_log {
    pthread_mutex_t lock;
    struct map *routes; /* uid to struct route_log */
    uint64_t head;      /* offset of the last outcome of all */
    size_t count;
    uint64_t lost, life;
    struct store *store;
    char space[STORE_SPACE_SIZE];
};

static struct route_log *log_of(struct strategy_log *log, uint64_t uid)
{
    return map_get(log->routes, &uid, sizeof uid);
}

static struct route_log *log_make(struct strategy_log *log, uint64_t uid)
{
    struct route_log *r = log_of(log, uid);
    if (r)
        return r;
    r = mem_zero(1, sizeof *r);
    *r = (struct route_log){.uid = uid, .kept = log->head, .wanted = true};
    map_set(log->routes, &uid, sizeof uid, r);
    return r;
}

static void drop_first(struct strategy_log *log, struct route_log *r)
{
    struct waiting *w = r->first;
    r->first = w->next;
    if (!r->first)
        r->last = NULL;
    log->count--;
    free(w);
}

static void drop_route(struct strategy_log *log, struct route_log *r)
{
    while (r->first)
        drop_first(log, r);
    map_remove(log->routes, &r->uid, sizeof r->uid);
    free(r);
}

/* ---- following ---- */

static void follow(void *self, uint64_t position, const struct outcome *o)
{
    struct strategy_log *log = self;
    size_t size = strlen(o->name) + 1;
    pthread_mutex_lock(&log->lock);
    uint64_t begin = position << PLACE_BITS;
    log->head = log->head >= begin ? log->head + 1 : begin;
    /* What a shadow said never moves anybody, nor does what cannot be weighed. */
    if (!o->shadow && o->decision.route_uid && !isnan(o->decision.propensity)) {
        struct route_log *r = log_make(log, o->decision.route_uid);
        struct waiting *w = mem_zero(1, sizeof *w + size);
        *w = (struct waiting){.offset = log->head,
                              .model_uid = o->model_uid,
                              .value = o->value,
                              .propensity = o->decision.propensity,
                              .at_ms = o->at_ms};
        memcpy(w->decision_id, o->decision_id, sizeof w->decision_id);
        memcpy(w->name, o->name, size);
        *(r->last ? &r->last->next : &r->first) = w;
        r->last = w;
        if (++log->count > STRATEGY_LOG_MAX) {
            drop_first(log, r);
            log->lost++;
        }
    }
    pthread_mutex_unlock(&log->lock);
}

/* The position up to which nobody needs the log any more. */
static uint64_t saved(void *self)
{
    struct strategy_log *log = self;
    uint64_t least = UINT64_MAX;
    size_t at = 0, len;
    const void *key;
    void *value;
    pthread_mutex_lock(&log->lock);
    while (map_next(log->routes, &at, &key, &len, &value)) {
        uint64_t whole = ((const struct route_log *)value)->kept >> PLACE_BITS;
        whole = whole ? whole - 1 : 0; /* of its own position there may be more */
        if (whole < least)
            least = whole;
    }
    pthread_mutex_unlock(&log->lock);
    return least;
}

void strategy_space(struct store *store, char out[STORE_SPACE_SIZE])
{
    if (store_shared(store))
        snprintf(out, STORE_SPACE_SIZE, "*");
    else
        store_space(store, out);
}

bool strategy_space_is(const json_t *kept, const char *space)
{
    const char *of = json_string_value(json_object_get(kept, "space"));
    return strcmp(of ? of : "", space) == 0;
}

/* Of a value that strategies_keep.c wrote. */
static bool take_kept(void *ctx, const struct store_key *k)
{
    struct strategy_log *log = ctx;
    struct err e;
    json_t *kept = json_read(k->value, k->value_len, &e);
    uint64_t uid = (uint64_t)json_integer_value(json_object_get(kept, "uid"));
    /* Offsets are of the log of the node that kept it. */
    pthread_mutex_lock(&log->lock);
    if (kept && strategy_space_is(kept, log->space))
        log_make(log, uid)->kept = (uint64_t)json_integer_value(json_object_get(kept, "offset"));
    pthread_mutex_unlock(&log->lock);
    json_decref(kept);
    return true;
}

/* The common stream is told again, perhaps under other numbers. */
static void begin_anew(void *self)
{
    struct strategy_log *log = self;
    struct err e;
    size_t at = 0, len;
    const void *key;
    void *value;
    pthread_mutex_lock(&log->lock);
    while (map_next(log->routes, &at, &key, &len, &value)) {
        struct route_log *r = value;
        while (r->first)
            drop_first(log, r);
        r->kept = 0;
    }
    log->head = 0;
    log->life++;
    pthread_mutex_unlock(&log->lock);
    if (!log->store->ops->keys(log->store, "strategy/", take_kept, log, &e))
        log_text(LOG_ERROR, "strategy_offsets_not_read", e.detail);
}

struct outcome_follower strategy_log_follower(struct strategy_log *log)
{
    return (struct outcome_follower){
        .outcome = follow, .saved = saved, .anew = begin_anew, .self = log};
}

/* ---- the other end ---- */

void strategy_log_read(struct strategy_log *log, uint64_t route_uid, uint64_t after, size_t max,
                       struct arena *a, struct logged_outcomes *out)
{
    struct logged_outcome *all = arena_zero(a, (max + 1) * sizeof *all);
    size_t count = 0;
    pthread_mutex_lock(&log->lock);
    const struct route_log *r = log_make(log, route_uid);
    for (const struct waiting *w = r->first; w && count < max; w = w->next)
        if (w->offset > after)
            all[count++] = (struct logged_outcome){.offset = w->offset,
                                                   .model_uid = w->model_uid,
                                                   .decision_id = arena_text(a, w->decision_id),
                                                   .name = arena_text(a, w->name),
                                                   .value = w->value,
                                                   .propensity = w->propensity,
                                                   .at_ms = w->at_ms};
    *out = (struct logged_outcomes){
        .list = all, .n = count, .upto = count == max ? all[count - 1].offset : log->head};
    pthread_mutex_unlock(&log->lock);
    if (out->upto < after)
        out->upto = after; /* the log is younger than the state: it was lost, and begins anew */
}

void strategy_log_kept(struct strategy_log *log, uint64_t route_uid, uint64_t offset)
{
    pthread_mutex_lock(&log->lock);
    struct route_log *r = log_make(log, route_uid);
    if (offset > r->kept)
        r->kept = offset;
    while (r->first && r->first->offset <= offset)
        drop_first(log, r);
    pthread_mutex_unlock(&log->lock);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static struct route_log *unwanted(struct strategy_log *log, const uint64_t *uids, size_t n)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(log->routes, &at, &key, &len, &value)) {
        struct route_log *r = value;
        if (!n || !bsearch(&r->uid, uids, n, sizeof *uids, by_number))
            return r;
    }
    return NULL;
}

void strategy_log_want(struct strategy_log *log, const uint64_t *route_uids, size_t n)
{
    pthread_mutex_lock(&log->lock);
    for (struct route_log *r; (r = unwanted(log, route_uids, n));)
        drop_route(log, r);
    pthread_mutex_unlock(&log->lock);
}

uint64_t strategy_log_life(struct strategy_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t life = log->life;
    pthread_mutex_unlock(&log->lock);
    return life;
}

uint64_t strategy_log_lost(struct strategy_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t lost = log->lost;
    pthread_mutex_unlock(&log->lock);
    return lost;
}

/* ---- life ---- */

struct strategy_log *strategy_log_open(struct store *store, struct err *e)
{
    struct strategy_log *log = mem_zero(1, sizeof *log);
    pthread_mutex_init(&log->lock, NULL);
    log->routes = map_new();
    log->store = store;
    strategy_space(store, log->space);
    if (store->ops->keys(store, "strategy/", take_kept, log, e))
        return log;
    strategy_log_free(log);
    return NULL;
}

void strategy_log_free(struct strategy_log *log)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    if (!log)
        return;
    while (map_next(log->routes, &at, &key, &len, &value)) {
        struct route_log *r = value;
        while (r->first)
            drop_first(log, r);
        free(r);
    }
    map_free(log->routes);
    pthread_mutex_destroy(&log->lock);
    free(log);
}
