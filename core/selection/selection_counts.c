#include "selection/selection_counts.h"

#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One behind the reasons to serve: what else is counted. */
enum { SHADOWS = SELECTION_REASONS, REPORTS, COUNTED };

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
    struct place others[COUNTED]; /* of places too many */
};

struct selection_counts {
    pthread_mutex_t lock;
    struct map *places;
    struct place others[COUNTED];
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

/* One more of this; its texts are only looked at the first time. */
static void count(struct selection_tally *t, const struct selection_count *one, uint64_t what)
{
    const struct place like = {
        .key = {one->route_uid, one->model_uid, what},
        .ns = (char *)(uintptr_t)one->ns,
        .route = (char *)(uintptr_t)one->route,
        .model_id = (char *)(uintptr_t)one->model_id,
        .name = (char *)(uintptr_t)one->name,
    };
    place_in(t->places, t->others, &like)->count++;
}

void selection_tally_add(struct selection_tally *t, const struct selection_answer *a,
                         const char *ns)
{
    for (size_t i = 0; i <= a->shadow_count; i++) {
        const struct model *m = i ? a->shadows[i - 1] : a->served;
        const struct selection_count one = {.route_uid = a->facts.route_uid,
                                            .model_uid = m->entity.uid,
                                            .ns = ns,
                                            .route = a->route ? a->route : "",
                                            .model_id = m->entity.id,
                                            .name = m->name};
        count(t, &one, i ? (uint64_t)SHADOWS : (uint64_t)a->reason);
    }
}

void selection_tally_report(struct selection_tally *t, const struct selection_count *of)
{
    count(t, of, REPORTS);
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
    for (size_t i = 0; i < COUNTED; i++) {
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

static struct selection_count told(const struct place *p)
{
    const uint64_t what = p->key.reason;
    return (struct selection_count){.what = what == SHADOWS   ? COUNTED_SHADOW
                                            : what == REPORTS ? COUNTED_REPORT
                                                              : COUNTED_SERVED,
                                    .route_uid = p->key.route_uid,
                                    .model_uid = p->key.model_uid,
                                    .ns = p->ns,
                                    .route = p->route,
                                    .model_id = p->model_id,
                                    .name = p->name,
                                    .reason = what < SELECTION_REASONS ? (enum selection_reason)what
                                                                       : SELECTION_KILLED,
                                    .count = p->count};
}

void selection_counts_each(struct selection_counts *c,
                           void (*fn)(void *ctx, const struct selection_count *count), void *ctx)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    pthread_mutex_lock(&c->lock);
    while (map_next(c->places, &at, &key, &len, &value)) {
        const struct selection_count one = told(value);
        fn(ctx, &one);
    }
    for (size_t i = 0; i < COUNTED; i++) {
        struct place other = {
            .key = {.reason = i}, .ns = "", .route = "", .model_id = "", .name = ""};
        other.count = c->others[i].count;
        const struct selection_count one = told(&other);
        if (one.count)
            fn(ctx, &one);
    }
    pthread_mutex_unlock(&c->lock);
}
