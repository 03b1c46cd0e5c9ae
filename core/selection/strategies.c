#include "selection/strategies.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "selection/strategies_impl.h"
#include "selection/strategy_log.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_BYTES (256u << 20) /* of what is read for one round */
#define CATCH_UP    20           /* turns in one round of a route that is behind */
#define NS_PER_MS   INT64_C(1000000)

const char *const STRATEGY_FRESHNESS_NAMES[] = {
    [STRATEGY_WAITING] = "waiting",
    [STRATEGY_FRESH] = "fresh",
    [STRATEGY_STALE] = "stale",
    [STRATEGY_SILENT] = "silent",
};

static int64_t now_ns(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

/* 1, 2, 4 ... times the wait. */
static int64_t wait_ns(const struct strategies *s, unsigned times)
{
    int64_t ms = (int64_t)s->config.wait_ms << (times > 6 ? 6 : times);
    return (ms < STRATEGIES_WAIT_MAX ? ms : STRATEGIES_WAIT_MAX) * NS_PER_MS;
}

/* ---- processes ---- */

static struct shop *shop_of(struct strategies *s, const struct plugin *p)
{
    struct shop *shop = map_get(s->shops, p->sha256, strlen(p->sha256));
    if (shop)
        return shop;
    shop = mem_zero(1, sizeof *shop);
    shop->sha256 = mem_text(p->sha256);
    map_set(s->shops, p->sha256, strlen(p->sha256), shop);
    return shop;
}

static void shop_end(struct shop *shop)
{
    strategy_process_stop(shop->process);
    shop->process = NULL;
    memset(shop->taken, 0, sizeof shop->taken);
}

static void shop_free(struct shop *shop)
{
    shop_end(shop);
    free(shop->sha256);
    free(shop);
}

static bool shop_open(struct strategies *s, struct shop *shop, const struct plugin *p,
                      struct err *e)
{
    const struct strategy_program program = {
        .file = p->copy, .sha256 = p->sha256, .worker = s->config.worker};
    if (shop->process)
        return true;
    if (now_ns() < shop->retry_ns)
        return fail(e, &ERR_BUSY, "its process did not start; it is tried again");
    shop->process = strategy_process_start(&program, e);
    if (!shop->process) {
        shop->retry_ns = now_ns() + wait_ns(s, shop->failures++);
        return false;
    }
    shop->failures = 0;
    shop->generation++;
    return true;
}

/* Whom no route uses any more. */
static void close_shops(struct strategies *s)
{
    size_t at = 0, len, n = 0;
    const void *key;
    void *value;
    struct shop *unused[64];
    while (n < 64 && map_next(s->shops, &at, &key, &len, &value)) {
        struct shop *shop = value;
        if (!shop->used)
            unused[n++] = shop;
        shop->used = false;
    }
    while (n--) {
        map_remove(s->shops, unused[n]->sha256, strlen(unused[n]->sha256));
        shop_free(unused[n]);
    }
}

/* ---- routes ---- */

/* In the map: both names with a NUL between them. */
static const char *key_of(struct arena *a, const char *ns, const char *route, size_t *len)
{
    size_t ns_len = strlen(ns);
    *len = ns_len + 1 + strlen(route);
    char *key = arena_zero(a, *len + 1);
    memcpy(key, ns, ns_len + 1);
    memcpy(key + ns_len + 1, route, *len - ns_len);
    return key;
}

static void free_asked(struct asked *a)
{
    free(a->ns);
    free(a->route);
    free(a->strategy);
    free(a->params);
    free(a->state);
    free(a);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Another strategy, or another route of this name, has nothing of what was learned; other
 * parameters have. */
static void follow(struct strategies *s, struct asked *a, const struct strategy_route *r)
{
    if (strcmp(a->strategy, r->strategy) != 0 || a->uid != r->uid) {
        strategies_close(s, a);
        pthread_mutex_lock(&s->lock); /* others read the name */
        free(a->strategy);
        a->strategy = mem_text(r->strategy);
        pthread_mutex_unlock(&s->lock);
        free(a->state);
        a->state = NULL;
        a->uid = r->uid;
        a->state_offset = a->offset = 0;
        a->retry_ns = 0;
    }
    if (!same_text(a->params, r->params)) {
        strategies_close(s, a);
        free(a->params);
        a->params = mem_text(r->params);
        a->retry_ns = 0;
    }
}

static struct asked *asked_of(struct strategies *s, const struct strategy_route *r)
{
    size_t len;
    const char *key = key_of(s->arena, r->ns, r->route, &len);
    struct asked *a = map_get(s->routes, key, len);
    if (!a) {
        a = mem_zero(1, sizeof *a);
        *a = (struct asked){.ns = mem_text(r->ns),
                            .route = mem_text(r->route),
                            .strategy = mem_text(r->strategy),
                            .params = mem_text(r->params),
                            .uid = r->uid};
        pthread_mutex_lock(&s->lock);
        map_set(s->routes, key, len, a);
        pthread_mutex_unlock(&s->lock);
    }
    follow(s, a, r);
    a->seen = s->round;
    return a;
}

/* Routes that are gone, or that a strategy does not weigh any more. */
static struct asked *gone(struct strategies *s)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(s->routes, &at, &key, &len, &value))
        if (((struct asked *)value)->seen != s->round)
            return value;
    return NULL;
}

