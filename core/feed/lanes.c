#include "feed/lanes.h"

#include "base/grow.h"
#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lanes {
    struct map *targets;         /* by uid */
    struct map *lanes;           /* by lane_key() */
    struct lane **heap;          /* idle lanes by due_ms, the earliest first */
    size_t n, cap;               /* of the heap */
    struct target *first, **end; /* targets with a ready lane, in turn */
};

#define KEY_SIZE 1024

static size_t lane_key(char out[KEY_SIZE], uint64_t uid, const char *subject)
{
    int n = snprintf(out, KEY_SIZE, "%" PRIu64 "/%s", uid, subject);
    return n < KEY_SIZE ? (size_t)n : KEY_SIZE - 1;
}

/* --- the heap --- */

static void heap_put(struct lanes *l, size_t at, struct lane *lane)
{
    l->heap[at] = lane;
    lane->place = at + 1;
}

static void heap_up(struct lanes *l, size_t at)
{
    struct lane *lane = l->heap[at];
    for (; at && l->heap[(at - 1) / 2]->due_ms > lane->due_ms; at = (at - 1) / 2)
        heap_put(l, at, l->heap[(at - 1) / 2]);
    heap_put(l, at, lane);
}

static void heap_down(struct lanes *l, size_t at)
{
    struct lane *lane = l->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < l->n && l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
            child++;
        if (child >= l->n || l->heap[child]->due_ms >= lane->due_ms)
            break;
        heap_put(l, at, l->heap[child]);
        at = child;
    }
    heap_put(l, at, lane);
}

static void heap_add(struct lanes *l, struct lane *lane, int64_t due_ms)
{
    GROW(l->heap, l->n, l->cap);
    lane->due_ms = due_ms;
    l->heap[l->n] = lane;
    heap_up(l, l->n++);
}

static void heap_remove(struct lanes *l, struct lane *lane)
{
    size_t at = lane->place - 1;
    struct lane *last = l->heap[--l->n];
    lane->place = 0;
    if (last == lane)
        return;
    heap_put(l, at, last);
    heap_up(l, at);
    heap_down(l, last->place - 1);
}

/* --- targets and their ready lanes --- */

static void target_list(struct lanes *l, struct target *t)
{
    t->listed = true;
    t->next = NULL;
    t->link = l->end;
    *l->end = t;
    l->end = &t->next;
}

static void target_unlist(struct lanes *l, struct target *t)
{
    if (!t->listed)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    else
        l->end = t->link;
    t->listed = false;
}

static struct target *target_of(struct lanes *l, uint64_t uid, const char *ns, const char *id)
{
    struct target *t = map_get(l->targets, &uid, sizeof uid);
    if (t)
        return t;
    t = mem_zero(1, sizeof *t);
    t->uid = uid;
    t->ns = mem_text(ns);
    t->id = mem_text(id);
    t->ready_end = &t->ready;
    map_set(l->targets, &uid, sizeof uid, t);
    return t;
}

static void target_free(struct target *t)
{
    free(t->ns);
    free(t->id);
    free(t);
}

static void lane_forget(struct lanes *l, struct lane *lane)
{
    char key[KEY_SIZE];
    struct target *t = lane->target;
    size_t len = lane_key(key, t->uid, lane->subject);
    if (!lane->dead)
        map_remove(l->lanes, key, len);
    free(lane->subject);
    free(lane);
    if (--t->lanes)
        return;
    target_unlist(l, t);
    if (map_get(l->targets, &t->uid, sizeof t->uid) == t)
        map_remove(l->targets, &t->uid, sizeof t->uid);
    target_free(t);
}

static void make_ready(struct lanes *l, struct lane *lane)
{
    struct target *t = lane->target;
    lane->next = NULL;
    *t->ready_end = lane;
    t->ready_end = &lane->next;
    if (!t->listed)
        target_list(l, t);
}

static struct lane *take_ready(struct lanes *l, struct target *t)
{
    struct lane *lane = t->ready;
    t->ready = lane->next;
    if (!t->ready)
        t->ready_end = &t->ready;
    target_unlist(l, t);
    if (t->ready)
        target_list(l, t); /* at the end: others first */
    lane->busy = true;
    t->busy++;
    return lane;
}

/* --- outside --- */

struct lanes *lanes_new(void)
{
    struct lanes *l = mem_zero(1, sizeof *l);
    l->targets = map_new();
    l->lanes = map_new();
    l->end = &l->first;
    return l;
}

void lanes_free(struct lanes *l)
{
    const void *key;
    void *value;
    size_t len;
    for (size_t at = 0; map_next(l->lanes, &at, &key, &len, &value);) {
        free(((struct lane *)value)->subject);
        free(value);
    }
    for (size_t at = 0; map_next(l->targets, &at, &key, &len, &value);)
        target_free(value);
    map_free(l->targets);
    map_free(l->lanes);
    free(l->heap);
    free(l);
}

