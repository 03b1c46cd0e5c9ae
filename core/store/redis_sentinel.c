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
    if (!host || !port || !epoch || strlen(host) >= sizeof out->host)
        return false;
    snprintf(out->host, sizeof out->host, "%s", host);
    out->port = (int)strtol(port, NULL, 10);
    out->epoch = strtoll(epoch, NULL, 10);
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

/* Does any of them say where it is? */
bool sentinels_round(struct guides *g, struct err *e)
{
    struct sentinel_answer best = {.epoch = -1};
    for (unsigned i = 0; i < g->n; i++) {
        struct sentinel_answer a = {0};
        if (ask_one(g, &g->list[i], &a, e) && a.epoch > best.epoch)
            best = a;
    }
    if (best.epoch < 0)
        return false;
    const struct redis_place *is = &g->master; /* nobody else changes it */
    bool same = strcmp(is->host, best.host) == 0 && is->port == best.port;
    if (same || best.epoch >= g->epoch) {
        g->epoch = best.epoch;
        guides_take(g, best.host, best.port);
    }
    return true;
}
