/* A start: the rows, then what the streams have beyond them. A node whose rows are too old, or that
 * is new, takes those of another first (fleet_copy.c). The marks come last, so a start that ends
 * half-way begins it anew. */
#include "store/wait.h"
#include "telemetry/fleet.h"
#include "telemetry/fleet_copy.h"
#include "telemetry/series.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)256 << 20)

static struct store *store_of(const struct fleet *f)
{
    return f->telemetry->config.store;
}

/* --- marks --- */

/* Up to which position the rows of a space have each stream, in `taken`; `*sum` 0: it has none. */
bool fleet_read_marks(struct fleet *f, const char *space, uint64_t *sum, struct err *e)
{
    struct store *s = store_of(f);
    *sum = 0;
    for (size_t place = 0; place < f->n_taken; place++) {
        char name[DELTA_MARK_SIZE];
        int64_t value = 0;
        bool found = false;
        delta_mark_name(space, place, name);
        if (!s->ops->mark(s, name, &value, &found, e))
            return false;
        struct taken *t = &f->taken[place];
        const uint64_t at = found ? (uint64_t)value : 0;
        *sum += at;
        *t = (struct taken){{at, at ? UINT64_MAX : 0}, at, t->reaches, false};
    }
    return true;
}

/* Do the streams have all that comes after `taken`? */
static bool look_for_gap(struct fleet *f, bool *gap, struct err *e)
{
    bool more;
    *gap = false;
    if (!fleet_read(f, &more, e))
        return false;
    bool *seen = mem_zero(f->n_taken + 1, sizeof *seen);
    for (size_t i = 0; i < f->n_parts; i++) {
        const struct came *p = &f->parts[i];
        struct delta_reader r;
        struct err damaged;
        if (p->place >= f->n_taken || seen[p->place])
            continue;
        seen[p->place] = true;
        if (delta_open(&r, f->came.data + p->at, p->len, &damaged) &&
            !fleet_goes_on(&f->taken[p->place], p, &r.head))
            *gap = true;
    }
    for (size_t i = 0; i < f->n_taken; i++)
        if (!seen[i] && f->taken[i].reaches > f->taken[i].whole)
            *gap = true;
    free(seen);
    return true;
}

/* What the rows of all nodes have, by their marks, leaves the streams. So before the rows of
 * `space` may become those of this node its marks say no more than they do: until it has counted
 * what comes behind them, that stays, whatever others roll up meanwhile. */
static bool hold_back(struct fleet *f, const char *space, struct err *e)
{
    uint64_t sum;
    struct series_append append = {0};
    struct arena *a = arena_new(ARENA_MAX);
    char own[STORE_SPACE_SIZE];
    bool ok = fleet_read_marks(f, space, &sum, e);
    uint64_t *theirs = arena_zero(a, (f->n_taken + 1) * sizeof *theirs);
    for (size_t i = 0; i < f->n_taken; i++)
        theirs[i] = f->taken[i].whole;
    place_space(f->place, own);
    ok = ok && fleet_read_marks(f, own, &sum, e);
    for (size_t i = 0; i < f->n_taken; i++)
        if (f->taken[i].whole > theirs[i])
            f->taken[i].whole = theirs[i];
    append.marks = fleet_marks(f, own, a, &append.n_marks);
    ok = ok && store_append_wait(store_of(f), &append, e);
    arena_free(a);
    return ok;
}

bool fleet_find(struct fleet *f, size_t *best, bool *whole, struct err *e)
{
    uint64_t most = 0, sum;
    bool gap = false;
    char space[STORE_SPACE_SIZE];
    *best = f->place;
    *whole = false;
    for (size_t place = 0; place < f->n_taken; place++) {
        if (place == f->place)
            continue;
        place_space(place, space);
        if (!fleet_read_marks(f, space, &sum, e))
            return false;
        if (sum == 0 || (*whole && sum <= most))
            continue;
        if (!look_for_gap(f, &gap, e))
            return false;
        if (gap && (*whole || sum <= most))
            continue;
        most = sum;
        *best = place;
        *whole = !gap;
    }
    place_space(*best, space);
    if (!*whole)
        return fleet_read_marks(f, space, &sum, e);
    if (!hold_back(f, space, e) || !fleet_read_marks(f, space, &sum, e) ||
        !look_for_gap(f, &gap, e))
        return false;
    *whole = !gap;
    return true;
}

/* --- copying --- */

static bool copy_model(struct copying *c, const char *from, uint64_t uid, struct err *e)
{
    if (!copying_read(c, from, uid, e))
        return false;
    struct series_append append = {.records = c->records, .n = c->n};
    return c->n == 0 || store_append_wait(store_of(c->fleet), &append, e);
}

