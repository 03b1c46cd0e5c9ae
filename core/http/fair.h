/* fair: whose turn it is in a loop. Room: http. Threads: [loop].
 *
 * A loop does three things to give everybody a share of its time:
 *   1. A visit to a connection is short: some requests, or 64 KiB of a body; what is left waits in
 *      a queue, behind the others that have something to do.
 *   2. Who used much lately comes after who used little. Time is charged to the connection, and to
 *      its tenant (request_rate()) or, where none is known, its address; past 4 % of the loop's
 * time they are busy, and their connections are served from the queue of the busy. TLS handshakes
 *      and new connections stand there too.
 *   3. A turn among the busy is short: after 300 microseconds the loop looks whether one of
 *      the others has something to do. Should those fill the loop by themselves, all are treated
 *      alike for a while, so that nobody waits for ever. */
#ifndef PADDOCK_HTTP_FAIR_H
#define PADDOCK_HTTP_FAIR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct event;
struct loop;
struct mail;

enum fair_priority { FAIR_FIRST, FAIR_LATER, FAIR_PRIORITIES };

/* Time used of late: halved with each window of 67 ms that passes. */
struct usage {
    int64_t window, ns;
};
#define USAGE_SLOTS 1024 /* tenants and addresses; those that share one share a fate */

struct fair {
    struct usage slots[USAGE_SLOTS];
    struct connection *ready, *ready_last; /* have more to do, oldest first */
    struct event *ready_event, *canary;    /* the canary sings when the busy get their turn */
    struct mail *later, *later_last;       /* work in pieces, see loop_post_later() */
    struct event *later_event;
    int64_t turn_ns;                  /* when this turn began; 0: nobody was visited yet */
    int64_t visit_ns, last_ns;        /* the visit's begin; the newest time known */
    int64_t quiet_ns;                 /* a tenant or address that uses little had a visit */
    int64_t later_ns, level_until_ns; /* the busy had their turn; all are alike until */
    int64_t canary_ns;                /* when it was sent; 0: it is not on its way */
};

bool fair_start(struct loop *l, struct err *e) MUST_CHECK;
void fair_stop(struct loop *l);
/* The turn ends. */
void fair_turn_end(struct loop *l);
/* A while has passed: should the loop look around? Breaks the turn if so. */
void fair_look(struct loop *l);

/* Around everything that is done for a connection because something happened to it. */
void fair_begin(struct connection *c);
void fair_end(struct connection *c);
/* Has the visit lasted long enough, as far as the newest time known tells? */
bool fair_over(const struct connection *c);
/* Is it new and of somebody busy, or in its handshake? Then it comes later. */
void fair_open(struct connection *c);
/* It has more to do than one visit may take: in turn. */
void fair_queue(struct connection *c);
void fair_unqueue(struct connection *c); /* harmless when it is not in the queue */

#endif
