#include "store/redis.h"

#include "base/cond.h"
#include "base/ids.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MS 5000
#define LINKS    3

static void commit(struct store *s, struct store_commit *c)
{
    link_post(&redis_of(s)->control, JOB_COMMIT, c);
}
static void journal(struct store *s, struct journal_read *r)
{
    link_post(&redis_of(s)->data, JOB_JOURNAL, r);
}
static void append(struct store *s, struct series_append *a)
{
    link_post(&redis_of(s)->data, JOB_APPEND, a);
}
static void read_series(struct store *s, struct series_read *r)
{
    link_post(&redis_of(s)->data, JOB_READ, r);
}
static void lease(struct store *s, struct lease_request *l)
{
    link_post(&redis_of(s)->control, JOB_LEASE, l);
}
static void key(struct store *s, struct key_request *k)
{
    link_post(&redis_of(s)->control, JOB_KEY, k);
}
static void queue(struct store *s, struct queue_request *q)
{
    link_post(&redis_of(s)->control, JOB_QUEUE, q);
}

int64_t store_away_since(struct store *store)
{
    if (store->ops->tail != redis_tail)
        return 0;
    struct redis *s = redis_of(store);
    struct link *const links[] = {&s->control, &s->data, &s->watch};
    int64_t first = 0;
    for (size_t i = 0; i < LINKS; i++) {
        int64_t since = link_away_since(links[i]);
        if (since && (!first || since < first))
            first = since;
    }
    return first;
}

static void ship(struct store *s, struct delta_ship *d)
{
    link_post(&redis_of(s)->data, JOB_SHIP, d);
}
static void deltas(struct store *s, struct delta_read *d)
{
    link_post(&redis_of(s)->data, JOB_DELTAS, d);
}

static void stats(struct store *store, struct store_stats *out)
{
    struct redis *s = redis_of(store);
    pthread_mutex_lock(&s->stats_lock);
    *out = s->stats;
    s->stats.commit_seconds_max = 0;
    out->unavailable_since = s->failing_since;
    pthread_mutex_unlock(&s->stats_lock);
    int64_t away = store_away_since(store);
    if (away && (!out->unavailable_since || away < out->unavailable_since))
        out->unavailable_since = away;
    out->available = out->unavailable_since == 0;
    pthread_mutex_lock(&s->nodes_lock);
    out->losses = s->losses;
    pthread_mutex_unlock(&s->nodes_lock);
    out->waiting = atomic_load(&s->control.waiting) + atomic_load(&s->data.waiting);
}

/* Also takes apart what was opened only half-way. The link that keeps the lease ends last. */
static void close_store(struct store *store)
{
    struct redis *s = redis_of(store);
    link_stop(&s->watch);
    link_stop(&s->data);
    link_stop(&s->control);
    direct_close(s);
    guides_stop(s);
    struct link *const links[] = {&s->control, &s->data, &s->watch};
    for (size_t i = 0; i < LINKS; i++) {
        pthread_mutex_destroy(&links[i]->lock);
        pthread_cond_destroy(&links[i]->wake);
    }
    pthread_mutex_destroy(&s->direct_lock);
    pthread_mutex_destroy(&s->stats_lock);
    pthread_mutex_destroy(&s->nodes_lock);
    free(s->nodes);
    explicit_bzero(&s->url, sizeof s->url);
    free(s);
}

static const struct store_ops REDIS_OPS = {
    .name = "redis",
    .load = redis_load,
    .chain = redis_chain,
    .keys = redis_keys,
    .mark = redis_mark,
    .rest = redis_rest,
    .tail = redis_tail,
    .watch = redis_watch,
    .commit = commit,
    .journal = journal,
    .append = append,
    .read = read_series,
    .lease = lease,
    .key = key,
    .queue = queue,
    .ship = ship,
    .deltas = deltas,
    .stats = stats,
    .close = close_store,
};

static bool begin_work(struct redis *s, struct err *e)
{
    if (!direct_take_lease(s, e))
        return false;
    bool ok = direct_put_format(s, e);
    if (!ok)
        direct_give_lease(s);
    return ok;
}

static bool direct_start(struct redis *s, const struct redis_settings *settings, struct err *e)
{
    pthread_mutex_lock(&s->direct_lock);
    bool ok = direct_connect(s, e) && direct_check(s, settings, e) &&
              (settings->read_only || (direct_check_rights(s, e) && begin_work(s, e)));
    if (ok && settings->alone && !settings->importing && node_others(s)) {
        direct_give_lease(s);
        ok = fail(e, &ERR_CONFIG, "other nodes work on Redis at %s: stop them first", s->place);
    }
    if (ok && !direct_check_import(s, settings->importing, e)) {
        if (!settings->read_only)
            direct_give_lease(s);
        ok = false;
    }
    pthread_mutex_unlock(&s->direct_lock);
    return ok;
}

struct store *store_redis_open(const struct redis_settings *settings, const struct clock *clock,
                               struct err *e)
{
    struct redis *s = mem_zero(1, sizeof *s);
    const char *node = settings->read_only ? "looking" : settings->node; /* holds no lease */
    char start[ULID_SIZE];
    s->store.ops = &REDIS_OPS;
    s->clock = clock;
    s->reply_ns = (settings->reply_ms ? settings->reply_ms : REPLY_MS) * 1000000LL;
    ulid_make(clock_wall_ms(&CLOCK_SYSTEM), start);
    snprintf(s->me, sizeof s->me, "%.48s/%s", node, start);
    pthread_mutex_init(&s->direct_lock, NULL);
    pthread_mutex_init(&s->stats_lock, NULL);
    pthread_mutex_init(&s->nodes_lock, NULL);
    s->started_ms = clock_wall_ms(clock);
    snprintf(s->version, sizeof s->version, "%s", settings->version ? settings->version : "");
    s->control.keeps_lease = !settings->read_only;
    s->data.spreads = true;
    s->watch.watches = true;
    struct link *const links[] = {&s->control, &s->data, &s->watch};
    for (size_t i = 0; i < LINKS; i++) {
        pthread_mutex_init(&links[i]->lock, NULL);
        cond_init(&links[i]->wake);
        wire_init(&links[i]->main, links[i], NULL);
    }
    if (redis_url_parse(settings->url, &s->url, e)) {
        redis_url_place(&s->url, s->place);
        if (guides_start(s, e) && direct_start(s, settings, e) &&
            link_start(&s->control, s, "control", e) && link_start(&s->data, s, "data", e) &&
            (settings->read_only || link_start(&s->watch, s, "watch", e)) &&
            link_wait(&s->control, e) && link_wait(&s->data, e))
            return &s->store;
    }
    close_store(&s->store);
    return NULL;
}
