/* When a night begins: by the schedule, on the node that has the lease; because somebody asks; or
 * again, after a restart. nights.c carries it through. */
#include "validation/nights_impl.h"

#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "store/nodes.h"
#include "validation/run_store.h"
#include "validation/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_MS      30000
#define LEASE_EVERY_S 10
#define TAKE_UP_MS    1000

/* --- because somebody asks --- */

static void take_wish(struct mail *m)
{
    struct night_wish *w = (struct night_wish *)(void *)m;
    struct validation *v = w->owner_validation;
    const struct night *running = night_of(v, w->ns);
    if (v->stopping || running) {
        w->ok = false;
        if (v->stopping)
            fail(&w->err, &ERR_BUSY, "the server is being stopped");
        else
            fail(&w->err, &NIGHTLY_RUNNING, "the night '%s' is under way", running->batch_id);
        if (running)
            w->err.members = arena_printf(w->arena, "\"batch_id\":\"%s\"", running->batch_id);
        w->done(w);
        return;
    }
    struct night *n = night_new(v, w->ns, INT64_MIN, 0);
    n->wish = w;
    night_gather(n);
    night_begin(n);
}

void validation_night(struct validation *v, struct night_wish *w)
{
    w->owner_validation = v;
    w->mail.run = take_wish;
    w->ok = false;
    if (!supervisor_ask(v, &w->mail, &w->err))
        w->done(w);
}

/* --- taking up --- */

struct found {
    struct validation *v;
};

static bool is_listed(const struct validation *v, const struct entity *entity)
{
    const struct night *n = v->nights;
    while (n && (strcmp(n->ns, entity->ns) != 0 || strcmp(n->batch_id, entity->id) != 0))
        n = n->following;
    return n != NULL;
}

static bool take_up(const struct entity *entity, void *ctx)
{
    struct validation *v = ((struct found *)ctx)->v;
    const struct nightly_batch *b = nightly_batch_of(document_of(entity));
    if (strcmp(b->state, "running") != 0 || is_listed(v, entity))
        return true;
    struct night *n = night_new(v, entity->ns, b->hour_utc, b->scheduled_for);
    snprintf(n->batch_id, sizeof n->batch_id, "%s", entity->id);
    n->started_at = b->started_at;
    n->again = true;
    return true;
}

static void mark_over(struct night *n, const struct run *r, const char *run_id)
{
    const char *dash = strrchr(run_id, '-');
    uint64_t uid = dash ? strtoull(dash + 1, NULL, 10) : 0;
    for (size_t i = 0; i < n->n; i++)
        if (n->targets[i].uid == uid) {
            n->targets[i].over = true;
            night_count(n->v, &n->counts, r->status);
            return;
        }
    night_count(n->v, &n->counts, r->status); /* of a model that is served no more */
    n->counts.total++;
}

/* [verdicts] What of the night is over already? */
static void look_back(struct mail *m);

/* [supervisor] */
static void looked_back(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    pthread_mutex_lock(&n->v->lock);
    n->v->errands--;
    n->begun = true;
    pthread_mutex_unlock(&n->v->lock);
    if (!night_errand_comes(n))
        return;
    log_event(LOG_INFO, "night_resumed", "\"batch_id\":\"%s\",\"models\":%zu,\"over\":%" PRId64,
              n->batch_id, n->n, night_counted(&n->counts));
    night_queue_more(n);
}

static void look_back(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    struct store *s = n->v->config.store;
    struct run_range range = {.batch_id = n->batch_id, .limit = 1000000};
    struct arena *a = arena_new((size_t)512 << 20), *one = arena_new(RUN_ARENA_MAX);
    struct run_text *list = NULL;
    size_t len = 0;
    struct err e = {0};
    if (!run_list(s, &range, a, &list, &len, NULL, &e))
        log_text(LOG_ERROR, "night_not_read", e.detail);
    for (size_t i = 0; i < len; i++) {
        struct run r;
        arena_reset(one);
        if (run_get(s, n->ns, list[i].run_id, one, &r, NULL) && r.finished_at)
            mark_over(n, &r, list[i].run_id);
    }
    arena_free(one);
    arena_free(a);
    m->run = looked_back;
    supervisor_post(n->v, m);
}

static void not_looked(struct mail *m)
{
    struct night *n = (struct night *)(void *)m;
    pthread_mutex_lock(&n->v->lock);
    n->v->errands--;
    pthread_mutex_unlock(&n->v->lock);
    bool ours = night_errand_comes(n);
    (void)ours;
}

void nights_resume(struct validation *v)
{
    struct found f = {v};
    view_each(view_enter(v->reader), ENTITY_NIGHTLY, take_up, &f);
    view_leave(v->reader);
    for (struct night *n = v->nights; n; n = n->following) {
        if (!n->again || n->looking)
            continue;
        n->looking = true;
        night_gather(n);
        n->mail.run = look_back;
        pthread_mutex_lock(&v->lock);
        v->errands++;
        pthread_mutex_unlock(&v->lock);
        night_errand_goes(n);
        if (!pool_submit(v->verdicts, &n->mail))
            not_looked(&n->mail);
    }
}

