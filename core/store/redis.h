/* redis: the store on a Redis server, or on a Cluster of them. Room: store (its own use).
 *
 * Threads: three links, each an event loop, a thread, and a connection to where the control plane
 * is: `control` (commits, keys, leases, queues), `data` (series, the journal) and `watch`, which
 * waits for what others write. On a Cluster `data` has one more to each master, for the series. A
 * request is carried out on its link's thread. What blocks its caller (load, tail, chain, keys,
 * mark) has a connection of its own, behind a lock. */
#ifndef PADDOCK_STORE_REDIS_H
#define PADDOCK_STORE_REDIS_H

#include "store/job.h"
#include "store/nodes.h"
#include "store/redis_scripts.h"
#include "store/redis_url.h"
#include "store/store.h"

#include "base/ids.h"

#include <event2/event.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REDIS_DIGEST_SIZE 41
#define REDIS_ME_SIZE     96

/* A Redis to write to, and since which turn (redis_guides.h) it is that one. */
struct redis_place {
    char host[256]; /* "": a socket */
    int port;
    uint64_t turn;
};

struct redis;
struct ask;
struct guides;
struct cluster;

enum wire_state {
    WIRE_AWAY,     /* no connection; the next attempt is at `retry_ns` */
    WIRE_GREETING, /* connecting, or introducing itself */
    WIRE_READY,
};

/* The replicas of a master, as far as they matter to who writes there. [any] */
struct followers {
    atomic_int_fast64_t short_since; /* ms: fewer than have to confirm; 0: enough */
    atomic_int keep_up;              /* so many follow, and are not left behind */
    atomic_int_fast64_t floor;       /* offset that one left behind has to reach; 0: none is */
};

/* A connection of a link, which comes back when it is lost. [link] but for the end of it */
struct wire {
    struct link *link;
    struct wire *next;     /* of the link */
    bool spread;           /* to a master for its series; else to where the control plane is */
    bool retired;          /* nothing is kept there any more */
    bool was_ready;        /* ever */
    struct redis_place to; /* of the connection; a spread one always goes there */
    redisAsyncContext *connection;
    enum wire_state state;
    atomic_uint hangs; /* of the store, when it was connected */
    int64_t greeting_ns, retry_ns, renewed_ns, looked_ns;
    unsigned backoff_ms, greetings; /* replies of the greeting that are still to come */
    bool renewing;
    struct ask *oldest, *newest; /* sent, not answered */
    bool asks_all;               /* one of them waits for all replicas that keep up */
    struct followers followers;  /* see wire_followers() */

    /* under the link's lock */
    bool ready;
    int64_t away_since; /* ms; 0: it is not */
    char reason[256];   /* why it is away */
};

struct link {
    struct redis *store;
    const char *name;
    bool keeps_lease; /* this one renews the lease of the node */
    bool watches;     /* this one waits for what others write, and does nothing else */
    bool spreads;     /* this one carries series */
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct event *mail_event, *tick;
    struct mailbox *mailbox;

    /* the thread's own */
    int64_t leaving_ns;
    bool closing, leaving, lost;
    uint64_t heard;      /* of the watch: what it told last */
    uint64_t map;        /* version of the Cluster's map that there are wires for */
    struct ask *waiters; /* for a slot that moves */
    struct ask *doubted; /* for what Sentinels say (redis_confirm.c) */
    char digests[SCRIPTS][REDIS_DIGEST_SIZE];

    atomic_uint waiting;  /* requests posted and not answered */
    struct mail word;     /* in the mailbox: Sentinels were asked */
    atomic_bool worded;   /* it is in there */
    pthread_mutex_t lock; /* what is below, and the list of wires */
    pthread_cond_t wake;
    bool listens;     /* to that word */
    struct wire main; /* the first of them */
};

struct redis {
    struct store store; /* first */
    const struct clock *clock;
    struct redis_url url;
    char place[REDIS_PLACE_SIZE];
    char me[REDIS_ME_SIZE]; /* "DIRECTORY/START" */
    int64_t reply_ns;       /* an answer that takes longer ends the connection */
    struct link control, data, watch;

    char version[64], life[ULID_SIZE];
    unsigned space; /* which place in Redis has this node's own records */
    int64_t started_ms;
    atomic_uint_fast64_t epoch; /* of the data in Redis, as of the last renewal */
    atomic_uint_fast64_t own;   /* by commits of this node */
    atomic_uint_fast64_t least_writer, least_term; /* what it was refused for (redis_append.c) */
    atomic_int_fast64_t leased_ns;                 /* when the lease was last asked for and given */
    atomic_int_fast64_t decides_ns; /* monotonic: until then nobody else is the decider */
    pthread_mutex_t nodes_lock;     /* what is below */
    struct node_report *nodes;      /* as of the last renewal */
    size_t n_nodes;
    char address[80], doing[NODE_DOING_SIZE];
    struct store_head reached; /* the journal was seen to reach so far */
    uint64_t losses;           /* how often it turned out that Redis had lost some of that */
    void (*moved)(void *ctx, uint64_t seq);
    void *moved_ctx;
    uint64_t told; /* the newest that others wrote */

