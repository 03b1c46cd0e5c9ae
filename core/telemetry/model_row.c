#include "base/hash.h"
#include "telemetry/series.h"

#include <string.h>

#define VERSION 1

/* The row: this head, the lifetime's bytes, the words (u32 length and text each: error types, then
 * score names), and a checksum of it all. */
struct row_head {
    uint32_t version, lifetime_len;
    uint64_t position;
    int64_t written_until[TIER_COUNT];
    int64_t oldest_6h, newest_6h;
    uint32_t errors, names;
};

#define WORD_MAX 1024 /* bytes: 128 characters of UTF-8 are less */
#define ROW_MAX  (sizeof(struct row_head) + TALLY_ENCODED_MAX + 2 * KINDS_MAX * (WORD_MAX + 4) + 4)

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

const void *model_row_make(struct arena *a, const struct live *l, size_t *len)
{
    struct row_head h = {.version = VERSION,
                         .lifetime_len = l->lifetime.len,
                         .position = l->position,
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
    if (h.version != VERSION)
        return fail(e, &ERR_CORRUPT,
                    "the stored state of a model's metrics is of version %u, not %d",
                    (unsigned)h.version, VERSION);
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
    if (p != end)
        return fail(e, &ERR_CORRUPT,
                    "the stored state of a model's metrics has no sound dictionary");
    l->stored_position = l->position = h.position;
    memcpy(l->written_until, h.written_until, sizeof h.written_until);
    l->oldest_stored[TIER_6H] = h.oldest_6h;
    l->newest_6h = h.newest_6h;
    return true;
}
