/* A start: the rows, then what the streams have beyond them. A node whose rows are too old, or that
 * is new, takes those of another first. They are copied model by model, each as it is at one
 * moment: the model's row is the same before and after its slots were read, and a roll-up writes
 * all of them in one transaction. The marks come last, so a start that ends half-way begins it
 * anew. */
#include "store/wait.h"
#include "telemetry/fleet.h"
#include "telemetry/fleet_copy.h"
#include "telemetry/series.h"

#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)256 << 20)
#define TRIES     1000 /* until a model's rows were the same for as long as it takes to read them */

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

void copying_init(struct copying *c, struct fleet *f)
{
    *c = (struct copying){.fleet = f, .arena = arena_new(ARENA_MAX), .row = BYTES_INIT(ARENA_MAX)};
    place_space(f->place, c->to);
}

void copying_release(struct copying *c)
{
    arena_free(c->arena);
    bytes_release(&c->row);
    free(c->uids);
    free(c->records);
}

static bool note_uid(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct copying *c = ctx;
    (void)at, (void)id, (void)data, (void)len;
    GROW(c->uids, c->n_uids, c->uids_cap);
    c->uids[c->n_uids++] = series_key_uid(key);
    return true;
}

static void add_record(struct copying *c, int64_t at, const void *data, size_t len)
{
    GROW(c->records, c->n, c->cap);
    c->records[c->n++] = (struct series_record){c->key, at, "", data, len};
}

static bool copy_slot(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                      size_t len)
{
    struct copying *c = ctx;
    (void)key, (void)id;
    add_record(c, at, arena_copy(c->arena, data, len), len);
    return true;
}

static bool copy_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct copying *c = ctx;
    (void)key, (void)at, (void)id;
    bytes_clear(&c->row);
    bytes_add(&c->row, data, len);
    return true;
}

/* Read what a series of the other node has; `c->key` becomes its name here. */
static bool read_series(struct copying *c, const char *from, int tier, uint64_t uid,
                        bool (*each)(void *, const char *, int64_t, const char *, const void *,
                                     size_t),
                        struct err *e)
{
    char key[SERIES_KEY_SIZE], here[SERIES_KEY_SIZE];
    struct series_read read = {.key = key, .each = each, .ctx = c};
    series_key(from, tier, uid, key);
    series_key(c->to, tier, uid, here);
    c->key = arena_text(c->arena, here);
    return store_read_wait(store_of(c->fleet), &read, e);
}

/* False in `*settled`: it has changed meanwhile. */
static bool read_at_once(struct copying *c, const char *from, uint64_t uid, bool *settled,
                         struct err *e)
{
    size_t len;
    arena_reset(c->arena);
    c->n = 0;
    bytes_clear(&c->row);
    if (!read_series(c, from, -1, uid, copy_row, e))
        return false;
    if (c->row.len == 0) { /* it was deleted */
        *settled = true;
        return true;
    }
    char *before = arena_copy(c->arena, c->row.data, c->row.len);
    const size_t was = c->row.len;
    const void *row = model_row_recast(c->arena, before, was, NULL, &len);
    if (!row)
        return fail(e, &ERR_CORRUPT, "the stored state of a model's metrics is damaged");
    add_record(c, 0, row, len);
    c->records[0].key = c->key;
    for (int tier = TIER_MINUTE; tier < TIER_COUNT; tier++) {
        c->first[tier] = c->n;
        if (!read_series(c, from, tier, uid, copy_slot, e))
            return false;
    }
    c->first[TIER_COUNT] = c->n;
    if (!read_series(c, from, -1, uid, copy_row, e))
        return false;
    *settled = c->row.len == was && memcmp(c->row.data, before, was) == 0;
    return true;
}

bool copying_read(struct copying *c, const char *from, uint64_t uid, struct err *e)
{
    bool settled = false;
    for (int i = 0; !settled; i++) {
        if (!read_at_once(c, from, uid, &settled, e))
            return false;
        if (i == TRIES)
            return fail(e, &ERR_BUSY, "another node's figures do not stand still");
    }
    return true;
}

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

bool copying_list(struct copying *c, const char *from, struct err *e)
{
    char pattern[SERIES_KEY_SIZE];
    struct series_read read = {.key = pattern, .each = note_uid, .ctx = c};
    series_key(from, -1, 0, pattern);
    pattern[strlen(pattern) - 1] = '*';
    return store_read_wait(store_of(c->fleet), &read, e);
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

static bool adopt(struct fleet *f, size_t place, struct err *e)
{
    char from[STORE_SPACE_SIZE];
    uint64_t sum;
    struct copying c;
    copying_init(&c, f);
    place_space(place, from);
    bool ok = fleet_read_marks(f, from, &sum, e) && copy_all(&c, from, e);
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

static void forget_rows(struct fleet *f)
{
    const struct models *m = &f->telemetry->models;
    for (size_t i = 0; m->table && i <= m->mask; i++)
        if (m->table[i].live) {
            struct live_fleet *l = m->table[i].live->fleet;
            free(l->row);
            l->row = NULL;
            l->n_row = 0;
        }
}

bool fleet_restore(struct fleet *f, struct err *e)
{
    uint64_t sum;
    if (!fleet_read_marks(f, f->telemetry->space, &sum, e) || !fleet_take(f, true, e))
        return false;
    go_on(f);
    forget_rows(f);
    return true;
}
