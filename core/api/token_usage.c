#include "api/token_usage.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX        "token-used/"
#define KEPT_MS       (400 * 86400000LL)
#define WRITE_MS      60000
#define WRITE_AT_ONCE 256

struct usage {
    uint64_t uid;
    int64_t at, written, coarse;
};

struct token_usage {
    struct store *store;
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct map *map; /* uid -> struct usage */
    int64_t written_ms;
    unsigned writing;
};

/* One key on its way to the store. */
struct writing {
    struct key_request request; /* first */
    struct token_usage *usage;
    char key[40], value[24];
};

static struct usage *place_of(struct token_usage *u, uint64_t uid)
{
    struct usage *x = map_get(u->map, &uid, sizeof uid);
    if (x)
        return x;
    x = mem_zero(1, sizeof *x);
    x->uid = uid;
    map_set(u->map, &uid, sizeof uid, x);
    return x;
}

static bool restore(void *ctx, const struct store_key *k)
{
    struct token_usage *u = ctx;
    uint64_t uid = strtoull(k->key + sizeof PREFIX - 1, NULL, 10);
    char text[24] = "";
    if (uid && k->value_len < sizeof text) {
        memcpy(text, k->value, k->value_len);
        struct usage *x = place_of(u, uid);
        x->at = x->written = strtoll(text, NULL, 10);
    }
    return true;
}

static void usage_free(struct token_usage *u)
{
    const void *key;
    void *value;
    size_t at = 0, len;
    while (map_next(u->map, &at, &key, &len, &value))
        free(value);
    map_free(u->map);
    pthread_cond_destroy(&u->idle);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

struct token_usage *token_usage_open(struct store *s, const struct clock *clock, struct err *e)
{
    struct token_usage *u = mem_zero(1, sizeof *u);
    u->store = s;
    u->clock = clock;
    u->map = map_new();
    u->written_ms = clock_wall_ms(clock);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->idle, NULL);
    if (s->ops->keys(s, PREFIX, restore, u, e))
        return u;
    usage_free(u);
    return NULL;
}

int64_t token_usage_last(struct token_usage *u, uint64_t uid)
{
    pthread_mutex_lock(&u->lock);
    const struct usage *x = map_get(u->map, &uid, sizeof uid);
    int64_t at = x ? x->at : 0;
    pthread_mutex_unlock(&u->lock);
    return at;
}

/* --- writing --- */

/* [store] A key that could not be written is written with its next use. */
static void written(struct key_request *k)
{
    struct writing *w = (struct writing *)(void *)k;
    struct token_usage *u = w->usage;
    arena_free(k->arena);
    free(w);
    pthread_mutex_lock(&u->lock);
    if (--u->writing == 0)
        pthread_cond_broadcast(&u->idle);
    pthread_mutex_unlock(&u->lock);
}

static struct writing *writing_of(struct token_usage *u, struct usage *x)
{
    struct writing *w = mem_zero(1, sizeof *w);
    snprintf(w->key, sizeof w->key, PREFIX "%" PRIu64, x->uid);
    snprintf(w->value, sizeof w->value, "%" PRId64, x->at);
    w->usage = u;
    w->request = (struct key_request){
        .op = KEY_PUT,
        .key = {w->key, w->value, strlen(w->value), x->at + KEPT_MS},
        .arena = arena_new(4096),
        .done = written,
    };
    x->written = x->at;
    return w;
}

/* Submit outside of the lock: the store may answer in the call. */
static void write_out(struct token_usage *u, bool all)
{
    struct writing *list[WRITE_AT_ONCE];
    const void *key;
    void *value;
    size_t n = 0, at = 0, len;
    do {
        n = at = 0;
        pthread_mutex_lock(&u->lock);
        while (n < WRITE_AT_ONCE && map_next(u->map, &at, &key, &len, &value)) {
            struct usage *x = value;
            if (x->at > x->written + (all ? 0 : x->coarse))
                list[n++] = writing_of(u, x);
        }
        u->writing += (unsigned)n;
        pthread_mutex_unlock(&u->lock);
        for (size_t i = 0; i < n; i++)
            u->store->ops->key(u->store, &list[i]->request);
    } while (all && n == WRITE_AT_ONCE);
}

void token_usage_close(struct token_usage *u)
{
    if (!u)
        return;
    write_out(u, true);
    pthread_mutex_lock(&u->lock);
    while (u->writing)
        pthread_cond_wait(&u->idle, &u->lock);
    pthread_mutex_unlock(&u->lock);
    usage_free(u);
}

/* --- the loops --- */

void token_usage_tell(struct token_usage *u, uint64_t uid, int64_t at_ms, int64_t coarse_ms)
{
    pthread_mutex_lock(&u->lock);
    struct usage *x = place_of(u, uid);
    if (at_ms > x->at)
        x->at = at_ms;
    x->coarse = coarse_ms;
    pthread_mutex_unlock(&u->lock);
}

void token_usage_note(struct token_usage *u, struct usage_places *places, uint64_t uid,
                      int64_t now_ms)
{
    size_t i = uid % USAGE_PLACES;
    if (places->list[i].uid != uid) {
        if (places->list[i].at > places->list[i].told)
            token_usage_tell(u, places->list[i].uid, places->list[i].at, 0);
        places->list[i].uid = uid;
        places->list[i].told = 0;
    }
    places->list[i].at = now_ms;
}

void token_usage_tick(struct token_usage *u, struct usage_places *places, int64_t now_ms)
{
    for (size_t i = 0; i < USAGE_PLACES; i++) {
        if (places->list[i].at <= places->list[i].told)
            continue;
        token_usage_tell(u, places->list[i].uid, places->list[i].at, 0);
        places->list[i].told = places->list[i].at;
    }
    pthread_mutex_lock(&u->lock);
    bool due = now_ms - u->written_ms >= WRITE_MS && u->writing == 0;
    if (due)
        u->written_ms = now_ms;
    pthread_mutex_unlock(&u->lock);
    if (due)
        write_out(u, false);
}
