#include "store/redis.h"

#include "base/grow.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What blocks its caller: at start, or rarely. One connection, one lock. */

#define PAGE "500"

bool redis_begin(struct redis *s, struct err *e)
{
    if (!link_up(&s->control, e))
        return false;
    pthread_mutex_lock(&s->direct_lock);
    if (direct_connect(s, e))
        return true;
    pthread_mutex_unlock(&s->direct_lock);
    return false;
}

bool redis_end(struct redis *s, bool ok)
{
    pthread_mutex_unlock(&s->direct_lock);
    return ok;
}

/* What "meta" says of the head, but for its hash; and how many commits there were. */
static bool meta(struct redis *s, struct store_head *head, int64_t *commits, struct err *e)
{
    int64_t n[4] = {0};
    redisReply *r =
        direct_command(s, e, "HMGET %s seq next_uid epoch commits", REDIS_CONTROL "meta");
    if (!r)
        return false;
    bool ok = r->type == REDIS_REPLY_ARRAY && r->elements == 4;
    for (size_t i = 0; ok && i < 4; i++)
        ok = r->element[i]->type == REDIS_REPLY_NIL || redis_number(r->element[i], &n[i]);
    *head = (struct store_head){.seq = (uint64_t)n[0],
                                .next_uid = n[1] ? (uint64_t)n[1] : 1,
                                .epoch = n[2] ? (uint64_t)n[2] : 1};
    *commits = n[3];
    freeReplyObject(r);
    return ok || redis_strange(e);
}

/* The hash of the head's entry, which never changes. */
static bool find_hash(struct redis *s, struct store_head *head, struct err *e)
{
    struct journal_entry entry;
    if (head->seq == 0)
        return true;
    redisReply *r = direct_command(s, e, "HGET %s %llu", REDIS_CONTROL "journal",
                                   (unsigned long long)head->seq);
    if (!r)
        return false;
    bool ok = r->type == REDIS_REPLY_STRING && redis_entry_unpack(r->str, (size_t)r->len, &entry);
    if (ok)
        memcpy(head->hash, entry.hash, sizeof head->hash);
    freeReplyObject(r);
    return ok || fail(e, &ERR_CORRUPT, "the last entry of the journal in Redis cannot be read");
}

/* --- entities --- */

/* What is known of an entity: as a scan met it, or as it is now (value NULL: gone). */
struct loaded {
    struct store_row row; /* its texts in one block, which `kind` begins */
    bool is_now;
};
struct rows {
    struct loaded *list;
    size_t n, cap;
};

static void rows_release(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free((char *)rows->list[i].row.kind);
    free(rows->list);
    *rows = (struct rows){0};
}

bool redis_row_open(const char *id, size_t id_len, const char *value, size_t len,
                    struct store_row *out)
{
    char *at;
    const char *ns = memchr(id, '\0', id_len);
    const char *name = ns ? memchr(ns + 1, '\0', id_len - (size_t)(ns + 1 - id)) : NULL;
    if (!name)
        return false;
    *out = (struct store_row){.kind = id, .ns = ns + 1, .id = name + 1};
    if (len == 0)
        return true;
    out->revision = strtoll(value, &at, 10);
    out->uid = *at == ' ' ? strtoull(at + 1, &at, 10) : 0;
    if (*at != ' ')
        return false;
    out->value = at + 1;
    out->value_len = (size_t)(value + len - out->value);
    return true;
}

static void add_loaded(struct rows *rows, const struct loaded *one)
{
    GROW(rows->list, rows->n, rows->cap);
    rows->list[rows->n++] = *one;
}

static bool add_row(struct rows *rows, const redisReply *id, const redisReply *value)
{
    size_t id_len = (size_t)id->len, len = (size_t)value->len;
    struct loaded one = {.is_now = false};
    char *text = mem_alloc(id_len + 1 + len + 1);
    memcpy(text, id->str, id_len + 1);
    memcpy(text + id_len + 1, value->str, len + 1);
    if (!redis_row_open(text, id_len, text + id_len + 1, len, &one.row) || !one.row.value) {
        free(text);
        return false;
    }
    add_loaded(rows, &one);
    return true;
}

static bool skip_entry(void *ctx, const struct journal_entry *entry, struct err *e)
{
    (void)ctx, (void)entry, (void)e;
    return true;
}

static bool add_now(void *ctx, const struct store_row *r, struct err *e)
{
    size_t kind = strlen(r->kind) + 1, ns = strlen(r->ns) + 1, id = strlen(r->id) + 1;
    struct loaded one = {.row = *r, .is_now = true};
    char *text = mem_alloc(kind + ns + id + r->value_len + 1);
    (void)e;
    memcpy(text, r->kind, kind);
    memcpy(text + kind, r->ns, ns);
    memcpy(text + kind + ns, r->id, id);
    one.row.kind = text;
    one.row.ns = text + kind;
    one.row.id = text + kind + ns;
    if (r->value) {
        char *value = text + kind + ns + id;
        memcpy(value, r->value, r->value_len);
        value[r->value_len] = '\0';
        one.row.value = value;
    }
    add_loaded(ctx, &one);
    return true;
}

/* One page of a scan; the cursor stands in `cursor`, and is "0" after the last. */
static bool scan_page(struct redis *s, struct rows *rows, char cursor[32], struct err *e)
{
    redisReply *r =
        direct_command(s, e, "HSCAN %s %s COUNT " PAGE, REDIS_CONTROL "entities", cursor);
    if (!r)
        return false;
    bool ok = r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
              r->element[1]->type == REDIS_REPLY_ARRAY && r->element[1]->elements % 2 == 0;
    if (ok)
        snprintf(cursor, 32, "%s", r->element[0]->str);
    for (size_t i = 0; ok && i < r->element[1]->elements; i += 2)
        ok = add_row(rows, r->element[1]->element[i], r->element[1]->element[i + 1]);
    freeReplyObject(r);
    return ok || redis_strange(e);
}

