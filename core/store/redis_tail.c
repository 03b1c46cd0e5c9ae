/* What others wrote: one script tells the entries since, and what their entities are now. */
#include "store/redis.h"

#include <stdlib.h>
#include <string.h>

#define FIXED 3 /* head, next uid, number of entries */

static bool show_entries(const redisReply *r, size_t n, const struct store_tail *t, struct err *e)
{
    for (size_t i = FIXED; i < FIXED + n; i++) {
        struct journal_entry entry;
        const redisReply *text = r->element[i];
        if (text->type != REDIS_REPLY_STRING ||
            !redis_entry_unpack(text->str, (size_t)text->len, &entry))
            return fail(e, &ERR_CORRUPT, "an entry of the journal in Redis cannot be read");
        if (!t->entry(t->ctx, &entry, e))
            return false;
    }
    return true;
}

static bool show_rows(const redisReply *r, size_t from, const struct store_tail *t, struct err *e)
{
    for (size_t i = from; i + 1 < r->elements; i += 2) {
        struct store_row row;
        const redisReply *id = r->element[i], *value = r->element[i + 1];
        if (id->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
            !redis_row_open(id->str, (size_t)id->len, value->str, (size_t)value->len, &row))
            return redis_strange(e);
        if (!t->row(t->ctx, &row, e))
            return false;
    }
    return true;
}

static bool show(const redisReply *r, uint64_t seq, const struct store_tail *t,
                 struct store_head *head, bool *whole, struct err *e)
{
    int64_t last, next_uid, n;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < FIXED ||
        !redis_number(r->element[0], &last) || !redis_number(r->element[1], &next_uid) ||
        !redis_number(r->element[2], &n) || n < 0 || (size_t)n > r->elements - FIXED)
        return redis_strange(e);
    *head = (struct store_head){(uint64_t)last, (uint64_t)next_uid};
    if (head->seq < seq)
        return fail(e, &ERR_IO, "Redis has lost what it had: start this server again");
    *whole = r->elements > FIXED + (size_t)n || head->seq == seq;
    return show_entries(r, (size_t)n, t, e) && show_rows(r, FIXED + (size_t)n, t, e);
}

bool direct_tail(struct redis *s, uint64_t seq, const struct tail_room *room,
                 const struct store_tail *t, struct store_head *head, bool *whole, struct err *e)
{
    redisReply *r =
        direct_command(s, e, "EVAL %s 1 %s %s %llu %llu %llu", REDIS_SCRIPTS[SCRIPT_TAIL],
                       REDIS_CONTROL "meta", s->me, (unsigned long long)seq,
                       (unsigned long long)room->entries, (unsigned long long)room->bytes);
    bool ok = r && show(r, seq, t, head, whole, e);
    if (r)
        freeReplyObject(r);
    return ok;
}

bool redis_tail(struct store *store, uint64_t seq, const struct store_tail *t,
                struct store_head *head, bool *whole, struct err *e)
{
    static const struct tail_room ROOM = {.entries = 1024, .bytes = 16 << 20};
    struct redis *s = redis_of(store);
    if (!redis_begin(s, e))
        return false;
    bool ok = redis_end(s, direct_tail(s, seq, &ROOM, t, head, whole, e));
    if (ok)
        node_reached(s, *whole ? head->seq : seq);
    return ok;
}
