#include "telemetry/delta.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC     0x314c4450u /* "PDL1" */
#define PART_FULL (64u << 10) /* then another part is begun */
#define PART_MAX  (1u << 20)  /* no piece is larger than TALLY_ENCODED_MAX */
#define IS_NAME   0x80

void delta_init(struct delta_writer *w)
{
    *w = (struct delta_writer){0};
    tally_init(&w->used, 0);
}

void delta_release(struct delta_writer *w)
{
    for (size_t i = 0; i < w->cap; i++)
        bytes_release(&w->parts[i]);
    free(w->parts);
    tally_release(&w->used);
    *w = (struct delta_writer){0};
}

void delta_clear(struct delta_writer *w)
{
    w->n = 0;
}

static struct bytes *begin_part(struct delta_writer *w)
{
    if (w->n == w->cap) {
        w->parts = mem_resize(w->parts, w->cap + 1, sizeof *w->parts);
        bytes_init(&w->parts[w->cap++], PART_MAX);
    }
    struct bytes *b = &w->parts[w->n++];
    const struct delta_head head = {.magic = MAGIC};
    bytes_clear(b);
    bytes_add(b, &head, sizeof head);
    return b;
}

/* --- writing a model --- */

struct adding {
    struct delta_writer *writer;
    const struct live *live;
    struct bytes *part;
    size_t pieces_at; /* where their number stands */
    uint16_t pieces;
    struct err *err;
    bool ok;
};

/* Which kinds the pieces have. */
static bool note_kinds(void *ctx, const struct pending *p)
{
    struct adding *a = ctx;
    struct tally *used = &a->writer->used;
    for (uint32_t i = 0; p->tally && i < p->tally->n_errors; i++)
        if (p->tally->errors[i])
            tally_add_error(used, i);
    for (uint32_t i = 0; p->tally && i < p->tally->n_scores; i++)
        if (p->tally->scores[i].count)
            tally_add_score(used, i, 0);
    if (!p->tally)
        a->ok = tally_merge_bytes(used, p->bytes, p->len, a->err);
    return a->ok;
}

static unsigned put_word(struct bytes *b, const struct words *words, uint32_t kind, uint8_t mark)
{
    size_t len;
    if (kind == KIND_OTHER)
        return 0;
    const char *text = words_get(words, kind, &len);
    const uint8_t head[3] = {(uint8_t)(kind | mark), (uint8_t)len, (uint8_t)(len >> 8)};
    bytes_add(b, head, sizeof head);
    bytes_add(b, text, len);
    return 1;
}

static void begin_model(struct adding *a)
{
    struct bytes *b = a->part;
    const struct tally *used = &a->writer->used;
    unsigned words = 0;
    bytes_add(b, &a->live->uid, sizeof a->live->uid);
    const size_t at = b->len;
    bytes_add(b, "\0\0\0", 3);
    for (uint32_t i = 0; i < used->n_errors; i++)
        if (used->errors[i])
            words += put_word(b, &a->live->errors, i, 0);
    for (uint32_t i = 0; i < used->n_scores; i++)
        if (used->scores[i].count)
            words += put_word(b, &a->live->names, i, IS_NAME);
    b->data[at] = (char)words;
    a->pieces_at = at + 1;
    a->pieces = 0;
}

/* The number of models of a part stands in its head. */
static void end_model(struct adding *a)
{
    struct delta_head head;
    memcpy(a->part->data + a->pieces_at, &a->pieces, sizeof a->pieces);
    memcpy(&head, a->part->data, sizeof head);
    head.models++;
    memcpy(a->part->data, &head, sizeof head);
}

static bool put_piece(void *ctx, const struct pending *p)
{
    struct adding *a = ctx;
    const uint8_t tier = (uint8_t)p->tier;
    uint32_t len = (uint32_t)p->len;
    if (a->part->len > PART_FULL || a->pieces == UINT16_MAX) {
        end_model(a);
        a->part = begin_part(a->writer);
        begin_model(a);
    }
    struct bytes *b = a->part;
    bytes_add(b, &tier, sizeof tier);
    bytes_add(b, &p->start, sizeof p->start);
    const size_t at = b->len;
    bytes_add(b, &len, sizeof len);
    a->ok = p->tally ? tally_encode(p->tally, b) : bytes_add(b, p->bytes, p->len);
    a->ok = a->ok && !b->full;
    if (!a->ok)
        return fail(a->err, &ERR_MEMORY, "a delta of metrics is too large");
    len = (uint32_t)(b->len - at - sizeof len);
    memcpy(b->data + at, &len, sizeof len);
    a->pieces++;
    return true;
}

