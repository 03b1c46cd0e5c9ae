#include "selection/shadow_watch.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/ask.h"
#include "registry/alert.h"
#include "registry/route.h"
#include "base/thread.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KIND        "shadow_silent"
#define ROUND_BYTES (64u << 20)
#define SHADOWS_MAX 100000 /* watched at a time */
#define STEP_MS     5000   /* at most */
#define STEP_LEAST  100

/* A shadow as it is in this round. Texts are of the round's arena. */
struct shadow {
    const char *ns, *route, *reference, *model_id, *key;
    uint64_t route_uid, model_uid; /* model 0: the reference leads nowhere */
    double share;
    struct shadow_figures now;
};

/* What is remembered of it. */
struct known {
    struct shadow_seen seen;
    uint64_t model_uid, round;
    double share;
};

struct shadow_watch {
    struct shadow_watch_config config;
    struct view_reader *reader;
    struct arena *arena; /* of one round */
    struct map *known;   /* by ns, NUL, dedupe key */
    uint64_t round;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

enum shadow_turn shadow_step(struct shadow_seen *seen, const struct shadow_figures *now,
                             double share_ratio, int64_t now_ms, int64_t silent_ms)
{
    enum shadow_turn turn = SHADOW_WAITING;
    double expected = (double)(now->asked - seen->then.asked) * share_ratio;
    if (now->reported > seen->then.reported)
        turn = SHADOW_HEARD;
    else if (now_ms - seen->since_ms >= silent_ms && expected >= SHADOW_LEAST)
        turn = SHADOW_SILENT;
    if (turn != SHADOW_WAITING)
        *seen = (struct shadow_seen){.since_ms = now_ms, .then = *now};
    return turn;
}

const char *shadow_alert_key(struct arena *a, const char *route, const char *reference)
{
    return alert_key(a, KIND, arena_printf(a, "%.200s/%.250s", route, reference));
}

/* ---- which there are ---- */

struct collecting {
    const struct view *view;
    struct arena *arena;
    struct shadow *list;
    size_t n, room;
    uint64_t untold; /* reports of shadows that are too many to be counted apart */
};

static bool add_shadows(const struct entity *e, void *ctx)
{
    struct collecting *c = ctx;
    const struct route_plan *p = route_plan_of(document_of(e));
    for (size_t i = 0; i < p->shadow_count && c->n < c->room; i++) {
        const char *reference = p->shadows[i].reference;
        const struct model *m = route_model(c->view, e->ns, p, reference);
        if (m && m->status == STATUS_RETIRED)
            m = NULL;
        if (p->shadows[i].buckets > 0)
            c->list[c->n++] = (struct shadow){
                .ns = arena_text(c->arena, e->ns),
                .route = arena_text(c->arena, e->id),
                .reference = arena_text(c->arena, reference),
                .model_id = m ? arena_text(c->arena, m->entity.id) : NULL,
                .key = shadow_alert_key(c->arena, e->id, reference),
                .route_uid = e->uid,
                .model_uid = m ? m->entity.uid : 0,
                .share = (double)p->shadows[i].buckets / BUCKETS,
            };
    }
    return true;
}

static bool count_shadows(const struct entity *e, void *ctx)
{
    *(size_t *)ctx += route_plan_of(document_of(e))->shadow_count;
    return true;
}

static int by_route(const void *a, const void *b)
{
    const struct shadow *x = a, *y = b;
    return x->route_uid < y->route_uid ? -1 : x->route_uid > y->route_uid;
}

static void add_count(void *ctx, const struct selection_count *count)
{
    struct collecting *c = ctx;
    const struct shadow want = {.route_uid = count->route_uid};
    c->untold += !count->route_uid && count->what == COUNTED_REPORT ? count->count : 0;
    struct shadow *s =
        count->route_uid ? bsearch(&want, c->list, c->n, sizeof *c->list, by_route) : NULL;
    if (!s)
        return;
    while (s > c->list && s[-1].route_uid == count->route_uid)
        s--;
    for (; s < c->list + c->n && s->route_uid == count->route_uid; s++) {
        bool of_it = s->model_uid == count->model_uid;
        s->now.asked += count->what == COUNTED_SERVED ? count->count : 0;
        s->now.named += of_it && count->what == COUNTED_SHADOW ? count->count : 0;
        s->now.reported += of_it && count->what == COUNTED_REPORT ? count->count : 0;
    }
}

/* In the order of their routes, with what was counted. */
static void collect(struct shadow_watch *w, struct collecting *c)
{
    size_t n = 0;
    *c = (struct collecting){.view = view_enter(w->reader), .arena = w->arena};
    view_each(c->view, ENTITY_ROUTE, count_shadows, &n);
    c->room = n < SHADOWS_MAX ? n : SHADOWS_MAX;
    c->list = arena_zero(w->arena, (c->room + 1) * sizeof *c->list);
    view_each(c->view, ENTITY_ROUTE, add_shadows, c);
    view_leave(w->reader);
    qsort(c->list, c->n, sizeof *c->list, by_route);
    if (c->n)
        selection_counts_each(w->config.counts, add_count, c);
    for (size_t i = 0; i < c->n; i++) /* of whom they came is not known: nobody is called silent */
        c->list[i].now.reported += c->untold;
}

/* ---- alerts ---- */

static void tell(struct shadow_watch *w, const char *ns, struct alert_cause *cause, bool raise)
{
    struct err e = {0};
    struct command c = {.arena = w->arena,
                        .ns = ns,
                        .actor = {"server", "shadows", NULL},
                        .request_id = "",
                        .if_match = -1,
                        .id = cause->dedupe_key,
                        .args = cause,
                        .decide = raise ? alert_raise : alert_resolve};
    if (!engine_ask(w->config.engine, &c, &e))
        log_text(LOG_WARN, "shadow_alert_not_journalled", e.detail);
}

static void raise_alert(struct shadow_watch *w, const struct shadow *s, const struct known *before)
{
    const struct shadow_figures *then = &before->seen.then;
    const uint64_t asked = s->now.asked - then->asked, named = s->now.named - then->named;
    const char *why = !s->model_id ? "the reference leads to no model"
                      : named == 0 ? "decisions do not name it"
                                   : "neither a record nor an outcome of it came";
    struct alert_cause cause = {
        .kind = KIND,
        .severity = SEVERITY_MEDIUM,
        .dedupe_key = s->key,
        .model_id = s->model_id,
        .summary = arena_printf(w->arena,
                                "shadow '%.250s' of route '%.200s' gets nothing: of %" PRIu64
                                " decisions %" PRIu64 " named it, and %s",
                                s->reference, s->route, asked, named, why),
    };
    tell(w, s->ns, &cause, true);
}

static void end_alert(struct shadow_watch *w, const char *ns, const char *key)
{
    struct alert_cause cause = {.dedupe_key = key};
    bool open = view_alert_open(view_enter(w->reader), ns, key) != NULL;
    view_leave(w->reader);
    if (open)
        tell(w, ns, &cause, false);
}

/* ---- a round ---- */

static struct known *known_as(struct shadow_watch *w, const char *ns, const char *key)
{
    char text[1024];
    size_t ns_len = strlen(ns) + 1, len = ns_len + strlen(key);
    if (len > sizeof text)
        return NULL;
    memcpy(text, ns, ns_len);
    memcpy(text + ns_len, key, len - ns_len);
    struct known *k = map_get(w->known, text, len);
    if (!k) {
        k = mem_zero(1, sizeof *k);
        map_set(w->known, text, len, k);
    }
    return k;
}

/* On a shared store others may have been told what came of it. */
static bool heard_elsewhere(struct shadow_watch *w, const struct shadow *s, int64_t since_ms)
{
    const struct metrics_query q = {
        .from = since_ms, .to = clock_wall_ms(w->config.clock), .quantiles_unasked = true};
    struct metrics m = {0};
    struct err e;
    return w->config.shared && s->model_uid && q.from < q.to &&
           telemetry_metrics(w->config.telemetry, s->model_uid, &q, w->arena, &m, &e) &&
           m.total > 0;
}

static void look_at(struct shadow_watch *w, const struct shadow *s)
{
    const int64_t now = clock_wall_ms(w->config.clock);
    struct known *k = known_as(w, s->ns, s->key);
    if (!k)
        return;
    if (k->round == 0 || k->model_uid != s->model_uid || k->share != s->share ||
        s->now.asked < k->seen.then.asked || s->now.reported < k->seen.then.reported) {
        *k = (struct known){.seen = {.since_ms = now, .then = s->now},
                            .model_uid = s->model_uid,
                            .share = s->share};
        /* Counted from the first look, so what came before it is heard. */
        k->seen.then.reported = 0;
    }
    const struct known before = *k;
    k->round = w->round;
    switch (shadow_step(&k->seen, &s->now, s->share, now, w->config.silent_ms)) {
    case SHADOW_WAITING: break;
    case SHADOW_HEARD: end_alert(w, s->ns, s->key); break;
    case SHADOW_SILENT:
        if (!heard_elsewhere(w, s, before.seen.since_ms))
            raise_alert(w, s, &before);
        else
            end_alert(w, s->ns, s->key);
        break;
    }
}

struct open_alert {
    struct open_alert *next;
    const char *ns, *key;
};
struct open_alerts {
    struct shadow_watch *w;
    struct open_alert *first;
};

static bool note_open(const struct entity *e, void *ctx)
{
    struct open_alerts *o = ctx;
    const struct alert *a = document_of(e)->fields;
    if (strcmp(a->kind, KIND) != 0 || strcmp(a->state, "resolved") == 0)
        return true;
    const struct known *k = known_as(o->w, e->ns, a->dedupe_key);
    if (k && k->round == o->w->round)
        return true;
    struct open_alert *one = arena_zero(o->w->arena, sizeof *one);
    *one = (struct open_alert){o->first, arena_text(o->w->arena, e->ns),
                               arena_text(o->w->arena, a->dedupe_key)};
    o->first = one;
    return true;
}

/* Alerts of shadows that nobody wants any more, also from before the start. */
static void end_others(struct shadow_watch *w)
{
    struct open_alerts o = {.w = w};
    view_each(view_enter(w->reader), ENTITY_ALERT, note_open, &o);
    view_leave(w->reader);
    for (const struct open_alert *a = o.first; a; a = a->next)
        end_alert(w, a->ns, a->key);
}

static void forget_others(struct shadow_watch *w)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    struct map *kept = map_new();
    while (map_next(w->known, &at, &key, &len, &value)) {
        struct known *k = value;
        if (k->round == w->round)
            map_set(kept, key, len, k);
        else
            free(k);
    }
    map_free(w->known);
    w->known = kept;
}