    struct guides *guides;   /* NULL: it is where the URL says */
    struct cluster *cluster; /* NULL: it is none */
    atomic_uint hangs;       /* how often the direct connection got no answer in time */

    pthread_mutex_t direct_lock;
    redisContext *direct;
    struct redis_place direct_to;

    pthread_mutex_t stats_lock;
    struct store_stats stats;
    int64_t failing_since; /* ms */
};

static inline struct redis *redis_of(struct store *s)
{
    return (struct redis *)(void *)s;
}

/* --- redis_link.c: a thread with connections --- */
bool link_start(struct link *l, struct redis *s, const char *name, struct err *e) MUST_CHECK;
/* Wait until it is ready. */
bool link_wait(struct link *l, struct err *e) MUST_CHECK;
/* Answer what was asked, leave, end the thread. */
void link_stop(struct link *l);
/* [any] Is there a connection to where the control plane is? Else `e` says why not. */
bool link_up(struct link *l, struct err *e) MUST_CHECK;
/* [any] Since when one of its connections is away, ms; 0: none is. */
int64_t link_away_since(struct link *l);
/* [any] */
void link_post(struct link *l, enum job_kind kind, void *request);
/* [guides] What requests have asked Sentinels is answered. */
void link_tell(struct link *l);
/* [link] After a call ended. */
void link_rest(struct link *l);
/* [link] The wire to who has this slot of a Cluster; of slot -1 the main one. NULL: not known. */
struct wire *link_wire(struct link *l, int slot);

/* --- redis_wire.c: a connection that comes back --- */
/* [link] */
void wire_init(struct wire *w, struct link *l, const struct redis_place *spread);
bool wire_up(struct wire *w, struct err *e) MUST_CHECK;
/* End the connection. */
void wire_drop(struct wire *w, const char *reason);
/* What this process shows may be wrong, and only a new start loads it anew. */
void wire_lose(struct wire *w, const char *reason);
void wire_tick(struct wire *w, int64_t now_ns);
/* The end: give the lease back; false: there is nothing to wait for. */
bool wire_leave(struct wire *w);
/* So many replicas follow this one, or had it in time. */
void wire_note_replicas(struct wire *w, int n);
/* Only so many had it in time: the others are waited for when they have caught up. */
void wire_leave_behind(struct wire *w, int n);
struct followers *wire_followers(struct wire *w);
/* Of where the control plane is one link looks for all. */
bool wire_looks(const struct wire *w);

/* --- redis_guides.h: who says where it is. Start: ask them once, and from now on. --- */
bool guides_start(struct redis *s, struct err *e) MUST_CHECK;
void guides_stop(struct redis *s);
/* [any] Where the control plane is. */
void redis_master(struct redis *s, struct redis_place *out);
/* [any] What is connected to one of another turn may be connected to what is no master any more. */
uint64_t redis_turn(struct redis *s);
/* [any] So many replicas Sentinels know, dead or alive; 0: there are no Sentinels. */
int guides_replicas(struct redis *s);
/* [any] Have Sentinels asked; the links are told. The number of the round that will have begun
 * after this. */
uint64_t guides_ask(struct redis *s);
/* [any] False: it is not over. Else `*turn` is that of the master that more than half of the
 * Sentinels answered for, none of which is about to replace it; 0: there is none. */
bool guides_told(struct redis *s, uint64_t round, uint64_t *turn);
/* --- redis_sentinel.c --- */
bool sentinels_round(struct guides *g, struct err *e) MUST_CHECK;

/* --- redis_cluster.c: which master has which slot --- */
#define CLUSTER_MASTERS_MAX 128
struct cluster *cluster_new(void) __attribute__((returns_nonnull));
void cluster_free(struct cluster *c);
bool cluster_round(struct guides *g, struct err *e) MUST_CHECK;
/* Slot of a key, which may be a beginning that holds all of its hash tag. */
unsigned redis_slot(const char *key);
/* [any] False: nobody is known to have it. */
bool cluster_owner(struct redis *s, unsigned slot, struct redis_place *out) MUST_CHECK;
/* [any] Those that have slots, and a number that changes with the map. */
size_t cluster_masters(struct redis *s, struct redis_place out[CLUSTER_MASTERS_MAX]);
uint64_t cluster_version(struct redis *s);
/* [any] Is this reply that of somebody who has not done it, since the slot is elsewhere or on its
 * way? The map is changed if it says where. */