/* What this node had itself is of no use any more. */
static bool drop_own(struct copying *c, struct err *e)
{
    enum { KINDS = TIER_COUNT };
    char keys[KINDS][SERIES_KEY_SIZE];
    struct series_trim trims[KINDS];
    for (int tier = 0; tier < KINDS; tier++) {
        series_key(c->to, tier == 0 ? -1 : tier, 0, keys[tier]);
        keys[tier][strlen(keys[tier]) - 1] = '*';
        trims[tier] = (struct series_trim){keys[tier], INT64_MAX};
    }
    struct series_append append = {.trims = trims, .n_trims = KINDS};
    return store_append_wait(store_of(c->fleet), &append, e);
}

static bool write_marks(struct copying *c, struct err *e)
{
    struct fleet *f = c->fleet;
    size_t n;
    arena_reset(c->arena);
    struct series_mark *marks = fleet_marks(f, c->to, c->arena, &n);
    marks[n++] = (struct series_mark){f->telemetry->mark, (int64_t)fleet_shipped(f)};
    struct series_append append = {.marks = marks, .n_marks = n};
    return store_append_wait(store_of(f), &append, e);
}

static bool copy_all(struct copying *c, const char *from, struct err *e)
{
    if (!drop_own(c, e) || !copying_list(c, from, e))
        return false;
    for (size_t i = 0; i < c->n_uids; i++)
        if (!copy_model(c, from, c->uids[i], e))
            return false;
    log_event(LOG_INFO, "figures_adopted", "\"from\":\"%s\",\"models\":%zu", from, c->n_uids);
    return write_marks(c, e);
}

/* `taken` is what that place has: fleet_find() leaves it so. */
static bool adopt(struct fleet *f, size_t place, struct err *e)
{
    char from[STORE_SPACE_SIZE];
    struct copying c;
    copying_init(&c, f);
    place_space(place, from);
    bool ok = copy_all(&c, from, e);
    copying_release(&c);
    return ok;
}

bool fleet_prepare(struct fleet *f, struct err *e)
{
    struct delta_ship here = {.tidy = true}; /* from now on what it lacks stays in the streams */
    struct store *s = store_of(f);
    uint64_t sum;
    int64_t mark;
    bool more, gap, whole, found = false;
    size_t best;
    fleet_taken(f, f->place);
    if (!fleet_note_open(f, e) || !fleet_ask(f, &here, e) ||
        !fleet_read(f, &more, e) || /* how many places there are */
        !fleet_read_marks(f, f->telemetry->space, &sum, e) || !look_for_gap(f, &gap, e) ||
        !s->ops->mark(s, f->telemetry->mark, &mark, &found, e))
        return false;
    if (!gap && (sum || found))
        return true;
    if (!fleet_find(f, &best, &whole, e))
        return false;
    return best == f->place || adopt(f, best, e);
}

/* --- the rows are loaded --- */

void fleet_go_on(struct fleet *f, size_t place)
{
    struct taken *t = &f->taken[place];
    if (place != f->place) {
        atomic_fetch_add(&f->missed, 1);
        log_event(LOG_ERROR, "deltas_lost", "\"place\":%zu,\"from\":%" PRIu64 ",\"to\":%" PRIu64,
                  place, t->whole, t->reaches);
    }
    *t = (struct taken){{t->reaches, t->reaches ? UINT64_MAX : 0}, t->reaches, t->reaches, false};
}

/* What is in no stream and no node's rows any more is lost; all else goes on. */
static void go_on(struct fleet *f)
{
    for (size_t i = 0; i < f->n_taken; i++) {
        const struct taken *t = &f->taken[i];
        if (i == f->place || t->whole < t->reaches || t->gap)
            fleet_go_on(f, i);
    }
}

void fleet_forget_rows(struct fleet *f)
{
    struct telemetry *t = f->telemetry;
    size_t n;
    struct live **lives = models_all(&t->models, &n);
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&lives[i]->lock);
        free(lives[i]->fleet->row);
        lives[i]->fleet->row = NULL;
        lives[i]->fleet->n_row = 0;
        pthread_mutex_unlock(&lives[i]->lock);
        live_release(lives[i], &t->rings);
    }
    free(lives);
}

bool fleet_restore(struct fleet *f, struct err *e)
{
    uint64_t sum;
    if (!fleet_read_marks(f, f->telemetry->space, &sum, e) || !fleet_take(f, true, e))
        return false;
    go_on(f);
    fleet_forget_rows(f);
    return true;
}
