#include "api/denials.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/loop.h"
#include "registry/denial.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GATHERED_MAX 1024  /* who is refused at one time; further ones are counted as `others` */
#define PAUSE_MS     60000 /* between two entries about one */
#define AT_ONCE      16    /* entries of one tick */
#define CASE_MAX     2048  /* bytes */
#define ARENA_MAX    (8 << 20)

/* What waits to be told about one. */
struct gathered {
    char *ns, *kind, *id, *request_id;
    int64_t count, last_at, not_before;
    char *cases[DENIAL_CASES]; /* the newest, at count % DENIAL_CASES */
};

struct denials {
    struct engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct map *map; /* "ns\nid" -> struct gathered */
    unsigned writing;
};

struct write {
    struct command command; /* first */
    struct denial_note note;
    struct denials *denials;
};

struct denials *denials_new(struct engine *en)
{
    struct denials *d = mem_zero(1, sizeof *d);
    d->engine = en;
    d->map = map_new();
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->idle, NULL);
    return d;
}

static void gathered_free(struct gathered *g)
{
    for (int i = 0; i < DENIAL_CASES; i++)
        free(g->cases[i]);
    free(g->ns);
    free(g->kind);
    free(g->id);
    free(g->request_id);
    free(g);
}

/* --- gathering --- */

static struct gathered *place_of(struct denials *d, const char *ns, const char *kind,
                                 const char *id, bool full)
{
    struct bytes key = BYTES_INIT(4096);
    bytes_printf(&key, "%s\n%s", ns, id);
    struct gathered *g = map_get(d->map, key.data, key.len);
    if (!g && !full) {
        g = mem_zero(1, sizeof *g);
        g->ns = mem_text(ns);
        g->kind = mem_text(kind);
        g->id = mem_text(id);
        map_set(d->map, key.data, key.len, g);
    }
    bytes_release(&key);
    return g;
}

static struct gathered *gathered_of(struct denials *d, const char *ns, const char *kind,
                                    const char *id)
{
    struct gathered *g = place_of(d, ns, kind, id, map_count(d->map) >= GATHERED_MAX);
    return g ? g : place_of(d, "default", "anonymous", "others", false);
}

static char *case_of(const struct request *rq, int64_t at, const struct err *why)
{
    struct bytes b = BYTES_INIT(CASE_MAX);
    bytes_char(&b, '{');
    json_kv_time(&b, "at", at);
    json_kv_string(&b, "operation", request_route(rq)->operation);
    json_kv_int(&b, "status", why->kind->status);
    json_kv_string(&b, "peer", request_peer(rq));
    json_kv_string(&b, "request_id", request_id(rq));
    if (why->members) {
        bytes_char(&b, ',');
        bytes_text(&b, why->members);
    }
    bytes_char(&b, '}');
    char *text = b.full ? NULL : mem_text(b.data);
    bytes_release(&b);
    return text;
}

void denials_note(struct denials *d, const struct request *rq, const char *ns,
                  const struct err *why)
{
    int64_t now = loop_wall_ms(request_loop(rq));
    char *text = case_of(rq, now, why);
    pthread_mutex_lock(&d->lock);
    struct gathered *g = gathered_of(d, ns, request_actor_kind(rq), request_actor_id(rq));
    char **place = &g->cases[g->count++ % DENIAL_CASES];
    free(*place);
    *place = text;
    free(g->request_id);
    g->request_id = mem_text(request_id(rq));
    g->last_at = now;
    pthread_mutex_unlock(&d->lock);
}

/* --- writing --- */

/* [engine] What could not be written is not tried again: the store is away, and says so itself. */
static void written(struct command *c)
{
    struct write *w = (struct write *)(void *)c;
    struct denials *d = w->denials;
    arena_free(c->arena);
    free(w);
    pthread_mutex_lock(&d->lock);
    if (--d->writing == 0)
        pthread_cond_broadcast(&d->idle);
    pthread_mutex_unlock(&d->lock);
}

/* The newest cases, oldest first. */
static const char *cases_of(const struct gathered *g, struct arena *a)
{
    struct bytes b = BYTES_INIT((size_t)DENIAL_CASES * (CASE_MAX + 1) + 2);
    int64_t first = g->count > DENIAL_CASES ? g->count - DENIAL_CASES : 0;
    bytes_char(&b, '[');
    for (int64_t i = first; i < g->count; i++) {
        const char *text = g->cases[i % DENIAL_CASES];
        if (text && b.len > 1)
            bytes_char(&b, ',');
        if (text)
            bytes_text(&b, text);
    }
    bytes_char(&b, ']');
    const char *text = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

static struct write *write_of(struct denials *d, struct gathered *g)
{
    struct write *w = mem_zero(1, sizeof *w);
    struct arena *a = arena_new(ARENA_MAX);
    w->denials = d;
    w->note = (struct denial_note){g->count, g->last_at, cases_of(g, a)};
    w->command = (struct command){
        .arena = a,
        .ns = arena_text(a, g->ns),
        .actor = {arena_text(a, g->kind), arena_text(a, g->id), NULL},
        .request_id = arena_text(a, g->request_id),
        .if_match = -1,
        .args = &w->note,
        .decide = denial_add,
        .done = written,
    };
    g->count = 0;
    return w;
}

/* Those that are due; what is neither due nor waits is forgotten. */
static size_t collect(struct denials *d, int64_t now_ms, struct write *list[AT_ONCE])
{
    struct gathered *idle[AT_ONCE];
    const void *key;
    void *value;
    size_t at = 0, len, n = 0, n_idle = 0;
    while (map_next(d->map, &at, &key, &len, &value)) {
        struct gathered *g = value;
        if (now_ms < g->not_before)
            continue;
        if (g->count && n < AT_ONCE) {
            list[n++] = write_of(d, g);
            g->not_before = now_ms + PAUSE_MS;
        } else if (!g->count && n_idle < AT_ONCE) {
            idle[n_idle++] = g;
        }
    }
    for (size_t i = 0; i < n_idle; i++) {
        struct bytes name = BYTES_INIT(4096);
        bytes_printf(&name, "%s\n%s", idle[i]->ns, idle[i]->id);
        map_remove(d->map, name.data, name.len);
        bytes_release(&name);
        gathered_free(idle[i]);
    }
    d->writing += (unsigned)n;
    return n;
}

static size_t write_due(struct denials *d, int64_t now_ms)
{
    struct write *list[AT_ONCE];
    struct err e;
    pthread_mutex_lock(&d->lock);
    size_t n = collect(d, now_ms, list);
    pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < n; i++)
        if (!engine_submit(d->engine, &list[i]->command, &e))
            written(&list[i]->command);
    return n;
}

void denials_tick(struct denials *d, int64_t now_ms)
{
    write_due(d, now_ms);
}

void denials_free(struct denials *d)
{
    const void *key;
    void *value;
    size_t at = 0, len;
    if (!d)
        return;
    while (write_due(d, INT64_MAX - PAUSE_MS) == AT_ONCE)
        ;
    pthread_mutex_lock(&d->lock);
    while (d->writing)
        pthread_cond_wait(&d->idle, &d->lock);
    pthread_mutex_unlock(&d->lock);
    while (map_next(d->map, &at, &key, &len, &value))
        gathered_free(value);
    map_free(d->map);
    pthread_cond_destroy(&d->idle);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
