#include "store/lease.h"
#include "store/redis.h"

#include <stdlib.h>
#include <string.h>

/* --- expiring keys --- */

static const char *const OPERATIONS[] = {
    [KEY_GET] = "get", [KEY_PUT] = "put",       [KEY_PUT_NEW] = "new",
    [KEY_ADD] = "add", [KEY_DELETE] = "delete",
};

static enum ask_result answered(struct ask *c, const redisReply *r, struct err *e)
{
    struct key_request *k = c->job->key;
    int64_t found, n;
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 || !redis_number(r->element[0], &found) ||
        r->element[1]->type != REDIS_REPLY_STRING || !redis_number(r->element[2], &n))
        return redis_strange(e), ASK_FAILED;
    if (found < 0)
        return fail(e, &ERR_INVALID, "the counter '%s' would overflow", k->key.key), ASK_FAILED;
    k->found = found > 0;
    if (k->op == KEY_ADD || k->op == KEY_GET || k->op == KEY_PUT_NEW)
        k->number = n;
    if (!k->found || (k->op != KEY_GET && k->op != KEY_PUT_NEW))
        return ASK_DONE;
    size_t len = (size_t)r->element[1]->len;
    char *value = arena_alloc(k->arena, len + 1);
    if (!value)
        return fail(e, &ERR_MEMORY, "the value of a key is larger than the arena"), ASK_FAILED;
    k->value = memcpy(value, r->element[1]->str, len + 1);
    k->value_len = len;
    return ASK_DONE;
}

void redis_key(struct ask *c)
{
    const struct key_request *k = c->job->key;
    ask_begin(c, SCRIPT_KEY);
    ask_text(c, OPERATIONS[k->op]);
    ask_int(c, clock_wall_ms(c->link->store->clock));
    ask_text(c, k->key.key);
    ask_add(c, k->key.value, k->key.value_len);
    ask_int(c, k->key.expires_ms);
    ask_int(c, k->amount);
    c->reply = answered;
    ask_send(c);
}

/* --- leases --- */

/* What is stored is read, decided upon here, and replaced if it is still the same: the rule stands
 * once for all backends. A row is "token until holder". */

static bool row_read(char *text, struct lease_row *row)
{
    char *end;
    row->token = strtoull(text, &end, 10);
    if (end == text || *end != ' ')
        return false;
    row->until = strtoll(end, &end, 10);
    row->holder = end + 1;
    return *end == ' ';
}

static void read_lease(struct ask *c);

static enum ask_result replaced(struct ask *c, const redisReply *r, struct err *e)
{
    int64_t done;
    if (!redis_number(r, &done))
        return redis_strange(e), ASK_FAILED;
    if (done)
        return ASK_DONE;
    read_lease(c);
    return ASK_AGAIN;
}

static enum ask_result decide(struct ask *c, const redisReply *r, struct err *e)
{
    struct lease_row stored, next;
    bool there = r->type == REDIS_REPLY_STRING;
    char *was = there ? arena_copy(c->arena, r->str, (size_t)r->len) : NULL;
    char *row = there ? arena_copy(c->arena, r->str, (size_t)r->len) : NULL;
    if ((!there && r->type != REDIS_REPLY_NIL) || (there && !row_read(row, &stored)))
        return redis_strange(e), ASK_FAILED;
    int64_t now = clock_wall_ms(c->link->store->clock);
    if (!lease_decide(there ? &stored : NULL, c->job->lease, now, &next))
        return ASK_DONE;
    ask_begin(c, SCRIPT_LEASE);
    ask_text(c, c->job->lease->name);
    ask_text(c, was);
    ask_text(c, arena_printf(c->arena, "%llu %lld %s", (unsigned long long)next.token,
                             (long long)next.until, next.holder));
    c->reply = replaced;
    return ASK_AGAIN;
}

static void read_lease(struct ask *c)
{
    ask_begin(c, PLAIN);
    ask_text(c, "HGET");
    ask_text(c, REDIS_CONTROL "leases");
    ask_text(c, c->job->lease->name);
    c->reply = decide;
}

void redis_lease(struct ask *c)
{
    read_lease(c);
    ask_send(c);
}
