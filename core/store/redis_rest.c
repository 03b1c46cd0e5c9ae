#include "store/redis.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The rest, for moving a whole store: page by page, but for the names of a queue's jobs. */

#define PAGE "500"

struct telling {
    struct redis *s;
    bool (*each)(void *ctx, const struct store_rest *r, struct err *e);
    void *ctx;
};

static bool is_list(const redisReply *r, struct err *e)
{
    return r && (r->type == REDIS_REPLY_ARRAY || redis_strange(e));
}

static void release(redisReply *r)
{
    if (r)
        freeReplyObject(r);
}

/* --- keys --- */

static bool tell_key(const struct telling *t, const redisReply *key, const redisReply *ends,
                     struct err *e)
{
    struct store_rest rest = {.kind = REST_KEY, .name = key->str};
    redisReply *value =
        direct_command(t->s, e, "HGET %s %b", REDIS_CONTROL "keys", key->str, (size_t)key->len);
    redisReply *number = value ? direct_command(t->s, e, "HGET %s %b", REDIS_CONTROL "keys:number",
                                                key->str, (size_t)key->len)
                               : NULL;
    bool ok = value && number;
    if (ok && value->type == REDIS_REPLY_STRING) {
        rest.data = value->str;
        rest.len = (size_t)value->len;
        ok = (redis_number(ends, &rest.expires_ms) &&
              (number->type == REDIS_REPLY_NIL || redis_number(number, &rest.number))) ||
             redis_strange(e);
        ok = ok && t->each(t->ctx, &rest, e);
    }
    release(value);
    release(number);
    return ok;
}

static bool tell_keys(const struct telling *t, struct err *e)
{
    long long now = clock_wall_ms(t->s->clock), offset = 0;
    size_t got = 1;
    bool ok = true;
    while (ok && got) {
        redisReply *r =
            direct_command(t->s, e, "ZRANGE %s (%lld +inf BYSCORE LIMIT %lld " PAGE " WITHSCORES",
                           REDIS_CONTROL "keys:expire", now, offset);
        ok = is_list(r, e);
        got = ok ? r->elements : 0;
        for (size_t i = 0; ok && i + 1 < got; i += 2)
            ok = tell_key(t, r->element[i], r->element[i + 1], e);
        offset += (long long)(got / 2);
        release(r);
    }
    return ok;
}

/* --- queues --- */

struct numbered {
    uint64_t number;
    char *id;
};

static int by_number(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool tell_job(const struct telling *t, const char *queue, const char *id, struct err *e)
{
    redisReply *r = direct_command(t->s, e, "HGET %s%s:data %s", REDIS_CONTROL "q:", queue, id);
    bool ok = r && (r->type == REDIS_REPLY_STRING || redis_strange(e));
    const struct store_rest rest = {.kind = REST_JOB,
                                    .name = queue,
                                    .id = id,
                                    .data = ok ? r->str : NULL,
                                    .len = ok ? (size_t)r->len : 0};
    ok = ok && t->each(t->ctx, &rest, e);
    release(r);
    return ok;
}

static bool tell_queue(const struct telling *t, const char *queue, struct err *e)
{
    redisReply *r = direct_command(t->s, e, "HGETALL %s%s:jobs", REDIS_CONTROL "q:", queue);
    bool ok = is_list(r, e);
    size_t n = ok ? r->elements / 2 : 0;
    struct numbered *jobs = mem_zero(n + 1, sizeof *jobs);
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct numbered){strtoull(r->element[2 * i + 1]->str, NULL, 10),
                                    r->element[2 * i]->str};
    if (n)
        qsort(jobs, n, sizeof *jobs, by_number);
    for (size_t i = 0; ok && i < n; i++)
        ok = tell_job(t, queue, jobs[i].id, e);
    free(jobs);
    release(r);
    return ok;
}

static bool tell_queues(const struct telling *t, struct err *e)
{
    static const char BEFORE[] = REDIS_CONTROL "q:", AFTER[] = ":jobs";
    char cursor[32] = "0";
    bool ok = true;
    do {
        redisReply *r =
            direct_command(t->s, e, "SCAN %s MATCH %s*%s COUNT " PAGE, cursor, BEFORE, AFTER);
        ok = is_list(r, e) && r->elements == 2;
        for (size_t i = 0; ok && i < r->element[1]->elements; i++) {
            const redisReply *key = r->element[1]->element[i];
            size_t len = (size_t)key->len - (sizeof BEFORE - 1) - (sizeof AFTER - 1);
            char *queue = mem_copy(key->str + sizeof BEFORE - 1, len);
            ok = tell_queue(t, queue, e);
            free(queue);
        }
        if (ok)
            snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
        release(r);
    } while (ok && strcmp(cursor, "0") != 0);
    return ok;
}

/* --- series --- */

static bool tell_marks(const struct telling *t, struct err *e)
{
    redisReply *r = direct_command(t->s, e, "HGETALL %s", REDIS_CONTROL "marks");
    bool ok = is_list(r, e);
    for (size_t i = 0; ok && i + 1 < r->elements; i += 2) {
        struct store_rest rest = {.kind = REST_MARK, .name = r->element[i]->str};
        ok = (redis_number(r->element[i + 1], &rest.number) || redis_strange(e)) &&
             t->each(t->ctx, &rest, e);
    }
    release(r);
    return ok;
}

static bool tell_series(const struct telling *t, struct err *e)
{
    char *from = mem_text("-");
    bool ok = true;
    while (ok && from) {
        redisReply *r = direct_command(t->s, e, "ZRANGEBYLEX %s %s + LIMIT 0 " PAGE,
                                       REDIS_CONTROL "series", from);
        free(from);
        from = NULL;
        ok = is_list(r, e);
        for (size_t i = 0; ok && i < r->elements; i++)
            ok = t->each(
                t->ctx, &(const struct store_rest){.kind = REST_SERIES, .name = r->element[i]->str},
                e);
        if (ok && r->elements) {
            const redisReply *last = r->element[r->elements - 1];
            from = mem_alloc((size_t)last->len + 2);
            snprintf(from, (size_t)last->len + 2, "(%s", last->str);
        }
        release(r);
    }
    return ok;
}

bool redis_rest(struct store *store,
                bool (*each)(void *ctx, const struct store_rest *r, struct err *e), void *ctx,
                struct err *e)
{
    const struct telling t = {redis_of(store), each, ctx};
    if (!redis_begin(t.s, e))
        return false;
    return redis_end(t.s, tell_keys(&t, e) && tell_queues(&t, e) && tell_marks(&t, e) &&
                              tell_series(&t, e));
}
