#include "selection/selection_counts.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a loop counts by: incarnations, so that no text is looked at. */
struct place_key {
    uint64_t route_uid, model_uid, reason;
};

struct place {
    struct place_key key;
    char *ns, *route, *model_id, *name;
    uint64_t count; /* of the tally: since the last flush */
};

struct selection_tally {
    struct map *places;
    struct place others[SELECTION_REASONS]; /* of places too many */
};

struct selection_counts {
    pthread_mutex_t lock;
    struct map *places;
    struct place others[SELECTION_REASONS];
};

/* ---- places ---- */

static struct place *place_new(const struct place *like)
{
    struct place *p = mem_zero(1, sizeof *p);
    p->key = like->key;
    p->ns = mem_text(like->ns);
    p->route = mem_text(like->route);
    p->model_id = mem_text(like->model_id);
    p->name = mem_text(like->name);
    return p;
}

static void places_free(struct map *places)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(places, &at, &key, &len, &value)) {
        struct place *p = value;
        free(p->ns);
        free(p->route);
        free(p->model_id);
        free(p->name);
        free(p);
    }
    map_free(places);
}

/* The place like this one, made if there is room, else that of all others of the reason. */
static struct place *place_in(struct map *places, struct place *others, const struct place *like)
{
    struct place *p = map_get(places, &like->key, sizeof like->key);
    if (p)
        return p;
    if (map_count(places) >= SELECTION_COUNTS_MAX)
        return &others[like->key.reason];
    p = place_new(like);
    map_set(places, &p->key, sizeof p->key, p);
    return p;
}

/* ---- one thread's ---- */

struct selection_tally *selection_tally_new(void)
{
    struct selection_tally *t = mem_zero(1, sizeof *t);
    t->places = map_new();
    return t;
}

void selection_tally_free(struct selection_tally *t)
{
    if (!t)
        return;
    places_free(t->places);
    free(t);
}

void selection_tally_add(struct selection_tally *t, const struct selection_answer *a,
                         const char *ns)
{
    const struct place like = {
        .key = {a->facts.route_uid, a->served->entity.uid, a->reason},
        .ns = (char *)(uintptr_t)ns,
        .route = (char *)(uintptr_t)(a->route ? a->route : ""),
        .model_id = (char *)(uintptr_t)a->served->entity.id,
        .name = (char *)(uintptr_t)a->served->name,
    };
    place_in(t->places, t->others, &like)->count++;
}

void selection_tally_flush(struct selection_tally *t, struct selection_counts *c)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    if (map_count(t->places) == 0)
        return;
    pthread_mutex_lock(&c->lock);
    while (map_next(t->places, &at, &key, &len, &value)) {
        struct place *p = value;
        if (p->count)
            place_in(c->places, c->others, p)->count += p->count;
        p->count = 0;
    }
    for (size_t i = 0; i < SELECTION_REASONS; i++) {
        c->others[i].count += t->others[i].count;
        t->others[i].count = 0;
    }
    pthread_mutex_unlock(&c->lock);
    if (map_count(t->places) < SELECTION_COUNTS_MAX)
        return;
    places_free(t->places); /* of routes and models that may be gone: those in use come back */
    t->places = map_new();
}

/* ---- all threads' ---- */

struct selection_counts *selection_counts_new(void)
{
    struct selection_counts *c = mem_zero(1, sizeof *c);
    c->places = map_new();
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void selection_counts_free(struct selection_counts *c)
{
    if (!c)
        return;
    places_free(c->places);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void selection_counts_each(struct selection_counts *c,
                           void (*fn)(void *ctx, const struct selection_count *count), void *ctx)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    pthread_mutex_lock(&c->lock);
    while (map_next(c->places, &at, &key, &len, &value)) {
        const struct place *p = value;
        fn(ctx, &(struct selection_count){.ns = p->ns,
                                          .route = p->route,
                                          .model_id = p->model_id,
                                          .name = p->name,
                                          .reason = (enum selection_reason)p->key.reason,
                                          .count = p->count});
    }
    for (size_t i = 0; i < SELECTION_REASONS; i++)
        if (c->others[i].count)
            fn(ctx, &(struct selection_count){.ns = "",
                                              .route = "",
                                              .model_id = "",
                                              .name = "",
                                              .reason = (enum selection_reason)i,
                                              .count = c->others[i].count});
    pthread_mutex_unlock(&c->lock);
}
