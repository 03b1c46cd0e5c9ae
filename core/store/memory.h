/* memory: the store that lives and dies with the process, for tests. Room: store (its own use).
 * Threads: its one thread runs the jobs; blocking calls come from others: `lock` guards all below
 * it. */
#ifndef PADDOCK_STORE_MEMORY_H
#define PADDOCK_STORE_MEMORY_H

#include "base/map.h"
#include "store/job.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* An entity; its texts lie behind it in the same block. */
struct memory_row {
    struct store_row row;
};

/* A key with its value or counter; `value` lies behind it. */
struct memory_key {
    int64_t expires_ms, number;
    size_t len;
    char value[];
};

struct memory_record {
    int64_t at;
    char *id;
    void *data;
    size_t len;
};
/* One key of the series, sorted by (at, id). */
struct memory_series {
    struct memory_record *records;
    size_t n, cap;
};

struct memory_lease {
    char *holder;
    uint64_t token;
    int64_t until;
};

struct memory_job {
    char *queue, *id, *worker;
    void *data;
    size_t len;
    int64_t claimed_until;
    uint64_t number;
    unsigned attempts;
};

struct memory {
    struct store store; /* first */
    const struct clock *clock;
    struct mailbox *mailbox;
    pthread_t thread;

    pthread_mutex_t lock;
    struct map *rows;               /* kind NUL ns NUL id -> struct memory_row */
    struct journal_entry **journal; /* by seq */
    size_t n_journal, cap_journal;
    uint64_t next_uid;
    struct map *series;      /* key -> struct memory_series */
    struct map *marks;       /* name -> int64_t */
    struct map *keys;        /* key -> struct memory_key */
    size_t keys_swept;       /* how many were left after the last sweep of expired ones */
    struct map *leases;      /* name -> struct memory_lease */
    struct memory_job *jobs; /* of all queues, oldest first */
    size_t n_jobs, cap_jobs;
    uint64_t pushed; /* jobs, ever */
    struct store_stats stats;
};

static inline struct memory *memory_of(struct store *s)
{
    return (struct memory *)(void *)s;
}

/* What follows runs under the lock. Each returns false and `e` if the request failed as a whole. */
bool memory_commit(struct memory *m, struct store_commit *c, struct err *e);
bool memory_journal(struct memory *m, struct journal_read *r, struct err *e);
bool memory_append(struct memory *m, struct series_append *a, struct err *e);
bool memory_read(struct memory *m, struct series_read *r, struct err *e);
bool memory_lease(struct memory *m, struct lease_request *l, struct err *e);
bool memory_key(struct memory *m, struct key_request *k, struct err *e);
bool memory_queue(struct memory *m, struct queue_request *q, struct err *e);

/* The blocking part of the table; these take the lock. */
bool memory_load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e);
bool memory_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e);
bool memory_keys(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e);
bool memory_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e);

void memory_key_put(struct memory *m, const struct store_key *key);

void memory_entities_free(struct memory *m);
void memory_series_free(struct memory *m);
void memory_keys_free(struct memory *m);

#endif
