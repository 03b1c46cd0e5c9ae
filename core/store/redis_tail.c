/* What others wrote: one script tells the entries since, and what their entities are now. */
#include "store/redis.h"

#include <stdlib.h>
#include <string.h>

#define FIXED 5 /* head, next uid, number of entries, epoch, hash of the head */

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
    int64_t last, next_uid, n, epoch;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < FIXED ||
        !redis_number(r->element[0], &last) || !redis_number(r->element[1], &next_uid) ||
        !redis_number(r->element[2], &n) || n < 0 || (size_t)n > r->elements - FIXED ||
        !redis_number(r->element[3], &epoch) || r->element[4]->type != REDIS_REPLY_STRING)
        return redis_strange(e);
    *head = (struct store_head){
        .seq = (uint64_t)last, .next_uid = (uint64_t)next_uid, .epoch = (uint64_t)epoch};
    snprintf(head->hash, sizeof head->hash, "%s", r->element[4]->str);
    *whole = r->elements > FIXED + (size_t)n || head->seq == seq;
    return show_entries(r, (size_t)n, t, e) && show_rows(r, FIXED + (size_t)n, t, e);
}

bool direct_tail(struct redis *s, const struct store_head *known, const struct tail_room *room,
                 const struct store_tail *t, struct store_head *head, bool *whole, struct err *e)
{
    redisReply *r =
        direct_command(s, e, "EVAL %s 1 %s %s %llu %s %llu %llu", REDIS_SCRIPTS[SCRIPT_TAIL],
                       REDIS_GATE, s->me, (unsigned long long)known->seq, known->hash,
                       (unsigned long long)room->entries, (unsigned long long)room->bytes);
    bool ok = r && show(r, known->seq, t, head, whole, e);
    if (r)
        freeReplyObject(r);
    return ok;
}

bool redis_tail(struct store *store, const struct store_head *known, const struct store_tail *t,
                struct store_head *head, bool *whole, struct err *e)
{
    static const struct tail_room ROOM = {.entries = 1024, .bytes = 16 << 20};
    struct redis *s = redis_of(store);
    if (!redis_begin(s, e))
        return false;
    bool ok = redis_end(s, direct_tail(s, known, &ROOM, t, head, whole, e));
    if (ok && *whole)
        node_reached(s, head);
    return ok;
}