static void drop_gone(struct strategies *s)
{
    size_t len;
    for (struct asked *a; (a = gone(s));) {
        const char *key = key_of(s->arena, a->ns, a->route, &len);
        strategies_close(s, a);
        if (store_decides(s->config.store))
            strategies_forget(s, a);
        weights_withdraw(s->config.weights, WEIGHTS_STRATEGY, a->ns, a->route);
        pthread_mutex_lock(&s->lock);
        map_remove(s->routes, key, len);
        pthread_mutex_unlock(&s->lock);
        free_asked(a);
    }
}

/* ---- a turn, and what becomes of it ---- */

static void succeeded(struct strategies *s, struct asked *a, bool answered)
{
    struct strategy_status *st = &a->status;
    a->ended = 0;
    pthread_mutex_lock(&s->lock);
    st->turns++;
    st->offset = a->offset;
    st->error[0] = '\0';
    st->pid = (int)strategy_process_pid(a->shop->process);
    if (answered)
        st->answered_at_ms = clock_wall_ms(s->config.clock);
    if (!a->more)
        st->freshness = answered ? STRATEGY_FRESH : STRATEGY_SILENT;
    pthread_mutex_unlock(&s->lock);
}

static void failed(struct strategies *s, struct asked *a, bool ended, const struct err *e)
{
    struct strategy_status *st = &a->status;
    bool first = st->error[0] == '\0';
    if (ended)
        a->retry_ns = now_ns() + wait_ns(s, a->ended++);
    pthread_mutex_lock(&s->lock);
    st->turns++;
    st->failures++;
    st->restarts += ended;
    st->freshness = STRATEGY_STALE;
    st->pid = 0;
    snprintf(st->error, sizeof st->error, "%s", e->detail);
    pthread_mutex_unlock(&s->lock);
    if (first)
        log_text(LOG_WARN, "strategy_failed",
                 arena_printf(s->arena, "%s, route %s: %s", a->strategy, a->route, e->detail));
}

/* What others follow is kept at every turn. */
static bool keep_is_due(const struct strategies *s, const struct asked *a)
{
    return store_shared(s->config.store) || now_ns() - a->kept_ns >= s->config.keep_ms * NS_PER_MS;
}

static bool ask_once(struct strategies *s, struct asked *a, const struct strategy_route *r,
                     bool keep, struct err *e)
{
    bool answered;
    if (!strategies_turn(s, a, r, keep, &answered, e))
        return false;
    succeeded(s, a, answered);
    if (!keep || a->more)
        return true;
    a->kept_ns = now_ns();
    if (!strategies_keep(s, a, e))
        return false;
    if (s->config.source->kept)
        s->config.source->kept(s->config.source->ctx, a->ns, a->route, a->uid, a->state_offset);
    return true;
}

static void ask_in(struct strategies *s, struct asked *a, const struct strategy_route *r,
                   const struct plugin *p, bool keep)
{
    struct err e = {0};
    struct shop *shop = shop_of(s, p);
    if (a->shop != shop) {
        strategies_close(s, a);
        a->shop = shop;
    }
    shop->used = true;
    if (now_ns() < a->retry_ns)
        return;
    bool good = shop_open(s, shop, p, &e);
    for (int i = 0; good && i < CATCH_UP && (i == 0 || a->more); i++)
        good = ask_once(s, a, r, keep, &e);
    bool ended = shop->process && strategy_process_broken(shop->process);
    if (ended)
        shop_end(shop);
    if (!good)
        failed(s, a, ended, &e);
    plugin_used(p, !good);
}

/* Another node asks: what it has published is published here, and outcomes are let go that it has
 * learned from for good; the others are there for whoever asks next. */
static void follow_route(struct strategies *s, const struct strategy_route *r)
{
    const struct strategy_source *source = s->config.source;
    struct asked *a = asked_of(s, r);
    strategies_close(s, a);
    strategies_fetch(s, a, r);
    a->offset = a->state_offset;
    if (source->kept)
        source->kept(source->ctx, a->ns, a->route, a->uid, a->state_offset);
}

/* The store has lost some of what it had: so has what was learned. */
static void begin_anew(struct strategies *s)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    const struct strategy_source *source = s->config.source;
    const uint64_t life = source->life ? source->life(source->ctx) : 0;
    while (life != s->life && map_next(s->routes, &at, &key, &len, &value)) {
        struct asked *a = value;
        strategies_close(s, a);
        free(a->state);
        a->state = NULL;
        a->state_offset = a->offset = a->kept = 0;
        a->fetched = false;
    }
    s->life = life;
}

