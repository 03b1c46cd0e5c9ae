/* store: what must outlive the process, behind one table of functions. Room: store.
 *
 * Five primitives, every backend the same, all asynchronous: entities with their journal, series,
 * leases, expiring keys, queues. A request is a struct owned by the caller, alive until its `done`
 * was called; `done` runs on a thread of the store, must not block, and usually posts the struct to
 * a mailbox. Results are in the arena of the request. Threads: submit from [any]. After close()
 * began every request fails. A request that cannot be taken (closing, too many wait) is answered at
 * once, in the submitting call. */
#ifndef PADDOCK_STORE_STORE_H
#define PADDOCK_STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/mailbox.h"
#include "registry/journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- 1. entities and journal --- */

/* An entity as stored. `value` NULL in a group: delete. */
struct store_row {
    const char *kind, *ns, *id;
    uint64_t uid;
    int64_t revision;
    const char *value;
    size_t value_len;
};

/* An entity that a decision read: refused unless it still has this revision (0: must not exist). */
struct store_expect {
    const char *kind, *ns, *id;
    int64_t revision;
};

/* One kept answer or other short-lived value, see 4. */
struct store_key {
    const char *key;
    const char *value;
    size_t value_len;
    int64_t expires_ms;
};

/* One command: all or nothing, and never to the harm of its neighbours. */
struct store_group {
    const struct store_row *rows;
    size_t n_rows;
    const struct store_expect *expects;
    size_t n_expects;
    const struct journal_entry *entries;
    size_t n_entries;
    const struct store_key *keys;
    size_t n_keys;
    bool refused; /* out: an expectation did not hold, nothing of this group was written */
};

struct store_commit {
    struct mail mail; /* the caller's, for handing over in done() */
    struct store_group *groups;
    size_t n_groups;
    uint64_t head_seq; /* the journal's last sequence these groups were numbered after */
    /* Hash of that entry, where several nodes share a store: another history with as many entries
     * is another head. NULL or "": not compared. */
    const char *head_hash;
    uint64_t next_uid; /* kept, so that incarnations are never reused */
    bool check_only;   /* there are no groups, and nothing is written: is `head_seq` the last? */
    bool duty;         /* only the decider may write this (nodes.h) */
    /* Where several nodes share a store, all of it is refused if there is one of these keys
     * already: a command was carried out before, perhaps by another node. */
    const char *const *new_keys;
    size_t n_new_keys;
    bool ok; /* out: false: nothing at all was written (`err`) */
    /* Out, with ok = false; the last two only where several nodes share a store. */
    bool moved;     /* the head is not the journal's last: take in what came, decide anew */
    bool deposed;   /* `duty`, and another node is the decider */
    bool kept;      /* of the new keys there is ... */
    size_t kept_at; /* ... this one */
    struct err err;
    void (*done)(struct store_commit *c);
    void *owner;
};

/* What a start needs to know. The hash only where several nodes share a store. */
struct store_head {
    uint64_t seq;               /* last journal sequence, 0: empty */
    uint64_t next_uid;          /* at least 1 */
    uint64_t epoch;             /* store_epoch() of what is loaded (nodes.h) */
    char hash[SHA256_HEX_SIZE]; /* of that entry; "": not known */
};

struct journal_query {
    const char *ns;                                                        /* NULL or "*": all */
    const char *entity, *entity_id, *name, *actor_id, *action, *to_status; /* NULL: any */
    const struct grants *grants; /* only what these may read; NULL: all; alive until done() */
    int64_t from, to;            /* ms, from <= at < to; 0: open */
    uint64_t after_seq;          /* only seq > this; 0: from the start */
    uint64_t before_seq;         /* only seq < this; 0: open */
    bool newest_first;
    bool count_total; /* also count all that match, whatever the page */
    size_t limit;     /* 0: 1,000, which is also the maximum */
};
struct journal_read {
    struct mail mail;
    struct journal_query query;
    struct arena *arena; /* results and texts go here; a full arena cuts the page short (`more`) */
    struct journal_entry *entries;
    size_t n;
    uint64_t total;
    bool more; /* there are further matches */
    bool ok;
    struct err err;
    void (*done)(struct journal_read *r);
    void *owner;
};

