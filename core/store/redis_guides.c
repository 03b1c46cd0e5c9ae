#include "store/redis_guides.h"

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

/* --- what others see --- */

void redis_master(struct redis *s, struct redis_place *out)
{
    *out = (struct redis_place){.port = s->url.port};
    memcpy(out->host, s->url.host, sizeof out->host);
    if (!s->guides)
        return;
    pthread_mutex_lock(&s->guides->lock);
    *out = s->guides->master;
    pthread_mutex_unlock(&s->guides->lock);
}

uint64_t redis_turn(struct redis *s)
{
    struct redis_place place;
    redis_master(s, &place);
    return place.turn;
}

void guides_take(struct guides *g, const char *host, int port)
{
    pthread_mutex_lock(&g->lock);
    struct redis_place *is = &g->master;
    bool other = !is->turn || strcmp(is->host, host) != 0 || is->port != port;
    if (other) {
        snprintf(is->host, sizeof is->host, "%s", host);
        is->port = port;
        is->turn++;
    }
    pthread_mutex_unlock(&g->lock);
    if (!other)
        return;
    char text[256 + REDIS_PLACE_SIZE + 32];
    snprintf(text, sizeof text, "%s is %s:%d", g->store->place, host, port);
    log_text(LOG_INFO, "redis_master", text);
}

/* --- one of them --- */

void guides_add(struct guides *g, const char *host, int port)
{
    for (unsigned i = 0; i < g->n; i++)
        if (strcmp(g->list[i].at.host, host) == 0 && g->list[i].at.port == port)
            return;
    struct guide *one = g->n < GUIDES_MAX ? &g->list[g->n++] : NULL;
    for (unsigned i = g->store->url.n_guides; i < g->n && !one; i++)
        if (!g->list[i].connection) /* it may be gone for good; if not it is named again */
            one = &g->list[i];
    if (!one)
        return;
    *one = (struct guide){.at.port = port};
    snprintf(one->at.host, sizeof one->at.host, "%s", host);
}

static redisReply *ask(const struct redis_url *u, redisContext *c, int n, const char **words)
{
    redisReply *r = redisCommandArgv(c, n, words, NULL);
    if (!r || r->type != REDIS_REPLY_ERROR || strncmp(r->str, "NOAUTH", 6) != 0 || !*u->password)
        return r;
    freeReplyObject(r);
    r = *u->user ? redisCommand(c, "AUTH %s %s", u->user, u->password)
                 : redisCommand(c, "AUTH %s", u->password);
    if (!r || r->type == REDIS_REPLY_ERROR)
        return r;
    freeReplyObject(r);
    return redisCommandArgv(c, n, words, NULL);
}

redisReply *guide_ask(struct guides *g, struct guide *to, int n, const char **words, struct err *e)
{
    redisContext *c = to->connection;
    if (!c && clock_mono_ns(&CLOCK_SYSTEM) < to->retry_ns)
        return NULL;
    if (!c)
        c = redisConnectWithTimeout(to->at.host, to->at.port, WAIT);
    bool well = c && !c->err && redisSetTimeout(c, WAIT) == REDIS_OK;
    redisReply *r = well ? ask(&g->store->url, c, n, words) : NULL;
    to->connection = c;
    if (r)
        return r;
    fail(e, &ERR_IO, "%s %s:%d: %s", g->what, to->at.host, to->at.port,
         c ? c->errstr : "no memory");
    if (c)
        redisFree(c);
    to->connection = NULL;
    to->retry_ns = clock_mono_ns(&CLOCK_SYSTEM) + AGAIN_NS;
    return NULL;
}

/* --- all of them --- */

int guides_replicas(struct redis *s)
{
    return s->guides ? atomic_load(&s->guides->replicas) : 0;
}

uint64_t guides_ask(struct redis *s)
{
    struct guides *g = s->guides;
    pthread_mutex_lock(&g->lock);
    const uint64_t round = g->asked = g->begun + 1;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
    return round;
}

bool guides_told(struct redis *s, uint64_t round, uint64_t *turn)
{
    struct guides *g = s->guides;
    pthread_mutex_lock(&g->lock);
    const bool over = g->ended >= round;
    *turn = g->standing;
    pthread_mutex_unlock(&g->lock);
    return over;
}

/* When it is time, or somebody waits for one. False: for no more. */
static bool begin_round(struct guides *g)
{
    const struct timespec until = cond_until(ROUND_MS);
    pthread_mutex_lock(&g->lock);
    while (!g->stopping && g->asked <= g->begun &&
           pthread_cond_timedwait(&g->wake, &g->lock, &until) == 0)
        ;
    const bool go_on = !g->stopping;
    g->begun += go_on;
    pthread_mutex_unlock(&g->lock);
    return go_on;
}

static void end_round(struct guides *g)
{
    pthread_mutex_lock(&g->lock);
    const bool asked = g->asked >= g->begun;
    g->ended = g->begun;
    g->standing = g->stands ? g->master.turn : 0;
    pthread_mutex_unlock(&g->lock);
    if (!asked)
        return;
    link_tell(&g->store->control);
    link_tell(&g->store->data);
}

static void *thread(void *arg)
{
    struct guides *g = arg;
    bool silent = false;
    while (begin_round(g)) {
        struct err e = {0};
        g->stands = false;
        bool told = g->round(g, &e);
        end_round(g);
        if (!told && !silent && e.kind)
            log_text(LOG_WARN, "redis_guides_silent", e.detail);
        silent = !told;
    }
    return NULL;
}

bool guides_start(struct redis *s, struct err *e)
{
    const struct redis_url *u = &s->url;
    if (!u->n_guides)
        return true;
    struct guides *g = s->guides = mem_zero(1, sizeof *g);
    g->store = s;
    pthread_mutex_init(&g->lock, NULL);
    cond_init(&g->wake);
    for (unsigned i = 0; i < u->n_guides; i++)
        guides_add(g, u->guides[i].host, u->guides[i].port);
    g->what = redis_url_is_cluster(u) ? "Redis Cluster node" : "Sentinel";
    g->round = redis_url_is_cluster(u) ? cluster_round : sentinels_round;
    s->cluster = redis_url_is_cluster(u) ? cluster_new() : NULL;
    if (!g->round(g, e))
        return false;
    g->started = thread_start(&g->thread, "guides", THREAD_SOON, thread, g, e);
    return g->started;
}

void guides_stop(struct redis *s)
{
    struct guides *g = s->guides;
    if (!g)
        return;
    if (g->started) {
        pthread_mutex_lock(&g->lock);
        g->stopping = true;
        pthread_cond_signal(&g->wake);
        pthread_mutex_unlock(&g->lock);
        pthread_join(g->thread, NULL);
    }
    for (unsigned i = 0; i < g->n; i++)
        if (g->list[i].connection)
            redisFree(g->list[i].connection);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->wake);
    cluster_free(s->cluster);
    free(g);
    s->guides = NULL;
    s->cluster = NULL;
}
