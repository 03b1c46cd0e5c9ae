/* Reading series: a sorted set of places and a hash from place to data for each key, and one set of
 * all keys. A place is the time, eight bytes that sort as numbers do, and the id. */
#include "store/redis.h"

#include <string.h>

#define PAGE 64

/* --- read: the keys that are wanted, then page after page of each --- */

struct reading {
    const char **keys;
    size_t n, at;
    size_t left;  /* of the limit */
    size_t asked; /* of the page under way */
    char *last;   /* the place after which the page begins, with its mark; NULL: the start */
    size_t last_len, last_cap;
};

static void add_bound(struct ask *c, const struct reading *g, bool low)
{
    const struct series_read *r = c->job->read;
    if (g->last && low != r->newest_first)
        ask_add(c, g->last, g->last_len);
    else if (low)
        ask_place(c, "[", r->from, "");
    else if (r->to)
        ask_place(c, "(", r->to, "");
    else
        ask_text(c, "+");
}

static enum ask_result page(struct ask *c, const redisReply *r, struct err *e);

/* The next page, if there is one. */
static enum ask_result go_on(struct ask *c)
{
    struct reading *g = c->state;
    const struct series_read *r = c->job->read;
    if (g->at == g->n || g->left == 0)
        return ASK_DONE;
    g->asked = g->left < PAGE ? g->left : PAGE;
    const char *key = g->keys[r->newest_first ? g->n - 1 - g->at : g->at];
    const char *tag = redis_tag(c, key);
    ask_begin_at(c, SCRIPT_READ, tag);
    ask_text(c, key);
    ask_text(c, tag);
    add_bound(c, g, true);
    add_bound(c, g, false);
    ask_uint(c, g->asked);
    ask_text(c, r->newest_first ? "1" : "0");
    c->reply = page;
    return ASK_AGAIN;
}

static bool keep_last(struct ask *c, const redisReply *place)
{
    struct reading *g = c->state;
    size_t len = (size_t)place->len + 1;
    if (len > g->last_cap) {
        g->last_cap = len * 2;
        g->last = arena_alloc(c->arena, g->last_cap);
        if (!g->last)
            return false;
    } else if (!g->last) {
        return false;
    }
    g->last[0] = '(';
    memcpy(g->last + 1, place->str, len - 1);
    g->last_len = len;
    return true;
}

static enum ask_result page(struct ask *c, const redisReply *r, struct err *e)
{
    struct reading *g = c->state;
    const struct series_read *q = c->job->read;
    const char *key = g->keys[q->newest_first ? g->n - 1 - g->at : g->at];
    if (r->type != REDIS_REPLY_ARRAY || r->elements % 2)
        return redis_strange(e), ASK_FAILED;
    for (size_t i = 0; i < r->elements; i += 2) {
        const redisReply *place = r->element[i], *data = r->element[i + 1];
        if (place->type != REDIS_REPLY_STRING || place->len < REDIS_AT_SIZE ||
            data->type != REDIS_REPLY_STRING)
            return redis_strange(e), ASK_FAILED;
        g->left--;
        if (!q->each(q->ctx, key, redis_place_at(place->str), place->str + REDIS_AT_SIZE, data->str,
                     (size_t)data->len))
            return ASK_DONE;
    }
    if (r->elements / 2 < g->asked) {
        g->at++;
        g->last = NULL;
        g->last_cap = 0;
    } else if (!keep_last(c, r->element[r->elements - 2])) {
        return fail(e, &ERR_MEMORY, "too little memory to read a series"), ASK_FAILED;
    }
    return go_on(c);
}

static enum ask_result found_keys(struct ask *c, const redisReply *r, struct err *e)
{
    struct reading *g = c->state;
    if (r->type != REDIS_REPLY_ARRAY)
        return redis_strange(e), ASK_FAILED;
    g->keys = arena_alloc(c->arena, (r->elements + 1) * sizeof *g->keys);
    if (!g->keys)
        return fail(e, &ERR_MEMORY, "too many series at once"), ASK_FAILED;
    for (size_t i = 0; i < r->elements; i++)
        g->keys[g->n++] = arena_text(c->arena, r->element[i]->str);
    return go_on(c);
}

void redis_read(struct ask *c)
{
    const struct series_read *r = c->job->read;
    size_t len = strlen(r->key);
    struct reading *g = arena_zero(c->arena, sizeof *g);
    c->state = g;
    g->left = r->limit ? r->limit : SIZE_MAX;
    if (len && r->key[len - 1] == '*') {
        char *from = arena_printf(c->arena, "[%.*s", (int)len - 1, r->key);
        ask_begin(c, PLAIN);
        ask_text(c, "ZRANGEBYLEX");
        ask_text(c, REDIS_CONTROL "series");
        ask_text(c, from);
        ask_text(c, arena_printf(c->arena, "%s\xff", from));
        c->reply = found_keys;
    } else {
        g->keys = arena_zero(c->arena, sizeof *g->keys);
        g->keys[g->n++] = r->key;
        go_on(c);
    }
    ask_send(c);
}
