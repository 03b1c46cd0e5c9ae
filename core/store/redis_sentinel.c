/* Where the master is, by those who decide it.
 *
 * A thread of its own asks all Sentinels of the URL twice a second, each over a connection that it
 * keeps, and takes the answer of the newest configuration (its epoch grows with each failover): one
 * that is cut off with an old master cannot hold the others back. What it finds is an address and a
 * turn, a number that grows when the address changes; a link that is connected in another turn lets
 * go at its next tick, and each checks that what it is connected to calls itself a master. No link
 * and no request waits for a Sentinel.
 *
 * A master that was deposed and does not know it yet still takes writes. Those are not told as
 * done, since no replica of it says that it has them (redis_ask.c). */
#include "store/redis.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define ROUND_MS 500
#define AGAIN_NS 5000000000LL /* before one that was not to be reached is tried again */

static const struct timeval WAIT = {.tv_sec = 1};

struct sentinel_answer {
    char host[256];
    int port;
    int64_t epoch;
};

struct sentinels {
    struct redis *store;
    redisContext *connections[REDIS_SENTINELS_MAX]; /* the thread's own, as is the next */
    int64_t retry_ns[REDIS_SENTINELS_MAX];
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* what is below */
    pthread_cond_t wake;
    bool stopping;
    struct sentinel_answer master;
    uint64_t turn;
};

void redis_master(struct redis *s, struct redis_place *out)
{
    *out = (struct redis_place){.port = s->url.port};
    memcpy(out->host, s->url.host, sizeof out->host);
    if (!s->sentinels)
        return;
    pthread_mutex_lock(&s->sentinels->lock);
    memcpy(out->host, s->sentinels->master.host, sizeof out->host);
    out->port = s->sentinels->master.port;
    out->turn = s->sentinels->turn;
    pthread_mutex_unlock(&s->sentinels->lock);
}

uint64_t redis_turn(struct redis *s)
{
    if (!s->sentinels)
        return 0;
    pthread_mutex_lock(&s->sentinels->lock);
    uint64_t turn = s->sentinels->turn;
    pthread_mutex_unlock(&s->sentinels->lock);
    return turn;
}

/* --- one of them --- */

static const char *field(const redisReply *r, const char *name)
{
    for (size_t i = 0; i + 1 < r->elements; i += 2)
        if (r->element[i]->type == REDIS_REPLY_STRING && strcmp(r->element[i]->str, name) == 0)
            return r->element[i + 1]->type == REDIS_REPLY_STRING ? r->element[i + 1]->str : NULL;
    return NULL;
}

static bool read_answer(const redisReply *r, struct sentinel_answer *out)
{
    if (r->type != REDIS_REPLY_ARRAY)
        return false;
    const char *host = field(r, "ip"), *port = field(r, "port"), *epoch = field(r, "config-epoch");
    if (!host || !port || !epoch || strlen(host) >= sizeof out->host)
        return false;
    snprintf(out->host, sizeof out->host, "%s", host);
    out->port = (int)strtol(port, NULL, 10);
    out->epoch = strtoll(epoch, NULL, 10);
    return *host && out->port > 0 && out->port < 65536;
}

static redisReply *ask(struct sentinels *t, redisContext *c)
{
    const struct redis_url *u = &t->store->url;
    redisReply *r = redisCommand(c, "SENTINEL MASTER %s", u->service);
    if (!r || r->type != REDIS_REPLY_ERROR || strncmp(r->str, "NOAUTH", 6) != 0 || !*u->password)
        return r;
    freeReplyObject(r);
    r = *u->user ? redisCommand(c, "AUTH %s %s", u->user, u->password)
                 : redisCommand(c, "AUTH %s", u->password);
    if (!r || r->type == REDIS_REPLY_ERROR)
        return r;
    freeReplyObject(r);
    return redisCommand(c, "SENTINEL MASTER %s", u->service);
}

