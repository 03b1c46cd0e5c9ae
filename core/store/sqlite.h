/* sqlite: what the files of the embedded store share. Room: store (its own use).
 *
 * Two databases in the data directory: control.db (entities, journal, keys, leases, queues) and
 * series.db. Each has one writing connection on a thread of its own; two reader threads and the
 * checkpoint thread have connections to both. Nobody else opens them, but a shell: hence the busy
 * timeout. */
#ifndef PADDOCK_STORE_SQLITE_H
#define PADDOCK_STORE_SQLITE_H

#include "base/pool.h"
#include "store/job.h"
#include "store/store.h"

#include <sqlite3.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- a connection (sqlite_db.c) --- */

/* Where each file's statements begin in a connection's table. */
enum { CONTROL_FIRST = 0, KEYS_FIRST = 6, QUEUE_FIRST = 16, SERIES_FIRST = 0, STATEMENTS_MAX = 28 };

enum db_use {
    DB_CREATE, /* the first connection: may make the file */
    DB_WRITE,
    DB_READ,
};

struct db {
    sqlite3 *handle;
    const char *file; /* "control.db" */
    sqlite3_stmt *statements[STATEMENTS_MAX];
};

bool db_open(struct db *db, const char *dir, const char *file, enum db_use use, struct err *e)
    MUST_CHECK;
void db_close(struct db *db);
bool db_exec(struct db *db, const char *sql, struct err *e) MUST_CHECK;
/* A pragma or query with one whole number as its answer. */
bool db_number(struct db *db, const char *sql, int64_t *n, struct err *e) MUST_CHECK;
/* Compile a table; sql[i] becomes statement first + i. */
bool db_prepare(struct db *db, int first, const char *const *sql, size_t n, struct err *e)
    MUST_CHECK;