/* --- 2. series: append-only timed records under a key --- */

struct series_record {
    const char *key; /* "m/17/60000" */
    int64_t at;      /* ms */
    const char
        *id; /* makes a resend harmless: (key, at, id) is written once; a newer write replaces it */
    const void *data;
    size_t len;
};
struct series_append {
    struct mail mail;
    const struct series_record *records;
    size_t n;
    /* Deleted in the same transaction: everything of `key` (exact, or a prefix ending in '*')
     * before `at`. */
    const struct series_trim {
        const char *key;
        int64_t before;
    } * trims;
    size_t n_trims;
    /* Marks written in the same transaction (name, number), for instance how far a log is rolled
     * up. */
    const struct series_mark {
        const char *name;
        int64_t value;
    } * marks;
    size_t n_marks;
    bool duty; /* only the decider may write this (nodes.h), else it fails */
    bool ok;
    struct err err;
    void (*done)(struct series_append *a);
    void *owner;
};
struct series_read {
    struct mail mail;
    const char *key;   /* exact, or a prefix ending in '*' */
    int64_t from, to;  /* from <= at < to; to 0: open */
    bool newest_first; /* order is key, at, id; this turns all of it round */
    size_t limit;      /* 0: no limit (start-up only) */
    /* Called for each record in order on the store's thread; data is valid during the call. False
     * stops. */
    bool (*each)(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                 size_t len);
    void *ctx;
    bool ok;
    struct err err;
    void (*done)(struct series_read *r);
    void *owner;
};

/* --- 3. leases --- */
struct lease_request {
    struct mail mail;
    const char *name, *holder;
    int64_t ttl_ms; /* 0: give it up */
    bool held;      /* out: we hold it now */
    uint64_t token; /* out: grows each time the lease is taken, not when it is extended (fencing) */
    int64_t until;  /* out: ms, also when somebody else holds it; 0: nobody does */
    bool ok;
    struct err err;
    void (*done)(struct lease_request *l);
    void *owner;
};

/* --- 4. expiring keys --- */
enum key_op {
    KEY_GET,     /* value, or found = false */
    KEY_PUT,     /* set with an expiry */
    KEY_PUT_NEW, /* set only if absent; found says whether it was there (value: what was) */
    KEY_ADD,     /* add `amount` to a counter (made with the expiry if absent); `number` is the sum,
                    which KEY_GET gives too */
    KEY_DELETE,
};
struct key_request {
    struct mail mail;
    enum key_op op;
    struct store_key key;
    int64_t amount;
    struct arena *arena;
    bool found;
    const char *value;
    size_t value_len;
    int64_t number;
    bool ok;
    struct err err;
    void (*done)(struct key_request *k);
    void *owner;
};

/* --- 5. queues --- */
enum queue_op {
    QUEUE_PUSH,      /* add a job (`id` makes it exactly once; found = true: it was there, nothing
                        changed) */
    QUEUE_CLAIM,     /* take the oldest job that is free or whose claim ran out, also one's own, of
                        those that came `after`: its `id` and `data` go to the arena; found = false:
                        none. With `id`: that job, whoever has it */
    QUEUE_HEARTBEAT, /* extend the claim; found = false: somebody else has it by now */
    QUEUE_FINISH,    /* remove; found = false: somebody else has it by now */
    QUEUE_MOVE, /* put it, with new `data`, into the queue `to`, where it comes last and is free
                   (one of that id gives way); into the same queue it keeps its place. found =
                   false: somebody else has it by now, and nothing has changed */
};
struct queue_request {
    struct mail mail;
    enum queue_op op;
    const char *queue, *id, *worker;
    const char *to;   /* MOVE */
    const void *data; /* PUSH, MOVE in, CLAIM out */
    size_t len;
    int64_t claim_ms;  /* MOVE into the same queue: it stays claimed for so long, if at all */
    int64_t keep_ms;   /* MOVE, where nodes share the store: if nothing comes into `to` for so long,
                          all that is in it goes; 0: never */
    uint64_t after;    /* CLAIM: only jobs with a greater number */
    uint64_t number;   /* CLAIM out: of the job; grows in the order they came */
    unsigned attempts; /* CLAIM out: how often it was claimed, this one included */
    size_t bound;      /* PUSH: refuse with ERR_BUSY when so many wait; 0: 100,000 */
    struct arena *arena;
    bool found;
    bool ok;
    struct err err;
    void (*done)(struct queue_request *q);
    void *owner;
};

