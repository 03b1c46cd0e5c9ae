/* What another node has of a model is read until its row is the same before and after: so it is of
 * one moment, for a roll-up writes a row and its slots in one transaction. */
#include "telemetry/fleet_copy.h"

#include "base/grow.h"
#include "store/wait.h"
#include "telemetry/series.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)256 << 20)
#define TRIES     1000 /* until a model's rows were the same for as long as it takes to read them */

static struct store *store_of(const struct copying *c)
{
    return c->fleet->telemetry->config.store;
}

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
    return store_read_wait(store_of(c), &read, e);
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

/* --- which models --- */

static bool note_uid(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    struct copying *c = ctx;
    (void)at, (void)id, (void)data, (void)len;
    GROW(c->uids, c->n_uids, c->uids_cap);
    c->uids[c->n_uids++] = series_key_uid(key);
    return true;
}

bool copying_list(struct copying *c, const char *from, struct err *e)
{
    char pattern[SERIES_KEY_SIZE];
    struct series_read read = {.key = pattern, .each = note_uid, .ctx = c};
    series_key(from, -1, 0, pattern);
    pattern[strlen(pattern) - 1] = '*';
    return store_read_wait(store_of(c), &read, e);
}
