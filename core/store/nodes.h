/* nodes: that several servers share one store. Room: store. Threads: [any].
 *
 * On Redis; an embedded store has one server, which decides and has the only place. */
#ifndef PADDOCK_STORE_NODES_H
#define PADDOCK_STORE_NODES_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Do others write to it too? */
static inline bool store_shared(const struct store *s)
{
    return s->ops->tail != NULL;
}

/* What may be decided only once (a night begins, a status of health has changed, an experiment goes
 * on) is decided by one node at a time. Is it this one, as far as it knows? Who acts on it submits
 * its command as a duty: the store refuses that of a node that has been overtaken meanwhile. */
bool store_decides(struct store *s);

/* Where this node's own records (windows of metrics, the queue of its runs) lie in the store: "",
 * or
 * ".1" and so on, to be put behind the first part of names. Of one node at a time, and the same
 * after a restart. */
#define STORE_SPACE_SIZE 16
void store_space(struct store *s, char out[STORE_SPACE_SIZE]);

#define NODE_DOING_SIZE 2048
/* Names of workers begin so: they keep no records and decide nothing. */
#define NODE_WORKS "worker-"

/* Grows when the store was found to have lost what it had: restored from something older, or failed
 * over to a replica that was behind. A change is told like what others write (watch); then what was
 * loaded is void, and everything has to be loaded anew. 1 at first, and of an embedded store. */
uint64_t store_epoch(struct store *s);

/* Since when there has been no connection to it, or not as many replicas as have to confirm what is
 * written (ms); 0: all is well, or the store is embedded. */
int64_t store_away_since(struct store *s);

/* The number of the place of this node's own records, and the other way round. */
unsigned store_place(struct store *s);
void place_space(size_t place, char out[STORE_SPACE_SIZE]);
/* The mark (of series) of the node with rows in `space` that says how far they have the deltas of a
 * place. */
#define DELTA_MARK_SIZE 64
void delta_mark_name(const char *space, size_t place, char out[DELTA_MARK_SIZE]);

/* One of the nodes, as it told of itself last. */
struct node_report {
    char node_id[64], version[64], address[80], host[80];
    int64_t started_ms, heartbeat_ms;
    uint64_t seq, lag; /* the journal as far as it had it, and what it lacked of it at that time */
    uint64_t epoch;    /* of the data that it shows */
    bool alive, self, decides;
    bool works;                  /* a worker: it carries out runs, and serves nobody */
    char doing[NODE_DOING_SIZE]; /* JSON object, as it told by store_tell_doing(); "": nothing */
};
/* Each that lives, or has died within a day; none for an embedded store. Sorted by node_id. False
 * from `each` ends it. */
void store_nodes(struct store *s, bool (*each)(void *ctx, const struct node_report *r), void *ctx);
/* What others may reach this one by. */
void store_tell_address(struct store *s, const char *address);
/* What it does, a JSON object of less than NODE_DOING_SIZE bytes (else nothing is told). */
void store_tell_doing(struct store *s, const char *json);
/* Its name among them; "" for an embedded store. */
void store_node_name(struct store *s, char out[64]);

#endif
