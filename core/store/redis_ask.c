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

void ask_begin(struct ask *c, enum redis_script script)
{
    c->script = script;
    c->n = 0;
    if (script == PLAIN)
        return;
    ask_text(c, "EVALSHA");
    ask_text(c, c->link->digests[script]);
    ask_text(c, "1");
    ask_text(c, REDIS_CONTROL "meta");
    ask_text(c, c->link->store->me);
}

/* --- those that are under way --- */

static void enlist(struct ask *c)
{
    struct link *l = c->link;
    c->sent_ns = clock_mono_ns(&CLOCK_SYSTEM);
    c->before = l->newest;
    c->after = NULL;
    *(l->newest ? &l->newest->after : &l->oldest) = c;
    l->newest = c;
}

static void delist(struct ask *c)
{
    struct link *l = c->link;
    *(c->before ? &c->before->after : &l->oldest) = c->after;
    *(c->after ? &c->after->before : &l->newest) = c->before;
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

void ask_end(struct ask *c, const struct err *why)
{
    struct link *l = c->link;
    struct err copy;
    if (why)
        copy = *why; /* it may lie in the call */
    note(c, why);
    struct job *j = c->job;
    arena_free(c->arena);
    free(c->args);
    free(c->lens);
    free(c);
    atomic_fetch_sub(&l->waiting, 1);
    job_end(j, why ? &copy : NULL);
    link_rest(l);
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

/* "slave0:ip=...,state=online,offset=1,lag=0": one that hangs looks online, but lags. */
static int replicas(const char *text)
{
    int n = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t len = strcspn(line, "\r\n");
        const char *online = memmem(line, len, ",state=online,", 14);
        const char *lag = memmem(line, len, ",lag=", 5);
        n += strncmp(line, "slave", 5) == 0 && online && lag && strtol(lag + 5, NULL, 10) <= 2;
    }
    return n;
}

static void note_replicas(struct redis *s, int n)
{
    int64_t since = atomic_load(&s->short_since);
    if ((n < s->url.wait) == (since != 0))
        return;
    atomic_store(&s->short_since, since ? 0 : clock_wall_ms(s->clock));
    log_event(since ? LOG_INFO : LOG_WARN, since ? "redis_replicas_back" : "redis_replicas_away",
              "\"needed\":%d,\"there\":%d", s->url.wait, n);
}

bool redis_is_master(struct redis *s, const redisReply *r)
{
    if (r->type != REDIS_REPLY_STRING || !strstr(r->str, "role:master"))
        return false;
    note_replicas(s, replicas(r->str));
    return true;
}

/* Who would wait in vain is told so at once. */
static bool may_send(const struct ask *c, struct err *e)
{
    struct redis *s = c->link->store;
    return c->confirming || !job_writes(c->job) || !atomic_load(&s->short_since) ||
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

static unsigned confirm_ms(const struct redis *s)
{
    return (unsigned)(s->reply_ns / 5000000);
}

/* Behind Sentinels what was written is told as done when replicas have it, for one of them may be
 * the master next. */
static enum ask_result confirmed(struct ask *c, const redisReply *r, struct err *e)
{
    struct redis *s = c->link->store;
    int64_t n;
    if (!redis_number(r, &n))
        return redis_strange(e), ASK_FAILED;
    if (n >= s->url.wait)
        return ASK_DONE;
    fail(e, &ERR_IO, "%d of %d replicas had it after %u ms; whether it lasts is not known", (int)n,
         s->url.wait, confirm_ms(s));
    note_replicas(s, (int)n);
    return ASK_FAILED;
}

static void ask_replicas(struct ask *c)
{
    const struct redis *s = c->link->store;
    c->confirming = true;
    ask_begin(c, PLAIN);
    ask_text(c, "WAIT");
    ask_int(c, s->url.wait);
    ask_uint(c, confirm_ms(s));
    c->reply = confirmed;
    ask_send(c);
}

/* What is a replica now is left at once; who is asked next says where the master is. */
static void not_a_master(struct ask *c, struct err *e)
{
    struct link *l = c->link;
    fail(e, &ERR_IO, "Redis is a replica, which takes no writes");
    if (l->state == LINK_READY)
        link_drop(l, "it is a replica");
}

static void replied(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)connection;
    struct ask *c = arg;
    const redisReply *r = reply;
    struct err e = {0};
    enum ask_result result = ASK_FAILED;
    delist(c);
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
    if (result == ASK_AGAIN) {
        ask_send(c);
        return;
    }
    if (result == ASK_DONE && c->link->store->url.wait && !c->confirming && job_writes(c->job)) {
        ask_replicas(c);
        return;
    }
    if (result == ASK_DONE && c->settled)
        c->settled(c);
    ask_end(c, result == ASK_DONE ? NULL : &e);
}

void ask_send(struct ask *c)
{
    struct link *l = c->link;
    struct err e = {0};
    if (!link_up(l, &e) || !may_send(c, &e)) {
        ask_end(c, &e);
        return;
    }
    enlist(c);
    if (redisAsyncCommandArgv(l->connection, replied, c, (int)c->n, c->args, c->lens) == REDIS_OK)
        return;
    delist(c);
    fail(&e, &ERR_IO, "the connection to Redis is closing");
    ask_end(c, &e);
}
