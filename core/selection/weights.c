#include "selection/weights.h"

#include "base/epoch.h"
#include "base/hash.h"
#include "base/mem.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Routes lie in chains of a table that never grows: readers walk a chain while a publisher swaps
 * the set of an entry. Entries are never taken out, only their sets: a route that comes back finds
 * its own, and WEIGHTS_ROUTES_MAX bounds them. */
#define CHAINS 16384u

struct entry {
    struct entry *next; /* written before the entry is reachable */
    uint64_t hash;
    const char *ns, *route; /* in the same block */
    _Atomic(struct weights_set *) set[WEIGHTS_SOURCES];
};

struct weights {
    pthread_mutex_t lock; /* publishers */
    struct epoch *epoch;
    atomic_uint_fast64_t version;
    size_t count;
    _Atomic(struct entry *) chains[CHAINS];
};

struct weights_reader {
    struct weights *table;
    struct epoch_reader *inside;
};

struct weights *weights_new(void)
{
    struct weights *w = mem_zero(1, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    w->epoch = epoch_new();
    return w;
}

void weights_free(struct weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < CHAINS; i++) {
        struct entry *next, *e = atomic_load(&w->chains[i]);
        for (; e; e = next) {
            next = e->next;
            for (int s = 0; s < WEIGHTS_SOURCES; s++)
                free(atomic_load(&e->set[s]));
            free(e);
        }
    }
    epoch_free(w->epoch);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- entries ---- */

static uint64_t key_of(const char *ns, const char *route)
{
    return hash64(route, strlen(route), hash64(ns, strlen(ns), 0));
}

static struct entry *entry_of(struct weights *w, const char *ns, const char *route)
{
    uint64_t hash = key_of(ns, route);
    struct entry *e = atomic_load_explicit(&w->chains[hash % CHAINS], memory_order_acquire);
    while (e && (e->hash != hash || strcmp(e->route, route) != 0 || strcmp(e->ns, ns) != 0))
        e = e->next;
    return e;
}

/* Under the lock. NULL: there are too many. */
static struct entry *entry_make(struct weights *w, const char *ns, const char *route)
{
    struct entry *e = entry_of(w, ns, route);
    if (e || w->count >= WEIGHTS_ROUTES_MAX)
        return e;
    size_t ns_size = strlen(ns) + 1, route_size = strlen(route) + 1;
    e = mem_zero(1, sizeof *e + ns_size + route_size);
    char *text = (char *)(e + 1);
    e->hash = key_of(ns, route);
    e->ns = memcpy(text, ns, ns_size);
    e->route = memcpy(text + ns_size, route, route_size);
    e->next = atomic_load(&w->chains[e->hash % CHAINS]);
    atomic_store_explicit(&w->chains[e->hash % CHAINS], e, memory_order_release);
    w->count++;
    return e;
}

/* ---- sets ---- */

static size_t set_size(const struct weights_wish *wish, size_t shares)
{
    size_t size = sizeof(struct weights_set) + wish->arm_count * sizeof(struct weights_arm) +
                  shares * sizeof(struct share) + strlen(wish->by) + 1;
    for (size_t i = 0; i < wish->arm_count; i++)
        size += strlen(wish->arms[i].arm) + 1 +
                (wish->arms[i].parts ? strlen(wish->arms[i].parts) + 1 : 0);
    return size;
}

static const char *put_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

/* `block` has set_size() bytes. */
static struct weights_set *set_fill(void *block, const struct weights_wish *wish,
                                    const struct share *shares, size_t n)
{
    struct weights_set *set = block;
    struct weights_arm *arms = (struct weights_arm *)(set + 1);
    struct share *ranges = (struct share *)(arms + wish->arm_count);
    char *at = (char *)(ranges + n);
    *set = (struct weights_set){.at_ms = wish->at_ms,
                                .route_uid = wish->route_uid,
                                .arm_count = wish->arm_count,
                                .share_count = n,
                                .arms = arms,
                                .shares = ranges};
    for (size_t i = 0; i < wish->arm_count; i++) {
        arms[i] = wish->arms[i];
        arms[i].arm = put_text(&at, wish->arms[i].arm);
        arms[i].parts = put_text(&at, wish->arms[i].parts);
    }
    memcpy(ranges, shares, n * sizeof *shares);
    set->by = put_text(&at, wish->by);
    return set;
}

/* The ranges of `from` with its arms numbered as in the wish; those that are gone are ARMS_MAX. */
static size_t renumbered(const struct weights_set *from, const struct weights_wish *wish,
                         struct share *out)
{
    for (size_t i = 0; from && i < from->share_count; i++) {
        const char *name = from->arms[from->shares[i].arm].arm;
        out[i] = from->shares[i];
        out[i].arm = ARMS_MAX;
        for (size_t k = 0; k < wish->arm_count; k++)
            if (strcmp(wish->arms[k].arm, name) == 0)
                out[i].arm = (uint32_t)k;
    }
    return from ? from->share_count : 0;
}

static bool check_wish(const struct weights_wish *wish, uint32_t want[ARMS_MAX], struct err *e)
{
    double weights[ARMS_MAX];
    if (wish->arm_count == 0 || wish->arm_count > ARMS_MAX)
        return fail(e, &ERR_INVALID, "must have 1 to %d arms", ARMS_MAX);
    for (size_t i = 0; i < wish->arm_count; i++) {
        weights[i] = wish->arms[i].weight;
        for (size_t k = 0; k < i; k++)
            if (strcmp(wish->arms[i].arm, wish->arms[k].arm) == 0)
                return fail(e, &ERR_INVALID, "names the arm '%.200s' twice", wish->arms[i].arm);
    }
    return shares_of_weights(weights, wish->arm_count, want) ||
           fail(e, &ERR_INVALID, "weights must be numbers of 0 or more, not all 0");
}

/* Under the lock. */
static void swap(struct weights *w, struct entry *e, enum weights_source source,
                 struct weights_set *set)
{
    struct weights_set *old = atomic_load(&e->set[source]);
    uint64_t version = atomic_load(&w->version) + 1;
    if (set)
        set->version = version;
    atomic_store_explicit(&e->set[source], set, memory_order_release);
    atomic_store(&w->version, version);
    if (old)
        epoch_retire(w->epoch, old, free);
    epoch_advance(w->epoch);
}

static const struct weights_set *base_of(struct entry *e, enum weights_source source,
                                         const struct weights_wish *wish)
{
    if (wish->from)
        return wish->from;
    for (int s = 0; s < WEIGHTS_SOURCES; s++) {
        const struct weights_set *set = atomic_load(&e->set[s ? !source : source]);
        if (set && set->route_uid == wish->route_uid)
            return set;
    }
    return NULL;
}

bool weights_publish(struct weights *w, enum weights_source source, const struct weights_wish *wish,
                     struct err *e)
{
    uint32_t want[ARMS_MAX];
    struct share before[SHARES_MAX], after[SHARES_MAX];
    if (!check_wish(wish, want, e))
        return false;
    pthread_mutex_lock(&w->lock);
    struct entry *entry = entry_make(w, wish->ns, wish->route);
    if (entry) {
        size_t n = renumbered(base_of(entry, source, wish), wish, before);
        n = shares_reweigh(before, n, want, wish->arm_count, after);
        swap(w, entry, source, set_fill(mem_alloc(set_size(wish, n)), wish, after, n));
    }
    pthread_mutex_unlock(&w->lock);
    return entry || fail(e, &ERR_BUSY, "%d routes have weights already", WEIGHTS_ROUTES_MAX);
}

void weights_withdraw(struct weights *w, enum weights_source source, const char *ns,
                      const char *route)
{
    pthread_mutex_lock(&w->lock);
    struct entry *e = entry_of(w, ns, route);
    if (e && atomic_load(&e->set[source]))
        swap(w, e, source, NULL);
    pthread_mutex_unlock(&w->lock);
}

const struct weights_set *weights_copy(struct weights *w, enum weights_source source,
                                       const char *ns, const char *route, struct arena *a)
{
    struct weights_set *copy = NULL;
    pthread_mutex_lock(&w->lock);
    struct entry *e = entry_of(w, ns, route);
    const struct weights_set *set = e ? atomic_load(&e->set[source]) : NULL;
    if (set) {
        const struct weights_wish as = {.route_uid = set->route_uid,
                                        .by = set->by,
                                        .arms = set->arms,
                                        .arm_count = set->arm_count,
                                        .at_ms = set->at_ms};
        copy = set_fill(arena_zero(a, set_size(&as, set->share_count)), &as, set->shares,
                        set->share_count);
        copy->version = set->version;
    }
    pthread_mutex_unlock(&w->lock);
    return copy;
}

uint64_t weights_version(const struct weights *w)
{
    return atomic_load_explicit(&w->version, memory_order_acquire);
}

/* ---- reading ---- */

struct weights_reader *weights_join(struct weights *w)
{
    struct epoch_reader *inside = epoch_join(w->epoch);
    if (!inside)
        return NULL;
    struct weights_reader *r = mem_alloc(sizeof *r);
    *r = (struct weights_reader){w, inside};
    return r;
}

void weights_part(struct weights_reader *r)
{
    if (!r)
        return;
    epoch_part(r->inside);
    free(r);
}

void weights_enter(struct weights_reader *r)
{
    epoch_enter(r->inside);
}

void weights_leave(struct weights_reader *r)
{
    epoch_leave(r->inside);
}

const struct weights_set *weights_of(struct weights_reader *r, enum weights_source source,
                                     const char *ns, const char *route)
{
    struct entry *e = entry_of(r->table, ns, route);
    return e ? atomic_load_explicit(&e->set[source], memory_order_acquire) : NULL;
}

const struct weights_arm *weights_draw(const struct weights_set *set, uint32_t bucket)
{
    int arm = share_at(set->shares, set->share_count, bucket);
    return arm >= 0 ? &set->arms[arm] : NULL;
}

double weights_propensity(const struct weights_set *set, const struct weights_arm *arm)
{
    return share_of_arm(set->shares, set->share_count, (uint32_t)(arm - set->arms));
}
