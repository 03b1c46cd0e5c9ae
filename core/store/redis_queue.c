#include "store/redis.h"

#include <string.h>

#define BOUND 100000

static const char *const OPERATIONS[] = {
    [QUEUE_PUSH] = "push",     [QUEUE_CLAIM] = "claim", [QUEUE_HEARTBEAT] = "heartbeat",
    [QUEUE_FINISH] = "finish", [QUEUE_MOVE] = "move",
};

static enum ask_result claimed(struct queue_request *q, const redisReply *r, struct err *e)
{
    int64_t attempts, number;
    if (r->elements != 5 || r->element[1]->type != REDIS_REPLY_STRING ||
        r->element[2]->type != REDIS_REPLY_STRING || !redis_number(r->element[3], &attempts) ||
        !redis_number(r->element[4], &number))
        return redis_strange(e), ASK_FAILED;
    size_t id_len = (size_t)r->element[1]->len, len = (size_t)r->element[2]->len;
    char *id = arena_alloc(q->arena, id_len + 1), *data = arena_alloc(q->arena, len + 1);
    if (!id || !data)
        return fail(e, &ERR_MEMORY, "a job is larger than the arena"), ASK_FAILED;
    q->id = memcpy(id, r->element[1]->str, id_len + 1);
    q->data = memcpy(data, r->element[2]->str, len + 1);
    q->len = len;
    q->attempts = (unsigned)attempts;
    q->number = (uint64_t)number;
    return ASK_DONE;
}

static enum ask_result answered(struct ask *c, const redisReply *r, struct err *e)
{
    struct queue_request *q = c->job->queue;
    int64_t found;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 1 || !redis_number(r->element[0], &found))
        return redis_strange(e), ASK_FAILED;
    if (found < 0)
        return fail(e, &ERR_BUSY, "%lld jobs wait in the queue '%s' already",
                    r->elements > 1 ? r->element[1]->integer : 0, q->queue),
               ASK_FAILED;
    q->found = found > 0;
    return q->op == QUEUE_CLAIM && q->found ? claimed(q, r, e) : ASK_DONE;
}

/* Claims are held against Redis' own clock, so that machines need not agree on the time; where time
 * is a test's, against that. */
static void add_time(struct ask *c)
{
    const struct clock *clock = c->link->store->clock;
    if (clock == &CLOCK_SYSTEM)
        ask_text(c, "");
    else
        ask_int(c, clock_wall_ms(clock));
}

void redis_queue(struct ask *c)
{
    const struct queue_request *q = c->job->queue;
    bool brings = q->op == QUEUE_PUSH || q->op == QUEUE_MOVE;
    ask_begin(c, SCRIPT_QUEUE);
    ask_text(c, OPERATIONS[q->op]);
    ask_text(c, q->queue);
    add_time(c);
    ask_text(c, q->id);
    ask_text(c, q->worker);
    ask_int(c, q->claim_ms);
    ask_uint(c, q->bound ? q->bound : BOUND);
    ask_add(c, brings ? q->data : NULL, brings ? q->len : 0);
    ask_uint(c, q->after);
    ask_text(c, q->to);
    ask_int(c, q->keep_ms);
    c->reply = answered;
    ask_send(c);
}
