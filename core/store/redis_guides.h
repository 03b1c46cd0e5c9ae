/* redis_guides: those that know where the Redis to write to is, asked twice a second by a thread of
 * their own. Room: store (its own use).
 *
 * Sentinels name a master (redis_sentinel.c); nodes of a Cluster say who has which slot
 * (redis_cluster.c). What comes of it is the place of the control plane and a turn, a number that
 * grows when the place changes: a link that is connected in another turn lets go at its next tick.
 * No link and no request waits for a guide. */
#ifndef PADDOCK_STORE_REDIS_GUIDES_H
#define PADDOCK_STORE_REDIS_GUIDES_H

#include "store/redis.h"

#include "base/err.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define GUIDES_MAX 160

struct guide {
    struct redis_guide at;
    redisContext *connection;
    int64_t retry_ns;
};

struct guides {
    struct redis *store;
    const char *what; /* one of them is, for messages */
    struct guide
        list[GUIDES_MAX]; /* the thread's own, as is the next; NULL connections at the end */
    unsigned n;
    int64_t epoch; /* of the newest configuration that Sentinels told */
    bool stands;   /* Sentinels, as of this round: nobody is about to replace the master */
    /* Ask them; false, and `e`: none of them says where it is. [the thread] */
    bool (*round)(struct guides *g, struct err *e);
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* what is below */
    pthread_cond_t wake;
    bool stopping;
    struct redis_place master; /* of the control plane */
    uint64_t begun, ended;     /* rounds */
    uint64_t asked;            /* the round that requests wait for */
    uint64_t standing;         /* turn of the master that stood as of the last round; 0: none */
    atomic_int replicas;       /* that Sentinels know */
};

/* One that is named again is not asked twice. [the thread, or before it] */
void guides_add(struct guides *g, const char *host, int port);
/* Ask one; NULL, and `e`: it is not to be reached, or was not a short while ago (then `e` is left
 * alone). It is logged in when it wants that. Free the reply. [the thread] */
redisReply *guide_ask(struct guides *g, struct guide *to, int n, const char **words, struct err *e);
/* [any] The control plane is at this place now. */
void guides_take(struct guides *g, const char *host, int port);

#endif