/* Statement i, reset, nothing bound. */
sqlite3_stmt *db_statement(struct db *db, int i);
/* Step a statement that gives no rows. */
bool db_run(struct db *db, sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* Step to a row: 1; no further row: 0; failed: -1 and `e`. */
int db_row(struct db *db, sqlite3_stmt *s, struct err *e) MUST_CHECK;
/* Say what the last call on this connection failed with. Returns false. */
bool db_fail(const struct db *db, struct err *e);
/* Was it the disk or the file (everything fails), and not the statement (this one fails)? */
bool db_disk_failed(const struct db *db);

/* Texts stay where they are until the statement is reset. NULL binds NULL. */
void bind_text(sqlite3_stmt *s, int i, const char *text);
void bind_blob(sqlite3_stmt *s, int i, const void *data, size_t len);
void bind_int(sqlite3_stmt *s, int i, int64_t n);
const char *column_text(sqlite3_stmt *s, int i);
/* Bind ?i and ?i+1 as the bounds (>=, <) of all texts that begin with the first `len` bytes of
 * `prefix`. */
void bind_prefix(sqlite3_stmt *s, int i, const char *prefix, size_t len);

/* --- files and schemas (sqlite_file.c, sqlite_schema.c) --- */

struct schema {
    const char *file;
    uint32_t application_id;
    const char *const *migrations; /* migration i leads from version i to i + 1 */
    int version;                   /* how many there are */
};
extern const struct schema CONTROL_SCHEMA, SERIES_SCHEMA;

enum file_state { FILE_ABSENT, FILE_EMPTY, FILE_PRESENT };
/* Look at a database file without SQLite, which would write. False: not one of ours, newer, cut
 * short. `unsure`: it is shorter than it says while a log exists, so it has to be checked whole
 * before use. */
bool file_check(const char *dir, const struct schema *schema, enum file_state *state, bool *unsure,
                struct err *e) MUST_CHECK;
/* Check what SQLite sees (the log included; every page if `unsure`), then bring it to the newest
 * version. */
bool schema_migrate(struct db *db, const struct schema *schema, bool unsure, struct err *e)
    MUST_CHECK;

/* --- writers (sqlite_writer.c) --- */

enum outcome {
    OUTCOME_DONE,
    OUTCOME_REFUSED, /* failed by itself, has written nothing (`e`) */
    OUTCOME_BROKEN,  /* a statement failed: the transaction has to be taken back (`e`) */
};

/* Whose turn it is on a database: a transaction's, or the checkpointer's, which goes first when it
 * waits (a mutex would let a busy writer pass it again and again). */
struct turn {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool taken, claimed; /* claimed: the checkpointer waits */
    bool owed;           /* no transaction before the checkpointer has had its turn */
    bool over;           /* there is no checkpointer any more */
};
void turn_take(struct turn *t);
void turn_take_first(struct turn *t); /* what is owed is paid by it */
void turn_give(struct turn *t);
void turn_owe(struct turn *t);
void turn_end(struct turn *t); /* nothing is owed any more */

struct writer {
    struct sqlite *store;
    struct db db;
    struct mailbox *mailbox;
    pthread_t thread;
    bool started;
    enum outcome (*run)(struct writer *w, struct job *j, struct err *e);
    /* A transaction begins, or is taken back (forget what it changed); it is on disk. */
    void (*begin)(struct writer *w);
    void (*commit)(struct writer *w);
    struct turn turn;
    atomic_uint_fast64_t log_pages; /* in the write-ahead log after the last commit */
    atomic_uint_fast64_t copied;    /* of these, copied into the file by the checkpointer */
    atomic_uint_fast64_t alone_at;  /* how long it was when the checkpointer last had its turn */
    uint64_t waited_at; /* [checkpointer] how long the log was when readers were last waited for */
    atomic_int_fast64_t last_write_ns;
    int64_t failing_since; /* ms, 0: the last write went well; guarded by the store's stats_lock */
};

bool writer_start(struct writer *w, struct err *e) MUST_CHECK;
void writer_stop(struct writer *w);

/* --- the store (sqlite.c) --- */

struct reader {
    struct db control, series;
    char *journal_sql; /* the last query of the journal, kept compiled */
    sqlite3_stmt *journal;
};
#define READERS 2

/* In pages of a log. */
struct log_limits {
    uint64_t quiet; /* so much is left alone */
    uint64_t pause; /* past this the writer is held up for a moment */
    uint64_t most;  /* past this, and again after each `pause`, it waits until that was done */
    uint64_t hard;  /* past this, and again after each `pause`, readers are waited for, too */
};
extern const struct log_limits LOG_LIMITS;

struct checkpointer {
    struct log_limits limits; /* set before the first write */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, wanted;
    struct db control, series;
};

/* As the control writer knows it; `committed` follows when the transaction is on disk. */
struct control_state {
    uint64_t seq, next_uid;
};

struct sqlite {
    struct store store; /* first */
    const struct clock *clock;
    char *dir;
    struct writer control, series;
    struct control_state now, committed; /* [control writer] */
    int64_t purged_ms;                   /* [control writer] when expired keys were last removed */
    struct pool *pool;
    pthread_mutex_t readers_lock;
    struct reader readers[READERS];
    struct reader *idle[READERS];
    size_t n_idle;
    pthread_mutex_t direct_lock; /* guards `direct`, for calls that block */
    struct db direct, direct_series;
    struct checkpointer checkpointer;
    pthread_mutex_t stats_lock;
    struct store_stats stats; /* guarded by it */
};

static inline struct sqlite *sqlite_of(struct store *s)
{
    return (struct sqlite *)(void *)s;
}

/* Run by the control writer within its transaction. */
bool control_open(struct sqlite *s, struct err *e) MUST_CHECK;
enum outcome control_run(struct writer *w, struct job *j, struct err *e);
void control_begin(struct writer *w);
void control_commit(struct writer *w);
/* What the filters of journal pages need on a reader's connection. */
bool journal_prepare(struct db *db, struct err *e) MUST_CHECK;
bool keys_prepare(struct db *db, struct err *e) MUST_CHECK;
enum outcome keys_run(struct writer *w, struct key_request *k, struct err *e);
bool keys_put(struct writer *w, const struct store_key *key, struct err *e) MUST_CHECK;
/* Now and then: drop some of those that have expired. */
bool keys_purge(struct writer *w, struct err *e) MUST_CHECK;
enum outcome lease_run(struct writer *w, struct lease_request *l, struct err *e);
bool queue_prepare(struct db *db, struct err *e) MUST_CHECK;
enum outcome queue_run(struct writer *w, struct queue_request *q, struct err *e);
/* By the series writer. */
bool series_open(struct sqlite *s, struct err *e) MUST_CHECK;
enum outcome series_run(struct writer *w, struct job *j, struct err *e);

/* Reading, on a reader thread. */
bool reader_open(struct reader *r, const char *dir, struct err *e) MUST_CHECK;
void reader_close(struct reader *r);
bool reader_journal(struct reader *r, struct journal_read *q, struct err *e) MUST_CHECK;
bool reader_series(struct reader *r, struct series_read *q, struct err *e) MUST_CHECK;

/* Blocking. */
bool sqlite_load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e);
bool sqlite_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e);
bool sqlite_keys(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e);
bool sqlite_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e);
bool sqlite_rest(struct store *s,
                 bool (*each)(void *ctx, const struct store_rest *r, struct err *e), void *ctx,
                 struct err *e);

/* Copying the log into the files. */
bool checkpointer_start(struct sqlite *s, struct err *e) MUST_CHECK;
void checkpointer_stop(struct sqlite *s);
/* There is enough to copy. [writers] */
void checkpointer_wake(struct checkpointer *c);

/* data_dir.c: make the directory if it is not there, so that it outlives a crash. */
bool data_dir_make(const char *dir, struct err *e) MUST_CHECK;

#endif