size_t lanes_count(const struct lanes *l)
{
    return map_count(l->lanes);
}

static bool has(const struct lane *lane, uint64_t seq)
{
    for (size_t i = 0; i < lane->n; i++)
        if (lane->list[i].seq == seq)
            return true;
    return false;
}

void lanes_add(struct lanes *l, uint64_t uid, const char *ns, const char *id, const char *subject,
               const struct delivery *d, int64_t due_ms)
{
    char key[KEY_SIZE];
    size_t len = lane_key(key, uid, subject);
    struct lane *lane = map_get(l->lanes, key, len);
    bool fresh = !lane;
    if (lane && has(lane, d->seq))
        return;
    if (fresh) {
        lane = mem_zero(1, sizeof *lane);
        lane->target = target_of(l, uid, ns, id);
        lane->target->lanes++;
        lane->subject = mem_text(subject);
        map_set(l->lanes, key, len, lane);
    }
    lane->target->pending++;
    if (lane->more || !lane_keep(lane, d)) {
        lane->more = true;
        lane->grew = true;
    }
    if (fresh)
        heap_add(l, lane, due_ms);
}

struct lane *lanes_next(struct lanes *l, int64_t now_ms)
{
    while (l->n && l->heap[0]->due_ms <= now_ms) {
        struct lane *lane = l->heap[0];
        heap_remove(l, lane);
        make_ready(l, lane);
    }
    for (struct target *t = l->first; t; t = t->next)
        if (t->busy < TARGET_BUSY)
            return take_ready(l, t);
    return NULL;
}

int64_t lanes_due(const struct lanes *l)
{
    return l->n ? l->heap[0]->due_ms : INT64_MAX;
}

void lane_later(struct lanes *l, struct lane *lane, int64_t due_ms)
{
    lane->busy = false;
    lane->target->busy--;
    if (lane->dead)
        lane_forget(l, lane);
    else
        heap_add(l, lane, due_ms);
}

bool lane_done(struct lanes *l, struct lane *lane, int64_t due_ms)
{
    lane->failures = 0;
    lane->target->pending--;
    lane->n--;
    memmove(lane->list, lane->list + 1, lane->n * sizeof *lane->list);
    if (!lane->dead && !lane->n && lane->more) {
        lane->grew = false;
        return true;
    }
    if (lane->n && !lane->dead) {
        lane_later(l, lane, due_ms);
        return false;
    }
    lane->target->busy--;
    lane_forget(l, lane);
    return false;
}

bool lane_keep(struct lane *lane, const struct delivery *d)
{
    if (lane->n == LANE_KEPT)
        return false;
    lane->list[lane->n++] = *d;
    lane->last_seq = d->seq;
    return true;
}

void lane_read(struct lanes *l, struct lane *lane, bool more, int64_t due_ms)
{
    lane->more = more || lane->grew;
    lane->grew = false;
    if (lane->n || lane->more || lane->dead) {
        lane_later(l, lane, due_ms);
        return;
    }
    lane->target->busy--;
    lane_forget(l, lane);
}

/* Dead lanes leave the map at once, so that a webhook made anew under the same uid (there is none)
 * or a late addition begins a lane of its own. */
static void lane_kill(struct lanes *l, struct lane *lane)
{
    if (!lane->busy) {
        if (lane->place)
            heap_remove(l, lane);
        lane_forget(l, lane);
        return;
    }
    char key[KEY_SIZE];
    map_remove(l->lanes, key, lane_key(key, lane->target->uid, lane->subject));
    lane->dead = true;
}

void lanes_drop(struct lanes *l, uint64_t uid)
{
    struct target *t = map_remove(l->targets, &uid, sizeof uid);
    if (!t)
        return;
    target_unlist(l, t);
    t->ready = NULL;
    t->ready_end = &t->ready;
    struct lane **list = mem_zero(t->lanes, sizeof(struct lane *));
    const void *key;
    void *value;
    size_t n = 0, len, count = t->lanes;
    for (size_t at = 0; n < count && map_next(l->lanes, &at, &key, &len, &value);)
        if (((struct lane *)value)->target == t)
            list[n++] = value;
    for (size_t i = 0; i < n; i++)
        lane_kill(l, list[i]);
    free(list);
}

void lanes_targets(const struct lanes *l, void (*each)(void *ctx, const struct target *t),
                   void *ctx)
{
    const void *key;
    void *value;
    size_t len;
    for (size_t at = 0; map_next(l->targets, &at, &key, &len, &value);)
        each(ctx, value);
}