/* --- deltas: what each node has counted, for the others; where several nodes share a store ---
 *
 * Each place (store_space()) has a stream. An entry says what was counted from one position of that
 * node's log to another, in parts that come and stay together. So an entry that is sent again is
 * known by its position, and refused. */
struct delta_at { /* how far a stream was read */
    uint64_t position, part;
};
/* The stream of all: facts that each node must know once and in the same order. The parts that come
 * together are one entry, all of the first (a head) and of the others those whose hash is not among
 * the ones of the last `window_ms`; an entry of a head alone is none. Positions are those of the
 * place and the kind; the entries' own are counted from 1, without a gap. */
struct fact_ship {
    const char *kind;
    const uint64_t *hashes;    /* of each part; 0: it has none */
    int64_t now_ms, window_ms; /* window 0: no part has a hash */
    size_t window_max;         /* hashes of one window; then the older half is forgotten early */
    uint64_t drop; /* entries up to this one are needed by nobody any more, and the next one gets a
                      greater number; 0: as it is */
};
struct delta_ship {
    struct mail mail;
    uint64_t from, until; /* it is added only if the stream reaches `from` */
    const void *const *parts;
    const size_t *lens;
    size_t n;  /* 0: nothing is added */
    bool tidy; /* drop what every node's rows have, by the marks delta_mark_name() */
    const struct fact_ship *fact; /* not NULL: into the stream that all have in common */
    uint64_t reaches; /* out: position the stream reaches; `until`: it is there, now or before */
    size_t left_out;  /* out, of a fact: parts that were known already */
    int64_t floor_ms; /* out, of a fact: what came before this may be known no more; 0: all is */
    bool ok;
    struct err err;
    void (*done)(struct delta_ship *d);
    void *owner;
};
struct delta_read {
    struct mail mail;
    bool facts; /* of the stream that all have in common, which is told as place 0 */
    const struct delta_at *after; /* of each place; of those past `n`: from the beginning */
    size_t n;
    /* On the store's thread: how far the stream of each place reaches, then each part, in order
     * within a place, whose data are valid during the call. False stops. */
    void (*reaches)(void *ctx, size_t place, uint64_t position);
    bool (*each)(void *ctx, size_t place, struct delta_at at, const void *data, size_t len);
    void *ctx;
    bool more; /* out: there is more than fits one answer */
    bool ok;
    struct err err;
    void (*done)(struct delta_read *d);
    void *owner;
};

/* --- the rest: what a whole store is made of beside entities, entries and records --- */
enum rest_kind {
    REST_KEY,    /* one that has not expired: value, number, expiry */
    REST_JOB,    /* of a queue, in the order they came; claims are not told */
    REST_MARK,   /* of series: number */
    REST_SERIES, /* a key under which there are records */
};
struct store_rest {
    enum rest_kind kind;
    const char *name; /* of the key, the queue, the mark; or the series' key */
    const char *id;   /* of the job */
    const void *data; /* the key's value, the job's data */
    size_t len;
    int64_t number, expires_ms;
};