/* False: it is not to be reached, or does not know; `e` says which. */
static bool ask_one(struct sentinels *t, unsigned i, struct sentinel_answer *out, struct err *e)
{
    const struct redis_sentinel *at = &t->store->url.sentinels[i];
    redisContext **c = &t->connections[i];
    if (!*c) {
        *c = redisConnectWithTimeout(at->host, at->port, WAIT);
        if (*c && !(*c)->err && redisSetTimeout(*c, WAIT) != REDIS_OK)
            fail(e, &ERR_IO, "a connection cannot be set up");
    }
    redisReply *r = *c && !(*c)->err ? ask(t, *c) : NULL;
    bool good = r && read_answer(r, out);
    if (!r)
        fail(e, &ERR_IO, "Sentinel %s:%d: %s", at->host, at->port, *c ? (*c)->errstr : "no memory");
    else if (!good)
        fail(e, &ERR_IO, "Sentinel %s:%d does not name a master of '%s': %.200s", at->host,
             at->port, t->store->url.service, r->type == REDIS_REPLY_ERROR ? r->str : "");
    if (!r && *c) {
        redisFree(*c);
        *c = NULL;
        t->retry_ns[i] = clock_mono_ns(&CLOCK_SYSTEM) + AGAIN_NS;
    }
    if (r)
        freeReplyObject(r);
    return good;
}

/* --- all of them --- */

static void take(struct sentinels *t, const struct sentinel_answer *a)
{
    pthread_mutex_lock(&t->lock);
    struct sentinel_answer *is = &t->master;
    bool other = strcmp(is->host, a->host) != 0 || is->port != a->port;
    bool newer = t->turn == 0 || (other && a->epoch >= is->epoch);
    if (newer)
        t->turn++;
    if (newer || !other)
        *is = *a;
    pthread_mutex_unlock(&t->lock);
    if (!newer)
        return;
    char text[sizeof a->host + REDIS_PLACE_SIZE + 32];
    snprintf(text, sizeof text, "%s is %s:%d", t->store->place, a->host, a->port);
    log_text(LOG_INFO, "redis_master", text);
}

/* Does any of them say where it is? */
static bool ask_all(struct sentinels *t, struct err *e)
{
    struct sentinel_answer best = {.epoch = -1};
    for (unsigned i = 0; i < t->store->url.n_sentinels; i++) {
        struct sentinel_answer a = {0};
        if (!t->connections[i] && clock_mono_ns(&CLOCK_SYSTEM) < t->retry_ns[i])
            continue;
        if (ask_one(t, i, &a, e) && a.epoch > best.epoch)
            best = a;
    }
    if (best.epoch < 0)
        return false;
    take(t, &best);
    return true;
}

static void *thread(void *arg)
{
    struct sentinels *t = arg;
    bool silent = false;
    while (cond_rest(&t->wake, &t->lock, &t->stopping, ROUND_MS)) {
        struct err e = {0};
        bool told = ask_all(t, &e);
        if (!told && !silent && e.kind)
            log_text(LOG_WARN, "redis_sentinels_silent", e.detail);
        silent = !told;
    }
    return NULL;
}

bool sentinels_start(struct redis *s, struct err *e)
{
    if (!s->url.n_sentinels)
        return true;
    struct sentinels *t = s->sentinels = mem_zero(1, sizeof *t);
    t->store = s;
    pthread_mutex_init(&t->lock, NULL);
    cond_init(&t->wake);
    if (!ask_all(t, e))
        return false;
    t->started = thread_start(&t->thread, "sentinels", THREAD_SOON, thread, t, e);
    return t->started;
}

void sentinels_stop(struct redis *s)
{
    struct sentinels *t = s->sentinels;
    if (!t)
        return;
    if (t->started) {
        pthread_mutex_lock(&t->lock);
        t->stopping = true;
        pthread_cond_signal(&t->wake);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (unsigned i = 0; i < REDIS_SENTINELS_MAX; i++)
        if (t->connections[i])
            redisFree(t->connections[i]);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    free(t);
    s->sentinels = NULL;
}