bool delta_add(struct delta_writer *w, const struct live *l, struct err *e)
{
    struct adding a = {.writer = w, .live = l, .err = e, .ok = true};
    tally_clear(&w->used);
    if (!live_each_cut(l, note_kinds, &a))
        return false;
    a.part = w->n && w->parts[w->n - 1].len <= PART_FULL ? &w->parts[w->n - 1] : begin_part(w);
    const size_t parts = w->n, len = a.part->len;
    begin_model(&a);
    if (!live_each_cut(l, put_piece, &a)) {
        w->n = parts;
        w->parts[parts - 1].len = len;
        return false;
    }
    end_model(&a);
    return true;
}

/* Of everything after it. */
static uint32_t checksum_of(const char *part, size_t len)
{
    const size_t after = offsetof(struct delta_head, checksum) + sizeof(uint32_t);
    return checksum32(part + after, len - after);
}

void delta_end(struct delta_writer *w, uint64_t from, uint64_t until)
{
    if (w->n == 0)
        begin_part(w);
    for (size_t i = 0; i < w->n; i++) {
        struct delta_head head;
        char *part = w->parts[i].data;
        memcpy(&head, part, sizeof head);
        head.from = from;
        head.until = until;
        head.parts = (uint32_t)w->n;
        memcpy(part, &head, sizeof head);
        head.checksum = checksum_of(part, w->parts[i].len);
        memcpy(part, &head, sizeof head);
    }
}

/* --- reading --- */

bool delta_open(struct delta_reader *r, const void *data, size_t len, struct err *e)
{
    if (len < sizeof r->head)
        return fail(e, &ERR_CORRUPT, "a delta of metrics is cut short");
    memcpy(&r->head, data, sizeof r->head);
    if (r->head.magic != MAGIC)
        return fail(e, &ERR_CORRUPT, "a delta of metrics is of no version we know");
    if (r->head.checksum != checksum_of(data, len))
        return fail(e, &ERR_CORRUPT, "a delta of metrics has a wrong checksum");
    r->at = (const char *)data + sizeof r->head;
    r->end = (const char *)data + len;
    r->left = r->head.models;
    return true;
}

static const char *take(struct delta_reader *r, size_t n)
{
    const char *p = r->at;
    if (!p || (size_t)(r->end - p) < n) {
        r->at = NULL;
        return NULL;
    }
    r->at = p + n;
    return p;
}

static bool take_into(struct delta_reader *r, void *out, size_t n)
{
    const char *p = take(r, n);
    if (p)
        memcpy(out, p, n);
    return p != NULL;
}

bool delta_next_model(struct delta_reader *r, struct delta_model *out)
{
    uint8_t words;
    uint16_t pieces;
    if (r->left == 0 || !take_into(r, &out->uid, sizeof out->uid) ||
        !take_into(r, &words, sizeof words) || !take_into(r, &pieces, sizeof pieces))
        return false;
    r->left--;
    out->n_words = words;
    out->n_pieces = pieces;
    return true;
}

bool delta_next_word(struct delta_reader *r, struct delta_word *out)
{
    uint8_t kind;
    uint16_t len;
    if (!take_into(r, &kind, sizeof kind) || !take_into(r, &len, sizeof len))
        return false;
    out->is_name = kind & IS_NAME;
    out->kind = kind & (uint8_t)~IS_NAME;
    out->len = len;
    out->text = take(r, len);
    return out->text && out->kind < KINDS_MAX;
}

bool delta_next_piece(struct delta_reader *r, struct delta_piece *out)
{
    uint8_t tier;
    uint32_t len;
    if (!take_into(r, &tier, sizeof tier) || !take_into(r, &out->start, sizeof out->start) ||
        !take_into(r, &len, sizeof len))
        return false;
    out->tier = (enum tier)tier;
    out->len = len;
    out->bytes = take(r, len);
    return out->bytes && tier < TIER_COUNT && out->start >= 0 &&
           out->start % TIERS[tier].slot_ms == 0;
}