static int row_compare(const void *a, const void *b)
{
    const struct loaded *x = a, *y = b;
    int order = strcmp(x->row.kind, y->row.kind);
    if (!order)
        order = strcmp(x->row.ns, y->row.ns);
    return order ? order : strcmp(x->row.id, y->row.id);
}

/* What is now comes first. */
static int row_order(const void *a, const void *b)
{
    int order = row_compare(a, b);
    return order ? order : ((const struct loaded *)b)->is_now - ((const struct loaded *)a)->is_now;
}

static bool scan_all(struct redis *s, struct rows *rows, struct err *e)
{
    char cursor[32] = "0";
    do {
        if (!scan_page(s, rows, cursor, e))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

/* A scan shows everything that is there from its begin to its end, some of it twice. It is of one
 * moment if nobody committed meanwhile; else what was changed since its begin is asked for, of one
 * moment, and goes before what the scan has met. */
static bool scan(struct redis *s, struct rows *rows, struct store_head *head, struct err *e)
{
    static const struct tail_room ROOM = {.entries = 100000, .bytes = 256 << 20};
    const struct store_tail changed = {skip_entry, add_now, rows};
    for (int attempt = 0; attempt < 10; attempt++) {
        struct store_head before, after;
        int64_t commits = 0, again = 0;
        bool whole = false;
        rows_release(rows);
        if (!meta(s, &before, &commits, e) || !find_hash(s, &before, e) || !scan_all(s, rows, e) ||
            !meta(s, &after, &again, e))
            return false;
        *head = before;
        if (commits == again)
            return true;
        if (!direct_tail(s, &before, &ROOM, &changed, head, &whole, e))
            return false;
        if (whole)
            return true;
    }
    return fail(e, &ERR_BUSY, "Redis was changed too fast while it was loaded");
}

bool redis_load(struct store *store,
                bool (*row)(void *ctx, const struct store_row *r, struct err *e), void *ctx,
                struct store_head *head, struct err *e)
{
    struct redis *s = redis_of(store);
    struct rows rows = {0};
    if (!redis_begin(s, e))
        return false;
    bool ok = redis_end(s, scan(s, &rows, head, e));
    if (ok && rows.n)
        qsort(rows.list, rows.n, sizeof *rows.list, row_order);
    for (size_t i = 0; ok && i < rows.n; i++)
        if (rows.list[i].row.value &&
            (i == 0 || row_compare(&rows.list[i - 1], &rows.list[i]) != 0))
            ok = row(ctx, &rows.list[i].row, e);
    if (ok)
        node_reached(s, head);
    rows_release(&rows);
    return ok;
}

/* --- the rest --- */

/* HGET as a text of the heap; `*out` NULL: there is none. */
static bool get(struct redis *s, const char *hash, const char *field, char **out, struct err *e)
{
    *out = NULL;
    if (!redis_begin(s, e))
        return false;
    redisReply *r = direct_command(s, e, "HGET %s %s", hash, field);
    bool ok = r && (r->type == REDIS_REPLY_NIL || r->type == REDIS_REPLY_STRING);
    if (ok && r->type == REDIS_REPLY_STRING)
        *out = mem_copy(r->str, (size_t)r->len);
    if (r)
        freeReplyObject(r);
    return redis_end(s, ok);
}

bool redis_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e)
{
    char *last;
    if (!get(redis_of(s), REDIS_CONTROL "chain", ns, &last, e))
        return false;
    snprintf(hash, SHA256_HEX_SIZE, "%s", last ? last : JOURNAL_FIRST_HASH);
    free(last);
    return true;
}

bool redis_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e)
{
    char *text;
    if (!get(redis_of(s), REDIS_CONTROL "marks", name, &text, e))
        return false;
    *found = text != NULL;
    if (text)
        *value = strtoll(text, NULL, 10);
    free(text);
    return true;
}

static bool show_key(struct redis *s, const redisReply *key, const redisReply *ends,
                     bool (*each)(void *ctx, const struct store_key *k), void *ctx, bool *goes_on,
                     struct err *e)
{
    redisReply *r =
        direct_command(s, e, "HGET %s %b", REDIS_CONTROL "keys", key->str, (size_t)key->len);
    if (!r)
        return false;
    int64_t expires;
    if (r->type == REDIS_REPLY_STRING && redis_number(ends, &expires))
        *goes_on = each(ctx, &(struct store_key){key->str, r->str, (size_t)r->len, expires});
    freeReplyObject(r);
    return true;
}

bool redis_keys(struct store *store, const char *prefix,
                bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e)
{
    struct redis *s = redis_of(store);
    size_t len = strlen(prefix), offset = 0, got = 1;
    bool goes_on = true, ok = true;
    int64_t now = clock_wall_ms(s->clock);
    if (!redis_begin(s, e))
        return false;
    while (ok && goes_on && got) {
        redisReply *r =
            direct_command(s, e, "ZRANGE %s (%lld +inf BYSCORE LIMIT %lld " PAGE " WITHSCORES",
                           REDIS_CONTROL "keys:expire", (long long)now, (long long)offset);
        ok = r && r->type == REDIS_REPLY_ARRAY;
        got = ok ? r->elements : 0;
        for (size_t i = 0; ok && goes_on && i + 1 < got; i += 2)
            if (strncmp(r->element[i]->str, prefix, len) == 0)
                ok = show_key(s, r->element[i], r->element[i + 1], each, ctx, &goes_on, e);
        offset += got / 2;
        if (r)
            freeReplyObject(r);
    }
    return redis_end(s, ok);
}