/* What tail() tells; false ends it. */
struct store_tail {
    bool (*entry)(void *ctx, const struct journal_entry *entry, struct err *e);
    bool (*row)(void *ctx, const struct store_row *r, struct err *e);
    void *ctx;
};

/* --- the table --- */
struct store_stats {
    uint64_t commits, commit_groups, commit_failures, refused_groups;
    double commit_seconds_sum, commit_seconds_max; /* max since the last call */
    uint64_t waiting;                              /* requests in its mailboxes */
    uint64_t size_bytes, log_bytes;                /* on disk */
    bool available;                                /* false: the last write failed */
    int64_t unavailable_since;                     /* ms, 0: available */
    uint64_t losses; /* how often it was seen to have lost what it had; Redis only */
};

struct store;

struct store_ops {
    const char *name; /* "sqlite", "redis", "memory" */
    /* Call `row` for every entity (order by kind, namespace, id), blocking. */
    bool (*load)(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e);
    /* Last hash of a namespace's chain into `hash` (JOURNAL_FIRST_HASH if it has none), blocking;
     * by the one who commits, between two commits. So may load be called, to begin anew. */
    bool (*chain)(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e);
    /* Live keys (for the idempotency table), blocking, at start. */
    bool (*keys)(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e);
    /* Marks of series, blocking, at start; false in `found` when never written. */
    bool (*mark)(struct store *s, const char *name, int64_t *value, bool *found, struct err *e);

    /* Call `each` for all of the rest, kind by kind, blocking; it may submit reads of series. NULL:
     * this store cannot. */
    bool (*rest)(struct store *s,
                 bool (*each)(void *ctx, const struct store_rest *r, struct err *e), void *ctx,
                 struct err *e);

    /* Where several nodes share the store, else NULL. What was written after the entry `known`, by
     * whomever, as of one moment, blocking, by the one who commits, between two commits: entries
     * oldest first, then each entity that they are about as it is now (value NULL: gone). `*whole`
     * false: there is too much for one answer; then it is the oldest entries, and no entities.
     * Fails if the store does not have `known` any more (see store_epoch in nodes.h). */
    bool (*tail)(struct store *s, const struct store_head *known, const struct store_tail *t,
                 struct store_head *head, bool *whole, struct err *e);
    /* Goes with it. `moved` is called on a thread of the store, soon after somebody has written,
     * with the journal's last sequence; before the first commit. NULL: not any more, and when this
     * returns it is not being called. */
    void (*watch)(struct store *s, void (*moved)(void *ctx, uint64_t seq), void *ctx);

    void (*commit)(struct store *s, struct store_commit *c);
    void (*journal)(struct store *s, struct journal_read *r);
    void (*append)(struct store *s, struct series_append *a);
    void (*read)(struct store *s, struct series_read *r);
    void (*lease)(struct store *s, struct lease_request *l);
    void (*key)(struct store *s, struct key_request *k);
    void (*queue)(struct store *s, struct queue_request *q);
    /* Where several nodes share the store, else NULL. */
    void (*ship)(struct store *s, struct delta_ship *d);
    void (*deltas)(struct store *s, struct delta_read *d);