static void one_round(struct shadow_watch *w)
{
    struct collecting c;
    arena_reset(w->arena);
    w->round++;
    collect(w, &c);
    for (size_t i = 0; i < c.n; i++)
        look_at(w, &c.list[i]);
    end_others(w);
    forget_others(w);
}

/* ---- the thread ---- */

static bool rest(struct shadow_watch *w)
{
    int64_t ms = w->config.silent_ms / 10;
    ms = ms > STEP_MS ? STEP_MS : ms < STEP_LEAST ? STEP_LEAST : ms;
    return cond_rest(&w->wake, &w->lock, &w->stopping, ms);
}

static void *watch_main(void *ctx)
{
    struct shadow_watch *w = ctx;
    while (rest(w))
        one_round(w);
    return NULL;
}

static void watch_free(struct shadow_watch *w)
{
    w->round++;
    forget_others(w);
    map_free(w->known);
    arena_free(w->arena);
    if (w->reader)
        engine_part(w->reader);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct shadow_watch *shadow_watch_start(const struct shadow_watch_config *config, struct err *e)
{
    struct shadow_watch *w = mem_zero(1, sizeof *w);
    w->config = *config;
    w->reader = engine_join(config->engine);
    w->arena = arena_new(ROUND_BYTES);
    w->known = map_new();
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->wake);
    if (!w->reader)
        fail(e, &ERR_INTERNAL, "too many threads read views");
    else if (thread_start(&w->thread, "shadows", THREAD_LATER, watch_main, w, e))
        return w;
    watch_free(w);
    return NULL;
}

void shadow_watch_stop(struct shadow_watch *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    watch_free(w);
}
