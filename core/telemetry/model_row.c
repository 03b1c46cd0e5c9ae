#include "telemetry/fleet.h"
#include "telemetry/series.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

#define ALONE  1
#define SHARED 2

/* The row: this head, the lifetime's bytes, the words (u32 length and text each: error types, then
 * score names), and a checksum of it all. Where several nodes share the store (version 2) there is
 * more before the checksum: u32 length and bytes of what this node alone has sent, u32 places, and
 * of each how far its stream is in the rows. */
struct row_head {
    uint32_t version, lifetime_len;
    uint64_t position;
    int64_t written_until[TIER_COUNT];
    int64_t oldest_6h, newest_6h;
    uint32_t errors, names;
};

#define WORD_MAX 1024 /* bytes: 128 characters of UTF-8 are less */
#define ROW_MAX                                                                         \
    (sizeof(struct row_head) + 2 * TALLY_ENCODED_MAX + 2 * KINDS_MAX * (WORD_MAX + 4) + \
     PLACES_MAX * sizeof(struct delta_at) + 12)

static void put_words(struct bytes *out, const struct words *w)
{
    for (uint32_t i = 0; i < w->n; i++) {
        size_t len;
        const char *text = words_get(w, i, &len);
        uint32_t n = (uint32_t)len;
        bytes_add(out, &n, sizeof n);
        bytes_add(out, text, len);
    }
}

static void put_fleet(struct bytes *out, const struct live_fleet *l, const struct fleet *f)
{
    const uint32_t n = (uint32_t)f->n_taken;
    bytes_add(out, &l->own.len, sizeof l->own.len);
    bytes_add(out, l->own.bytes, l->own.len);
    bytes_add(out, &n, sizeof n);
    for (uint32_t i = 0; i < n; i++)
        bytes_add(out, &f->taken[i].at, sizeof f->taken[i].at);
}

const void *model_row_make(struct arena *a, const struct live *l, const struct fleet *fleet,
                           size_t *len)
{
    struct row_head h = {.version = fleet ? SHARED : ALONE,
                         .lifetime_len = l->lifetime.len,
                         .position = fleet ? fleet_held_shipped(fleet) : l->position,
                         .oldest_6h = l->oldest_stored[TIER_6H],
                         .newest_6h = l->newest_6h,
                         .errors = l->errors.n,
                         .names = l->names.n};
    memcpy(h.written_until, l->written_until, sizeof h.written_until);
    struct bytes out = BYTES_INIT(ROW_MAX);
    bytes_add(&out, &h, sizeof h);
    bytes_add(&out, l->lifetime.bytes, l->lifetime.len);
    put_words(&out, &l->errors);
    put_words(&out, &l->names);
    if (fleet)
        put_fleet(&out, l->fleet, fleet);
    uint32_t checksum = checksum32(out.data, out.len);
    bytes_add(&out, &checksum, sizeof checksum);
    *len = out.len;
    const void *row = arena_copy(a, out.data, out.len);
    bytes_release(&out);
    return row;
}

static const char *get_words(struct words *w, const char *p, const char *end, uint32_t n)
{
    while (n-- && p) {
        uint32_t len;
        if ((size_t)(end - p) < sizeof len)
            return NULL;
        memcpy(&len, p, sizeof len);
        p += sizeof len;
        if (len > (size_t)(end - p))
            return NULL;
        words_put(w, p, len);
        p += len;
    }
    return p;
}

static const char *get_length(const char *p, const char *end, uint32_t *n)
{
    if ((size_t)(end - p) < sizeof *n)
        return NULL;
    memcpy(n, p, sizeof *n);
    return p + sizeof *n;
}

static void set_own(struct live_fleet *f, const void *bytes, uint32_t len)
{
    if (len == 0)
        return;
    f->own.bytes = mem_alloc(len);
    memcpy(f->own.bytes, bytes, len);
    f->own.len = len;
}

static const char *get_fleet(struct live *l, const char *p, const char *end)
{
    struct live_fleet *f = l->fleet;
    uint32_t len, n;
    p = get_length(p, end, &len);
    if (!p || len > (size_t)(end - p) || len > TALLY_ENCODED_MAX)
        return NULL;
    set_own(f, p, len);
    p = get_length(p + len, end, &n);
    if (!p || n > PLACES_MAX || n * sizeof *f->row > (size_t)(end - p))
        return NULL;
    f->row = mem_alloc((n + 1) * sizeof *f->row);
    memcpy(f->row, p, n * sizeof *f->row);
    f->n_row = n;
    return p + n * sizeof *f->row;
}