static void ask_route(struct strategies *s, const struct plugin_set *set,
                      const struct strategy_route *r)
{
    struct asked *a = asked_of(s, r);
    const struct plugin *p = plugin_find(set, PLUGIN_STRATEGY, r->strategy);
    if (!a->fetched)
        strategies_fetch(s, a, r);
    if (!a->fetched)
        return; /* not without what it knows */
    if (p) {
        ask_in(s, a, r, p, keep_is_due(s, a));
        return;
    }
    struct err e;
    fail(&e, &ERR_INVALID, "there is no strategy '%.100s'", r->strategy);
    strategies_close(s, a);
    failed(s, a, false, &e);
}

static void one_round(struct strategies *s)
{
    const struct strategy_route *list = NULL;
    size_t n = 0;
    arena_reset(s->arena);
    if (!s->config.source->routes(s->config.source->ctx, s->arena, &list, &n))
        return;
    s->round++;
    begin_anew(s);
    const struct plugin_set *set = catalog_take(s->config.catalog);
    bool decides = store_decides(s->config.store);
    for (size_t i = 0; i < n; i++)
        if (decides)
            ask_route(s, set, &list[i]);
        else
            follow_route(s, &list[i]);
    catalog_give(s->config.catalog, set);
    drop_gone(s);
    close_shops(s);
}

/* Once more, to keep what came since. */
static void last_round(struct strategies *s)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(s->routes, &at, &key, &len, &value))
        ((struct asked *)value)->kept_ns = INT64_MIN / 2;
    one_round(s);
}

/* ---- the thread ---- */

static bool wait_for_turn(struct strategies *s)
{
    struct timespec until = cond_until(s->config.every_ms);
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && !s->woken)
        if (pthread_cond_timedwait(&s->call, &s->lock, &until) != 0)
            break;
    s->woken = false;
    bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct strategies *s = arg;
    size_t at = 0, len;
    const void *key;
    void *value;
    do
        one_round(s);
    while (wait_for_turn(s));
    last_round(s);
    while (map_next(s->shops, &at, &key, &len, &value))
        shop_end(value); /* here: they end with the thread that started them */
    return NULL;
}

static int or_preset(int given, int preset)
{
    return given > 0 ? given : preset;
}

static void free_all(struct strategies *s)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(s->routes, &at, &key, &len, &value))
        free_asked(value);
    at = 0;
    while (map_next(s->shops, &at, &key, &len, &value))
        shop_free(value);
    map_free(s->routes);
    map_free(s->shops);
    arena_free(s->arena);
    pthread_cond_destroy(&s->call);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct strategies *strategies_start(const struct strategies_config *config, struct err *e)
{
    struct strategies *s = mem_zero(1, sizeof *s);
    s->config = *config;
    strategy_space(config->store, s->space);
    s->life = config->source->life ? config->source->life(config->source->ctx) : 0;
    s->config.every_ms = or_preset(config->every_ms, STRATEGIES_EVERY_MS);
    s->config.keep_ms = or_preset(config->keep_ms, STRATEGIES_KEEP_MS);
    s->config.turn_ms = or_preset(config->turn_ms, STRATEGIES_TURN_MS);
    s->config.wait_ms = or_preset(config->wait_ms, STRATEGIES_WAIT_MS);
    s->routes = map_new();
    s->shops = map_new();
    s->arena = arena_new(ROUND_BYTES);
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->call);
    if (thread_start(&s->thread, "strategies", THREAD_LATER, run, s, e))
        return s;
    free_all(s);
    return NULL;
}

void strategies_stop(struct strategies *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->call);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    free_all(s);
}

void strategies_wake(struct strategies *s)
{
    pthread_mutex_lock(&s->lock);
    s->woken = true;
    pthread_cond_signal(&s->call);
    pthread_mutex_unlock(&s->lock);
}

void strategies_summary(struct strategies *s, const char *strategy, struct strategy_summary *out)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    *out = (struct strategy_summary){.error = ""};
    pthread_mutex_lock(&s->lock);
    while (map_next(s->routes, &at, &key, &len, &value)) {
        const struct asked *a = value;
        if (strcmp(a->strategy, strategy) != 0)
            continue;
        out->routes[a->status.freshness]++;
        if (a->status.freshness == STRATEGY_STALE)
            memcpy(out->error, a->status.error, sizeof out->error);
    }
    pthread_mutex_unlock(&s->lock);
}

bool strategies_status(struct strategies *s, const char *ns, const char *route,
                       struct strategy_status *out)
{
    char key[2048];
    int len = snprintf(key, sizeof key, "%s%c%s", ns, '\0', route);
    bool found = false;
    if (len < 0 || (size_t)len >= sizeof key)
        return false;
    pthread_mutex_lock(&s->lock);
    const struct asked *a = map_get(s->routes, key, (size_t)len);
    if (a) {
        *out = a->status;
        found = true;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}