    void (*stats)(struct store *s, struct store_stats *out);
    /* Finish what is queued, close files, free. */
    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

/* The embedded store: control.db (entities, journal, keys, leases, queues) and series.db in `dir`,
 * WAL, synchronous=FULL. Refused with a clear text: made by a newer version, corrupt, not writable,
 * locked. */
struct store *store_sqlite_open(const char *dir, const struct clock *clock, struct err *e)
    MUST_CHECK;
/* Both databases of an embedded store at one moment, beside the server that writes to them.
 * `between` is called after series.db is held fast and before control.db is; `again` set: both are
 * taken anew. Then they are copied into a directory. */
struct sqlite_snapshot;
struct sqlite_snapshot *sqlite_snapshot_take(const char *dir,
                                             bool (*between)(void *ctx, bool *again, struct err *e),
                                             void *ctx, struct err *e) MUST_CHECK;
bool sqlite_snapshot_copy(const struct sqlite_snapshot *s, const char *to, struct err *e)
    MUST_CHECK;
void sqlite_snapshot_close(struct sqlite_snapshot *s);
/* On a Redis server, see docs/operations/redis.md. Refused with a clear text: not to be reached,
 * older than 6.2, a replica, one that may lose what was acknowledged. */
struct redis_settings {
    const char *url;     /* redis_url.h says which */
    const char *node;    /* who this is, the same after a restart: data_dir_node() */
    const char *version; /* told to other nodes; NULL: "" */
    bool accept_loss;    /* start although Redis is not set to keep what it acknowledged */
    unsigned reply_ms;   /* an answer that takes longer ends the connection; 0: 5,000 */
    bool read_only;      /* look at it beside the node that works on it: what writes fails */
    bool alone;          /* refused while other nodes are alive */
    bool importing;      /* begin an import: it must be empty, or hold half an import, which goes */
};
struct store *store_redis_open(const struct redis_settings *settings, const struct clock *clock,
                               struct err *e) MUST_CHECK;
/* The import into this store is over: it is whole, or all of it goes again. Until one of the two
 * was done, no node starts on it. Blocking. */
bool store_redis_imported(struct store *s, bool whole, struct err *e) MUST_CHECK;
/* For tests: lives and dies with the process. */
struct store *store_memory_open(const struct clock *clock) __attribute__((returns_nonnull));

/* Every entry of the journal in order, page by page; false from `each` ends it. Blocking. */
bool store_each_entry(struct store *s,
                      bool (*each)(void *ctx, const struct journal_entry *entry, struct err *e),
                      void *ctx, struct err *e) MUST_CHECK;

/* Check the whole journal against its hashes, its columns and the entities (each equals its last
 * entry's `after`): blocking, for `paddock audit verify`. `each` hears of every fault; returns
 * false only if the store cannot be read. */
struct verify_report {
    uint64_t entries, namespaces, entities, faults;
};
bool store_verify(struct store *s, void (*each)(void *ctx, const char *fault), void *ctx,
                  struct verify_report *out, struct err *e) MUST_CHECK;

/* The lock that refuses a second server on one data directory. Keep the descriptor open. -1 and a
 * text that names the directory and the holder's pid when it is taken. */
int data_dir_lock(const char *dir, struct err *e) MUST_CHECK;
/* Who the server of a (locked) data directory is on a Redis, made at the first call: the file
 * `node`. Refused if the directory holds an embedded store, whose records would be mistaken for
 * this one's. */
bool data_dir_node(const char *dir, char out[ULID_SIZE], struct err *e) MUST_CHECK;
/* The other way round: refused if the directory was a node's on a Redis. */
bool data_dir_embedded(const char *dir, struct err *e) MUST_CHECK;

/* A directory that is being filled (by an import, a backup) says so in the file `incomplete`, and
 * no server starts on it until it is whole. begin(): it must be empty, or have been begun before;
 * then what is there goes (of a node on a Redis not who it is: it still holds its lease). end(): it
 * is whole, or (`whole` false) all goes again. Both under its lock. */
bool data_dir_begin(const char *dir, bool is_node, struct err *e) MUST_CHECK;
bool data_dir_end(const char *dir, bool whole, struct err *e) MUST_CHECK;
/* Refused if it is being filled. */
bool data_dir_whole(const char *dir, struct err *e) MUST_CHECK;
/* The files in it that belong to what is stored, beside databases: "records/..." and so on; each
 * with its path in the directory. False from `each` ends it. */
bool data_dir_files(const char *dir, bool (*each)(void *ctx, const char *path, struct err *e),
                    void *ctx, struct err *e) MUST_CHECK;
/* Is this the path of such a file, and of no other? */
bool data_dir_is_file(const char *path);

#endif
