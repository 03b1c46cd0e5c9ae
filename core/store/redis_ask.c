#include "store/redis.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ask *ask_new(struct link *l, struct job *j)
{
    struct ask *c = mem_zero(1, sizeof *c);
    c->link = l;
    c->job = j;
    c->arena = arena_new((size_t)1 << 30);
    c->begun_ns = clock_mono_ns(&CLOCK_SYSTEM);
    c->slot = -1;
    return c;
}

struct ask *ask_part(struct ask *whole)
{
    struct ask *c = ask_new(whole->link, whole->job);
    c->whole = whole;
    whole->parts++;
    return c;
}

void ask_add(struct ask *c, const void *data, size_t len)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 32;
        c->args = mem_resize(c->args, c->cap, sizeof *c->args);
        c->lens = mem_resize(c->lens, c->cap, sizeof *c->lens);
    }
    c->args[c->n] = data ? data : "";
    c->lens[c->n++] = len;
}

void ask_text(struct ask *c, const char *text)
{
    ask_add(c, text, text ? strlen(text) : 0);
}

void ask_int(struct ask *c, int64_t n)
{
    ask_text(c, arena_printf(c->arena, "%lld", (long long)n));
}

void ask_uint(struct ask *c, uint64_t n)
{
    ask_text(c, arena_printf(c->arena, "%llu", (unsigned long long)n));
}

void ask_begin_in(struct ask *c, enum redis_script script, const char *gate, int slot)
{
    c->script = script;
    c->slot = slot;
    c->n = 0;
    if (script == PLAIN)
        return;
    ask_text(c, "EVALSHA");
    ask_text(c, c->link->digests[script]);
    ask_text(c, "1");
    ask_text(c, gate);
    ask_text(c, c->link->store->me);
}

void ask_begin(struct ask *c, enum redis_script script)
{
    ask_begin_in(c, script, REDIS_GATE, -1);
}

void ask_begin_at(struct ask *c, enum redis_script script, const char *tag)
{
    const char *gate = arena_printf(c->arena, "paddock:{%s}:gate", tag);
    ask_begin_in(c, script, gate, gate ? (int)redis_slot(gate) : -1);
}

/* --- those that are under way --- */

static void enlist(struct ask *c)
{
    struct wire *w = c->wire;
    c->sent_ns = clock_mono_ns(&CLOCK_SYSTEM);
    c->before = w->newest;
    c->after = NULL;
    *(w->newest ? &w->newest->after : &w->oldest) = c;
    w->newest = c;
}

static void delist(struct ask *c)
{
    struct wire *w = c->wire;
    *(c->before ? &c->before->after : &w->oldest) = c->after;
    *(c->after ? &c->after->before : &w->newest) = c->before;
    c->before = c->after = NULL;
}

/* --- how it went --- */

static void note(struct ask *c, const struct err *why)
{
    struct redis *s = c->link->store;
    const struct job *j = c->job;
    bool moved = j->kind == JOB_COMMIT && j->commit->moved; /* the store is none the worse */
    bool broken = why && why->kind == &ERR_IO && !moved;
    bool looked = j->kind == JOB_COMMIT && j->commit->check_only;
    if (!job_writes(j) || (looked && !broken) || (why && !broken))
        return;
    double seconds = (double)(clock_mono_ns(&CLOCK_SYSTEM) - c->begun_ns) / 1e9;
    pthread_mutex_lock(&s->stats_lock);
    if (broken) {
        s->stats.commit_failures++;
        s->failing_since = s->failing_since ? s->failing_since : clock_wall_ms(s->clock);
    } else {
        s->failing_since = 0;
        s->stats.commits++;
        s->stats.commit_seconds_sum += seconds;
        if (seconds > s->stats.commit_seconds_max)
            s->stats.commit_seconds_max = seconds;
    }
    if (!why && j->kind == JOB_COMMIT) {
        s->stats.commit_groups += j->commit->n_groups;
        for (size_t i = 0; i < j->commit->n_groups; i++)
            s->stats.refused_groups += j->commit->groups[i].refused;
    }
    pthread_mutex_unlock(&s->stats_lock);
}

static void went(struct ask *c, enum ask_result result, const struct err *why);

static void release(struct ask *c)
{
    arena_free(c->arena);
    free(c->args);
    free(c->lens);
    free(c);
}

/* A part has ended, or all of them were sent. After the last one the whole goes on. */
static void join(struct ask *whole, const struct err *why)
{
    if (why && !whole->fault.kind)
        whole->fault = *why;
    if (--whole->parts > 0)
        return;
    if (whole->fault.kind) {
        ask_end(whole, &whole->fault);
        return;
    }
    went(whole, whole->joined(whole), NULL);
}

void ask_end(struct ask *c, const struct err *why)
{
    struct link *l = c->link;
    struct err copy;
    if (why)
        copy = *why; /* it may lie in the call */
    if (c->whole) {
        struct ask *whole = c->whole;
        release(c);
        join(whole, why ? &copy : NULL);
        return;
    }
    note(c, why);
    struct job *j = c->job;
    release(c);
    atomic_fetch_sub(&l->waiting, 1);
    job_end(j, why ? &copy : NULL);
    link_rest(l);
}

void ask_settle(struct ask *c, const struct err *why)
{
    if (!why && c->settled)
        c->settled(c);
    ask_end(c, why);
}

/* --- replies --- */

bool redis_refused(const redisReply *r, struct err *e)
{
    if (strncmp(r->str, "NODE ", 5) == 0)
        return fail(e, &ERR_IO, "this node was away for too long, or was started again elsewhere");
    return fail(e, &ERR_IO, "Redis: %.300s", r->str);
}

