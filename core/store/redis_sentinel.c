/* Where the master is, by those who decide it.
 *
 * All Sentinels of the URL are asked, and the answer of the newest configuration is taken (its
 * epoch grows with each failover): one that is cut off with an old master cannot hold the others
 * back. Each link checks that what it is connected to calls itself a master.
 *
 * A master that was deposed and does not know it yet still takes writes. Those are not told as
 * done, since no replica of it says that it has them (redis_ask.c). */
#include "store/redis_guides.h"

#include <stdlib.h>
#include <string.h>

struct sentinel_answer {
    char host[256];
    int port;
    int64_t epoch;
    int replicas;   /* that it knows */
    bool replacing; /* it is at it, or has done so and not ended it */
};

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
    const char *flags = field(r, "flags"), *state = field(r, "failover-state");
    const char *number = field(r, "num-slaves");
    if (!host || !port || !epoch || strlen(host) >= sizeof out->host)
        return false;
    snprintf(out->host, sizeof out->host, "%s", host);
    out->port = (int)strtol(port, NULL, 10);
    out->epoch = strtoll(epoch, NULL, 10);
    out->replicas = number ? (int)strtol(number, NULL, 10) : 0;
    out->replacing = flags && strstr(flags, "failover_in_progress") &&
                     !(state && strcmp(state, "wait_start") == 0);
    return *host && out->port > 0 && out->port < 65536;
}

/* False: it is not to be reached, or does not know; `e` says which. */
static bool ask_one(struct guides *g, struct guide *to, struct sentinel_answer *out, struct err *e)
{
    const char *words[] = {"SENTINEL", "MASTER", g->store->url.service};
    redisReply *r = guide_ask(g, to, 3, words, e);
    if (!r)
        return false;
    bool good = read_answer(r, out);
    if (!good)
        fail(e, &ERR_IO, "Sentinel %s:%d does not name a master of '%s': %.200s", to->at.host,
             to->at.port, g->store->url.service, r->type == REDIS_REPLY_ERROR ? r->str : "");
    freeReplyObject(r);
    return good;
}

/* Who is at replacing a master has its new epoch before its new place. */
static bool newer(const struct sentinel_answer *a, const struct sentinel_answer *than)
{
    return a->epoch > than->epoch || (a->epoch == than->epoch && than->replacing && !a->replacing);
}

/* Nobody who is named but `is` matters: who replaces another than the newest is late. */
static bool stands(const struct sentinel_answer *all, unsigned n, const struct sentinel_answer *is)
{
    bool well = true;
    for (unsigned i = 0; i < n; i++)
        well &= !all[i].replacing || strcmp(all[i].host, is->host) != 0 || all[i].port != is->port;
    return well;
}

/* Does any of them say where it is? */
bool sentinels_round(struct guides *g, struct err *e)
{
    struct sentinel_answer all[REDIS_GUIDES_MAX], best = {.epoch = -1};
    unsigned n = 0;
    int replicas = 0;
    for (unsigned i = 0; i < g->n; i++) {
        if (!ask_one(g, &g->list[i], &all[n], e))
            continue;
        replicas = all[n].replicas > replicas ? all[n].replicas : replicas;
        if (newer(&all[n], &best))
            best = all[n];
        n++;
    }
    if (n == 0)
        return false;
    atomic_store(&g->replicas, replicas);
    g->stands = 2 * n > g->n && stands(all, n, &best);
    const struct redis_place *is = &g->master; /* nobody else changes it */
    bool same = strcmp(is->host, best.host) == 0 && is->port == best.port;
    if (same || best.epoch >= g->epoch) {
        g->epoch = best.epoch;
        guides_take(g, best.host, best.port);
    } else {
        g->stands = false;
    }
    return true;
}