/* --- the schedule --- */

struct due {
    char *ns;
    int64_t hour_utc, at;
};

struct dues {
    struct due *list;
    size_t n, cap;
    const struct view *view;
    int64_t now;
};

struct serving {
    int64_t due;
    bool found;
};

/* Was a version in service when the night was due? What came later waits for the next one. */
static bool was_serving(const struct model *m, void *ctx)
{
    struct serving *s = ctx;
    s->found |= model_in_service(m) && m->status_changed_at <= s->due;
    return !s->found;
}

static bool find_due(const struct entity *entity, void *ctx)
{
    struct dues *d = ctx;
    struct nightly_hours h = nightly_hours_of(registered_model_of(entity));
    struct serving s = {.due = night_due(d->now, h.hour_utc)};
    if (!h.enabled)
        return true;
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].hour_utc == h.hour_utc && strcmp(d->list[i].ns, entity->ns) == 0)
            return true;
    if (view_nightly_held(d->view, entity->ns, h.hour_utc, s.due))
        return true;
    view_versions(d->view, entity->ns, entity->id, was_serving, &s);
    if (!s.found)
        return true;
    GROW(d->list, d->n, d->cap);
    d->list[d->n++] = (struct due){mem_text(entity->ns), h.hour_utc, s.due};
    return true;
}

static void begin_due(struct validation *v, const struct due *due, int64_t now_ms)
{
    if (night_of(v, due->ns)) {
        v->nights_blocked = true;
        return;
    }
    struct night *n = night_new(v, due->ns, due->hour_utc, due->at);
    night_gather(n);
    if (now_ms - due->at > NIGHTLY_LATE_MS)
        log_event(LOG_WARN, "night_missed", "\"hour_utc\":%" PRId64, due->hour_utc);
    night_begin(n);
}

static void look_for_dues(struct validation *v, int64_t now_ms)
{
    struct dues d = {.now = now_ms};
    d.view = view_enter(v->reader);
    view_each(d.view, ENTITY_REGISTERED_MODEL, find_due, &d);
    view_leave(v->reader);
    for (size_t i = 0; i < d.n; i++) {
        begin_due(v, &d.list[i], now_ms);
        free(d.list[i].ns);
    }
    free(d.list);
}

/* --- the lease: of many nodes one begins nights --- */

struct leasing {
    struct mail mail;
    struct validation *v;
    struct lease_request request;
};

static void leased(struct mail *m)
{
    struct leasing *l = (struct leasing *)(void *)m;
    struct validation *v = l->v;
    pthread_mutex_lock(&v->lock);
    v->errands--;
    pthread_mutex_unlock(&v->lock);
    v->leasing = false;
    v->leading = l->request.ok && l->request.held;
    free(l);
}

/* [store] */
static void lease_back(struct lease_request *r)
{
    struct leasing *l = r->owner;
    l->mail.run = leased;
    supervisor_post(l->v, &l->mail);
}

static void ask_for_lease(struct validation *v, int64_t ttl_ms)
{
    struct leasing *l = mem_zero(1, sizeof *l);
    l->v = v;
    l->request = (struct lease_request){
        .name = "nightly", .holder = v->claimant, .ttl_ms = ttl_ms, .done = lease_back, .owner = l};
    v->leasing = true;
    pthread_mutex_lock(&v->lock);
    v->errands++;
    pthread_mutex_unlock(&v->lock);
    v->config.store->ops->lease(v->config.store, &l->request);
}

static void keep_lease(struct validation *v)
{
    int64_t now = clock_mono_ns(v->config.clock);
    if (v->leasing || now < v->lease_ns)
        return;
    v->lease_ns = now + LEASE_EVERY_S * INT64_C(1000000000);
    ask_for_lease(v, LEASE_MS);
}

void nights_leave(struct validation *v)
{
    if (v->leading && !store_shared(v->config.store))
        ask_for_lease(v, 0);
}

/* Where several nodes share the store, nights are the decider's, whoever has begun them. */
static void follow_decider(struct validation *v, int64_t now_ms)
{
    v->leading = store_decides(v->config.store);
    for (struct night *n = v->nights, *next; n && !v->leading; n = next) {
        next = n->following;
        if (n->begun || n->looking)
            night_leave_to_others(n);
    }
    if (v->leading && now_ms - v->taken_up_ms >= TAKE_UP_MS) {
        v->taken_up_ms = now_ms;
        nights_resume(v);
    }
}

/* Names are looked through when an hour begins, when a night has ended, and at the start. */
void nights_tick(struct validation *v, int64_t now_ms)
{
    if (!store_shared(v->config.store))
        keep_lease(v);
    else
        follow_decider(v, now_ms);
    if (!v->leading || now_ms / HOUR_MS == v->hour_seen)
        return;
    v->hour_seen = now_ms / HOUR_MS;
    look_for_dues(v, now_ms);
}