bool cluster_redirects(struct redis *s, const redisReply *r, const struct redis_place *from);
/* Is it worth to wait on for a slot that moves? `*since_ns` 0: it is the first time. */
bool cluster_waits(int64_t *since_ns);

/* --- redis_nodes.c: the lease of this node, its place among the others, the decider --- */
/* [link] Ask for the lease; the reply is for node_leased(). */
void node_renew(struct wire *w, redisCallbackFn *fn);
/* False: it is lost, or the reply is none; `e` says why. */
bool node_leased(struct redis *s, int64_t asked_ns, const redisReply *r, struct err *e) MUST_CHECK;
void node_leave(struct wire *w, redisCallbackFn *fn);
/* [any] The journal was seen to reach so far; what is of an earlier epoch than what was seen last
 * does not count. */
void node_reached(struct redis *s, const struct store_head *head);
/* Does anybody else live on it, as of the last renewal? */
bool node_others(struct redis *s);
/* [watch] Wait for what others write. */
void watch_ask(struct wire *w);
void redis_watch(struct store *s, void (*moved)(void *ctx, uint64_t seq), void *ctx);

/* --- redis_ask.c: a command, its arguments, its reply --- */

enum ask_result {
    ASK_DONE,
    ASK_AGAIN,   /* it has new arguments: send it */
    ASK_PARTS,   /* it goes on when its parts have ended */
    ASK_DOUBTED, /* replicas have it; Sentinels are asked whether this is the master */
    ASK_FAILED,
};

/* One request on its way; lives in steps: arguments, send, reply, perhaps again. [link] */
struct ask {
    struct ask *before, *after; /* among those sent */
    struct link *link;
    struct wire *wire; /* it was sent on */
    struct job *job;
    struct arena *arena; /* arguments that have to be made, and the state */
    int64_t sent_ns, begun_ns;
    int64_t moving_ns; /* since when its slot was found to move; 0: it was not */
    int slot;          /* of a Cluster; -1: the control plane's */
    enum redis_script script;
    bool confirming;      /* it was done, and replicas are waited for: */
    int wanted;           /* so many */
    uint64_t turn, round; /* of Sentinels: they have to stand by this master in that round */
    const char **args;
    size_t *lens, n, cap;
    enum ask_result (*reply)(struct ask *c, const redisReply *r, struct err *e);
    void (*settled)(struct ask *c); /* it is done for good; may be NULL */
    void *state;
    struct ask *whole;                        /* of a part */
    size_t parts;                             /* under way, and one more while they are made */
    struct err fault;                         /* of the first part that failed */
    enum ask_result (*joined)(struct ask *c); /* all have ended well; ASK_AGAIN or ASK_PARTS */
};

struct ask *ask_new(struct link *l, struct job *j) __attribute__((returns_nonnull));
/* One more command of a request, beside others. */
struct ask *ask_part(struct ask *whole) __attribute__((returns_nonnull));
/* Begin the arguments; a script's first one (this node) is put here. */
void ask_begin(struct ask *c, enum redis_script script);
/* The same for a script on the series of this tag. */
void ask_begin_at(struct ask *c, enum redis_script script, const char *tag);
void ask_add(struct ask *c, const void *data, size_t len); /* borrowed until the call ends */
void ask_text(struct ask *c, const char *text);
void ask_int(struct ask *c, int64_t n);
void ask_uint(struct ask *c, uint64_t n);
/* A place of a series: `mark` ('[', '(' or nothing), time, id. */
void ask_place(struct ask *c, const char *mark, int64_t at, const char *id);
/* The time of a place, which has so many bytes before the id. */
#define REDIS_AT_SIZE 8
int64_t redis_place_at(const char *place);
/* What the slot of a series is chosen by: the last part of its key, which is the model or whatever
 * else it belongs to. On a Cluster never one that is no hash tag to Redis. Of the call. */
const char *redis_tag(struct ask *c, const char *key);
/* Send it; what becomes of it is told to `reply`. */
void ask_send(struct ask *c);
/* Send those anew that waited for a slot. */
void asks_go_on(struct link *l);
/* The same for any command, on a key of this slot. */
void ask_begin_in(struct ask *c, enum redis_script script, const char *gate, int slot);
/* --- redis_confirm.c: is it done for good? --- */
/* It was done: wait for replicas. */
void ask_replicas(struct ask *c);
bool ask_wants_all(const struct ask *c);
/* They have it: ask whether it was the master that they follow. */
void ask_sentinels(struct ask *c);
/* Go on with those that have asked. */
void asks_told(struct link *l);
/* It is done for good, or has failed: `why`. */
void ask_settle(struct ask *c, const struct err *why);
/* End the request and the call. */
void ask_end(struct ask *c, const struct err *why);

