/* Deltas: a stream for each place, whose ids are positions of that node's log and parts. A hash
 * says how far each stream reaches, also when it was trimmed to nothing. Facts: one stream of all,
 * whose ids are counted; its hash says how far each place has told each kind. */
#include "store/redis.h"

#include <stdlib.h>

#define STREAM_MAX 8192      /* parts; then the oldest go, and who lacks them begins anew */
#define WAIT_MS    600000    /* so long a node that went away finds all that it lacks */
#define FIXED      2         /* of an answer, before what there is of each place */
#define ANSWER_MAX (8 << 20) /* bytes of one answer, and one part more */

static enum ask_result shipped(struct ask *c, const redisReply *r, struct err *e)
{
    int64_t reaches;
    if (!redis_number(r, &reaches) || reaches < 0)
        return redis_strange(e), ASK_FAILED;
    c->job->ship->reaches = (uint64_t)reaches;
    return ASK_DONE;
}

static enum ask_result told(struct ask *c, const redisReply *r, struct err *e)
{
    struct delta_ship *d = c->job->ship;
    int64_t reaches, left_out, floor;
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 ||
        !redis_number(r->element[0], &reaches) || !redis_number(r->element[1], &left_out) ||
        !redis_number(r->element[2], &floor) || reaches < 0 || left_out < 0)
        return redis_strange(e), ASK_FAILED;
    d->reaches = (uint64_t)reaches;
    d->left_out = (size_t)left_out;
    d->floor_ms = floor;
    return ASK_DONE;
}

static void tell(struct ask *c)
{
    const struct delta_ship *d = c->job->ship;
    const struct fact_ship *f = d->fact;
    ask_begin(c, SCRIPT_FACTS);
    ask_text(c, arena_printf(c->arena, "%u:%s", c->link->store->space, f->kind));
    ask_uint(c, d->from);
    ask_uint(c, d->until);
    ask_int(c, f->now_ms);
    ask_int(c, f->window_ms);
    ask_uint(c, f->window_max);
    ask_uint(c, f->drop);
    ask_uint(c, d->n);
    for (size_t i = 0; i < d->n; i++) {
        ask_add(c, f->hashes ? &f->hashes[i] : NULL, f->hashes && f->hashes[i] ? 8 : 0);
        ask_add(c, d->parts[i], d->lens[i]);
    }
    c->reply = told;
    ask_send(c);
}

static void tidy(struct ask *c)
{
    ask_begin(c, SCRIPT_TIDY);
    ask_uint(c, c->link->store->space);
    ask_int(c, clock_wall_ms(c->link->store->clock));
    ask_int(c, WAIT_MS);
}

void redis_ship(struct ask *c)
{
    const struct delta_ship *d = c->job->ship;
    c->reply = shipped;
    if (d->fact) {
        tell(c);
        return;
    }
    if (d->tidy) {
        tidy(c);
        ask_send(c);
        return;
    }
    ask_begin(c, SCRIPT_SHIP);
    ask_uint(c, c->link->store->space);
    ask_uint(c, d->from);
    ask_uint(c, d->until);
    ask_uint(c, STREAM_MAX);
    ask_uint(c, d->n);
    for (size_t i = 0; i < d->n; i++)
        ask_add(c, d->parts[i], d->lens[i]);
    ask_send(c);
}

/* "POSITION-PART" */
static bool read_id(const redisReply *r, struct delta_at *at)
{
    char *end;
    if (r->type != REDIS_REPLY_STRING)
        return false;
    at->position = strtoull(r->str, &end, 10);
    if (*end != '-')
        return false;
    at->part = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

static enum ask_result were_read(struct ask *c, const redisReply *r, struct err *e)
{
    struct delta_read *d = c->job->deltas;
    int64_t more, places, reaches;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < FIXED ||
        !redis_number(r->element[0], &more) || !redis_number(r->element[1], &places) ||
        places < 0 || (size_t)places > r->elements - FIXED)
        return redis_strange(e), ASK_FAILED;
    d->more = more != 0;
    const size_t first = FIXED + (size_t)places;
    for (size_t i = FIXED; i < first; i++) {
        if (!redis_number(r->element[i], &reaches) || reaches < 0)
            return redis_strange(e), ASK_FAILED;
        d->reaches(d->ctx, i - FIXED, (uint64_t)reaches);
    }
    for (size_t i = first; i + 2 < r->elements; i += 3) {
        const redisReply *data = r->element[i + 2];
        int64_t place;
        struct delta_at at;
        if (!redis_number(r->element[i], &place) || place < 0 || !read_id(r->element[i + 1], &at) ||
            data->type != REDIS_REPLY_STRING)
            return redis_strange(e), ASK_FAILED;
        if (!d->each(d->ctx, (size_t)place, at, data->str, (size_t)data->len))
            break;
    }
    return ASK_DONE;
}

void redis_deltas(struct ask *c)
{
    const struct delta_read *d = c->job->deltas;
    ask_begin(c, SCRIPT_DELTAS);
    ask_text(c, d->facts ? "facts" : "deltas");
    ask_uint(c, ANSWER_MAX);
    ask_uint(c, d->n);
    for (size_t i = 0; i < d->n; i++)
        ask_text(c, arena_printf(c->arena, "%llu-%llu", (unsigned long long)d->after[i].position,
                                 (unsigned long long)d->after[i].part));
    c->reply = were_read;
    ask_send(c);
}