bool model_row_open(struct live *l, const void *row, size_t len, struct err *e)
{
    struct row_head h;
    uint32_t checksum;
    const char *p = row;
    if (len < sizeof h + sizeof checksum)
        return fail(e, &ERR_CORRUPT, "the stored state of a model's metrics is too short");
    len -= sizeof checksum;
    memcpy(&checksum, p + len, sizeof checksum);
    memcpy(&h, p, sizeof h);
    if (checksum != checksum32(p, len))
        return fail(e, &ERR_CORRUPT, "the stored state of a model's metrics is damaged");
    if (h.version != ALONE && (h.version != SHARED || !l->fleet))
        return fail(e, &ERR_CORRUPT,
                    "the stored state of a model's metrics is of version %u, which is not known "
                    "here",
                    (unsigned)h.version);
    const char *end = p + len;
    p += sizeof h;
    if (h.lifetime_len > (size_t)(end - p))
        return fail(e, &ERR_CORRUPT, "the stored state of a model's metrics is too short");
    struct workshop w;
    workshop_init(&w);
    bool ok = h.lifetime_len == 0 || slot_absorb_bytes(&l->lifetime, p, h.lifetime_len, 0, &w, e);
    workshop_release(&w);
    if (!ok)
        return false;
    p = get_words(&l->errors, p + h.lifetime_len, end, h.errors);
    p = p ? get_words(&l->names, p, end, h.names) : NULL;
    if (p && h.version == SHARED)
        p = get_fleet(l, p, end);
    else if (p && l->fleet)
        set_own(l->fleet, l->lifetime.bytes, l->lifetime.len); /* it knew no other nodes */
    if (p != end)
        return fail(e, &ERR_CORRUPT,
                    "the stored state of a model's metrics has no sound dictionary");
    l->position = h.position;
    l->stored_position = h.version == ALONE ? h.position : 0; /* else the streams say it */
    memcpy(l->written_until, h.written_until, sizeof h.written_until);
    l->oldest_stored[TIER_6H] = h.oldest_6h;
    l->newest_6h = h.newest_6h;
    return true;
}

/* Where the part begins that rows of shared stores have; NULL: there is none, or it is damaged. */
static const char *find_fleet(const struct row_head *h, const char *p, const char *end)
{
    uint32_t len;
    if (h->lifetime_len > (size_t)(end - p))
        return NULL;
    p += h->lifetime_len;
    for (uint64_t n = (uint64_t)h->errors + h->names; p && n; n--) {
        p = get_length(p, end, &len);
        p = p && len <= (size_t)(end - p) ? p + len : NULL;
    }
    return p;
}

static void put_places(struct bytes *out, const struct delta_at *places, uint32_t n)
{
    const uint32_t own = 0;
    bytes_add(out, &own, sizeof own);
    bytes_add(out, &n, sizeof n);
    bytes_add(out, places, n * sizeof *places);
}

const void *model_row_recast(struct arena *a, const void *row, size_t len, const size_t *alone,
                             size_t *out_len)
{
    struct row_head h;
    const char *p = row, *end = p + len - sizeof(uint32_t), *tail;
    uint32_t skipped, n = 0;
    struct delta_at *places = NULL;
    if (len < sizeof h + sizeof(uint32_t))
        return NULL;
    memcpy(&h, p, sizeof h);
    tail = find_fleet(&h, p + sizeof h, end);
    if (!tail || (h.version != ALONE && h.version != SHARED))
        return NULL;
    const size_t kept = (size_t)(tail - p);
    if (h.version == SHARED) {
        tail = get_length(tail, end, &skipped);
        if (!tail || skipped > (size_t)(end - tail))
            return NULL;
        tail = get_length(tail + skipped, end, &n);
        if (!tail || n * sizeof *places != (size_t)(end - tail))
            return NULL;
        places = arena_zero(a, (n + 1) * sizeof *places);
        memcpy(places, tail, n * sizeof *places);
    }
    if (alone && h.version == SHARED)
        h.position = *alone < n ? places[*alone].position : 0;
    else if (!alone)
        h.position = 0;
    h.version = alone ? ALONE : SHARED;
    struct bytes out = BYTES_INIT(ROW_MAX);
    bytes_add(&out, &h, sizeof h);
    bytes_add(&out, p + sizeof h, kept - sizeof h);
    if (!alone)
        put_places(&out, places, n);
    const uint32_t checksum = checksum32(out.data, out.len);
    bytes_add(&out, &checksum, sizeof checksum);
    *out_len = out.len;
    const void *made = out.full ? NULL : arena_copy(a, out.data, out.len);
    bytes_release(&out);
    return made;
}