/* Redis refused: what it said as our error. */
bool redis_refused(const redisReply *r, struct err *e);
/* Does INFO say that this is a master? It also says how many replicas follow it. */
bool redis_is_master(struct wire *w, const redisReply *r);
/* A number in a reply: an integer, or a text that is one. False: it is none. */
bool redis_number(const redisReply *r, int64_t *out) MUST_CHECK;
/* Fail with ERR_CORRUPT: a reply that no script of ours gives. */
bool redis_strange(struct err *e);

/* --- carrying out; each makes the first step --- */
void redis_commit(struct ask *c);
void redis_key(struct ask *c);
void redis_lease(struct ask *c);
void redis_queue(struct ask *c);
void redis_append(struct ask *c);
void redis_read(struct ask *c);
void redis_journal(struct ask *c);
void redis_ship(struct ask *c);
void redis_deltas(struct ask *c);

/* An entry as it lies in the journal, both ways. Unpacked texts point into `data`. */
void redis_entry_pack(const struct journal_entry *entry, struct bytes *out);
bool redis_entry_unpack(const char *data, size_t len, struct journal_entry *out) MUST_CHECK;
/* The indexes that find entries by what they say. `*len` 0: it is in none. */
#define REDIS_INDEXES 6
const char *redis_index_of(size_t i, const struct journal_entry *entry, struct arena *a,
                           size_t *len);

/* --- redis_load.c: what blocks --- */
bool redis_load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                void *ctx, struct store_head *head, struct err *e);
/* Take one apart: kind NUL ns NUL id, and "revision uid value" ("": gone). Points into both. */
bool redis_row_open(const char *id, size_t id_len, const char *value, size_t len,
                    struct store_row *out) MUST_CHECK;
/* --- redis_tail.c --- */
struct tail_room {
    uint64_t entries, bytes; /* of them; their entities may be as many again */
};
/* As redis_tail(), under the lock. */
bool direct_tail(struct redis *s, const struct store_head *known, const struct tail_room *room,
                 const struct store_tail *t, struct store_head *head, bool *whole, struct err *e)
    MUST_CHECK;
bool redis_tail(struct store *s, const struct store_head *known, const struct store_tail *t,
                struct store_head *head, bool *whole, struct err *e);
bool redis_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e);
bool redis_keys(struct store *s, const char *prefix,
                bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e);
bool redis_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e);
/* The lock and a connection that works, or neither; and back. */
bool redis_begin(struct redis *s, struct err *e) MUST_CHECK;
bool redis_end(struct redis *s, bool ok);

/* --- redis_rest.c --- */
bool redis_rest(struct store *s, bool (*each)(void *ctx, const struct store_rest *r, struct err *e),
                void *ctx, struct err *e);

/* --- redis_import.c: whether it may be filled, or is being filled. Under the lock, after the lease
 * was taken. --- */
bool direct_check_import(struct redis *s, bool importing, struct err *e) MUST_CHECK;

/* --- redis_rights.c: may the login do all that is to be done? Under the lock. --- */
bool direct_check_rights(struct redis *s, struct err *e) MUST_CHECK;

/* --- redis_direct.c: the connection that blocks, and what is asked at the start --- */
/* Connect, unless there is a connection that works. */
bool direct_connect(struct redis *s, struct err *e) MUST_CHECK;
/* Do it on the connection to where the control plane is, or, on a Cluster, on one to each master in
 * turn. Under the lock. */
bool direct_each_master(struct redis *s, bool (*each)(struct redis *s, void *ctx, struct err *e),
                        void *ctx, struct err *e) MUST_CHECK;
/* Reply to a command, NULL and `e` on failure. Free it with freeReplyObject(). Under the lock. */
redisReply *direct_command(struct redis *s, struct err *e, const char *format, ...);
redisReply *direct_next(struct redis *s, struct err *e); /* to one that was appended */
redisReply *direct_words(struct redis *s, int n, const char **words, const size_t *lens,
                         struct err *e);
/* Is it a Redis that may be trusted with this? */
bool direct_check(struct redis *s, const struct redis_settings *settings, struct err *e) MUST_CHECK;
/* Take the lease of this node, also from an earlier start of it. */
bool direct_take_lease(struct redis *s, struct err *e) MUST_CHECK;
/* Say of which layout it is from now on. */
bool direct_put_format(struct redis *s, struct err *e) MUST_CHECK;
/* Take it anew; false, too, if other nodes are alive. */
bool direct_alone(struct redis *s, struct err *e) MUST_CHECK;
/* Give it up again; should that fail, it ends by itself. */
void direct_give_lease(struct redis *s);
void direct_close(struct redis *s);

#define REDIS_LEASE_MS 15000

#endif