bool redis_strange(struct err *e)
{
    return fail(e, &ERR_CORRUPT, "Redis answered what no script of this version answers");
}

bool redis_number(const redisReply *r, int64_t *out)
{
    char *end = NULL;
    if (r->type == REDIS_REPLY_INTEGER) {
        *out = r->integer;
        return true;
    }
    if ((r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS) || r->len == 0)
        return false;
    errno = 0;
    *out = strtoll(r->str, &end, 10);
    return errno == 0 && end == r->str + r->len;
}

/* Who would wait in vain is told so at once. */
static bool may_send(const struct ask *c, struct err *e)
{
    struct redis *s = c->link->store;
    return c->confirming || !job_waits(c->job) ||
           !atomic_load(&wire_followers(c->wire)->short_since) ||
           fail(e, &ERR_IO, "fewer than %d replicas follow the Redis, so nothing is written",
                s->url.wait);
}

static bool is_error(const redisReply *r, const char *prefix)
{
    return r->type == REDIS_REPLY_ERROR && strncmp(r->str, prefix, strlen(prefix)) == 0;
}

/* Somebody flushed the scripts: send the text, which puts it there again. */
static bool send_text(struct ask *c)
{
    if (c->script == PLAIN || strcmp(c->args[0], "EVALSHA") != 0)
        return false;
    c->args[0] = "EVAL";
    c->lens[0] = 4;
    c->args[1] = REDIS_SCRIPTS[c->script];
    c->lens[1] = strlen(c->args[1]);
    ask_send(c);
    return true;
}

/* --- slots that move --- */

/* It waits, to be sent again. False: that has lasted too long. */
static bool postpone(struct ask *c)
{
    struct link *l = c->link;
    if (!cluster_waits(&c->moving_ns))
        return false;
    c->after = l->waiters;
    l->waiters = c;
    return true;
}

void asks_go_on(struct link *l)
{
    struct ask *c = l->waiters;
    l->waiters = NULL;
    for (struct ask *next; c; c = next) {
        next = c->after;
        ask_send(c);
    }
}

/* It was not carried out. Whoever has the slot now is asked at once, if there is a connection. */
static void redirected(struct ask *c, const redisReply *r)
{
    struct err e = {0};
    struct wire *before = c->wire;
    const bool told = strncmp(r->str, "MOVED", 5) == 0;
    if (told && !c->moving_ns && link_wire(c->link, c->slot) != before) {
        (void)cluster_waits(&c->moving_ns);
        ask_send(c);
    } else if (!postpone(c)) {
        fail(&e, &ERR_IO, "the slot of what is asked for is on its way to another master");
        ask_end(c, &e);
    }
}

/* --- a reply --- */

/* What is a replica now is left at once; who is asked next says where the master is. */
static void not_a_master(struct ask *c, struct err *e)
{
    fail(e, &ERR_IO, "Redis is a replica, which takes no writes");
    if (c->wire->state == WIRE_READY)
        wire_drop(c->wire, "it is a replica");
}

static void went(struct ask *c, enum ask_result result, const struct err *why)
{
    bool waits = job_waits(c->job) && c->link->store->url.wait && !c->confirming;
    if (result == ASK_AGAIN)
        ask_send(c);
    else if (result == ASK_PARTS)
        join(c, NULL);
    else if (result == ASK_DOUBTED)
        ask_sentinels(c);
    else if (result == ASK_DONE && waits)
        ask_replicas(c);
    else
        ask_settle(c, result == ASK_DONE ? NULL : why);
}

static void replied(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)connection;
    struct ask *c = arg;
    const redisReply *r = reply;
    struct err e = {0};
    enum ask_result result = ASK_FAILED;
    delist(c);
    if (ask_wants_all(c))
        c->wire->asks_all = false;
    if (r && cluster_redirects(c->link->store, r, &c->wire->to)) {
        redirected(c, r);
        return;
    }
    c->moving_ns = 0;
    if (!r)
        fail(&e, &ERR_IO, "the connection to Redis was lost; whether it was done is not known");
    else if (is_error(r, "NOSCRIPT") && send_text(c))
        return;
    else if (is_error(r, "READONLY"))
        not_a_master(c, &e);
    else if (r->type == REDIS_REPLY_ERROR)
        redis_refused(r, &e);
    else
        result = c->reply(c, r, &e);
    went(c, result, &e);
}

/* Where it may go; false: nowhere, or it waits, then `*waits`. */
static bool may_go(struct ask *c, bool *waits, struct err *e)
{
    if (!c->confirming) /* what replicas have is known where it was written */
        c->wire = link_wire(c->link, c->slot);
    bool is_new = !c->wire || (c->wire->spread && !c->wire->was_ready);
    if (c->wire && wire_up(c->wire, e))
        return may_send(c, e);
    *waits = (is_new || c->moving_ns) && !c->link->lost && postpone(c);
    return !c->wire && !e->kind ? fail(e, &ERR_IO, "nobody has the slot of what is asked for")
                                : false;
}

void ask_send(struct ask *c)
{
    struct err e = {0};
    bool waits = false;
    if (!may_go(c, &waits, &e)) {
        if (!waits)
            ask_end(c, &e);
        return;
    }
    enlist(c);
    if (redisAsyncCommandArgv(c->wire->connection, replied, c, (int)c->n, c->args, c->lens) ==
        REDIS_OK)
        return;
    delist(c);
    fail(&e, &ERR_IO, "the connection to Redis is closing");
    ask_end(c, &e);
}
