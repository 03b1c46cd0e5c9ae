#include "store/sqlite.h"

#include "base/cond.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define READS_WAITING 4096

/* --- reads, on two threads --- */

static struct reader *reader_take(struct sqlite *s)
{
    pthread_mutex_lock(&s->readers_lock);
    struct reader *r = s->idle[--s->n_idle]; /* as many as there are threads */
    pthread_mutex_unlock(&s->readers_lock);
    return r;
}

static void reader_give(struct sqlite *s, struct reader *r)
{
    pthread_mutex_lock(&s->readers_lock);
    s->idle[s->n_idle++] = r;
    pthread_mutex_unlock(&s->readers_lock);
}

struct read_job {
    struct mail mail; /* first */
    struct sqlite *store;
    struct job *job;
};

static void run_read(struct mail *mail)
{
    struct read_job *read = (struct read_job *)(void *)mail;
    struct job *j = read->job;
    struct err e = {0};
    struct reader *r = reader_take(read->store);
    bool ok =
        j->kind == JOB_JOURNAL ? reader_journal(r, j->journal, &e) : reader_series(r, j->read, &e);
    reader_give(read->store, r);
    free(read);
    job_end(j, ok ? NULL : &e);
}

static void post_read(struct sqlite *s, enum job_kind kind, void *request)
{
    struct read_job *read = mem_alloc(sizeof *read);
    *read = (struct read_job){.mail.run = run_read, .store = s, .job = job_new(kind, request)};
    if (pool_submit(s->pool, &read->mail))
        return;
    struct err why = {0};
    fail(&why, &ERR_BUSY, "too many reads wait for the store, or it is closing");
    job_end(read->job, &why);
    free(read);
}

/* --- the table --- */

static void commit(struct store *s, struct store_commit *c)
{
    job_post(sqlite_of(s)->control.mailbox, JOB_COMMIT, c);
}
static void journal(struct store *s, struct journal_read *r)
{
    post_read(sqlite_of(s), JOB_JOURNAL, r);
}
static void append(struct store *s, struct series_append *a)
{
    job_post(sqlite_of(s)->series.mailbox, JOB_APPEND, a);
}
static void read_series(struct store *s, struct series_read *r)
{
    post_read(sqlite_of(s), JOB_READ, r);
}
static void lease(struct store *s, struct lease_request *l)
{
    job_post(sqlite_of(s)->control.mailbox, JOB_LEASE, l);
}
static void key(struct store *s, struct key_request *k)
{
    job_post(sqlite_of(s)->control.mailbox, JOB_KEY, k);
}
static void queue(struct store *s, struct queue_request *q)
{
    job_post(sqlite_of(s)->control.mailbox, JOB_QUEUE, q);
}

static uint64_t size_of(const struct sqlite *s, const char *file, const char *suffix)
{
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s%s", s->dir, file, suffix) >= (int)sizeof path ||
        stat(path, &st) != 0)
        return 0;
    return (uint64_t)st.st_size;
}

static void stats(struct store *store, struct store_stats *out)
{
    struct sqlite *s = sqlite_of(store);
    pthread_mutex_lock(&s->stats_lock);
    *out = s->stats;
    s->stats.commit_seconds_max = 0;
    int64_t control = s->control.failing_since, series = s->series.failing_since;
    pthread_mutex_unlock(&s->stats_lock);
    out->unavailable_since = control && (!series || control < series) ? control : series;
    out->available = out->unavailable_since == 0;
    out->waiting = mailbox_count(s->control.mailbox) + mailbox_count(s->series.mailbox) +
                   pool_waiting(s->pool);
    out->size_bytes = size_of(s, CONTROL_SCHEMA.file, "") + size_of(s, SERIES_SCHEMA.file, "");
    out->log_bytes =
        size_of(s, CONTROL_SCHEMA.file, "-wal") + size_of(s, SERIES_SCHEMA.file, "-wal");
}

/* Also takes apart what was opened only half-way. */
static void close_store(struct store *store)
{
    struct sqlite *s = sqlite_of(store);
    pool_stop(s->pool);
    for (size_t i = 0; i < READERS; i++)
        reader_close(&s->readers[i]);
    checkpointer_stop(s);
    db_close(&s->direct);
    db_close(&s->direct_series);
    /* The last connection to a file copies the rest of the log into it. */
    writer_stop(&s->control);
    writer_stop(&s->series);
    pthread_mutex_destroy(&s->checkpointer.lock);
    pthread_cond_destroy(&s->checkpointer.wake);
    pthread_mutex_destroy(&s->readers_lock);
    pthread_mutex_destroy(&s->direct_lock);
    pthread_mutex_destroy(&s->stats_lock);
    free(s->dir);
    free(s);
}

static const struct store_ops SQLITE_OPS = {
    .name = "sqlite",
    .load = sqlite_load,
    .chain = sqlite_chain,
    .keys = sqlite_keys,
    .mark = sqlite_mark,
    .rest = sqlite_rest,
    .commit = commit,
    .journal = journal,
    .append = append,
    .read = read_series,
    .lease = lease,
    .key = key,
    .queue = queue,
    .stats = stats,
    .close = close_store,
};

/* --- opening --- */

/* Nothing is made before both files have been looked at. control.db is made first: a series.db
 * alone means that the other one was lost, and starting with an empty registry would hide it. */
static bool check_files(const char *dir, bool unsure[2], struct err *e)
{
    enum file_state control, series;
    if (!file_check(dir, &CONTROL_SCHEMA, &control, &unsure[0], e) ||
        !file_check(dir, &SERIES_SCHEMA, &series, &unsure[1], e))
        return false;
    if (control != FILE_PRESENT && series == FILE_PRESENT)
        return fail(e, &ERR_CORRUPT,
                    "%s/%s is %s although %s is there: restore it, or move the directory away; "
                    "nothing was changed",
                    dir, CONTROL_SCHEMA.file, control == FILE_EMPTY ? "empty" : "missing",
                    SERIES_SCHEMA.file);
    return true;
}

static bool open_writers(struct sqlite *s, struct err *e)
{
    bool unsure[2];
    struct db *control = &s->control.db, *series = &s->series.db;
    if (!check_files(s->dir, unsure, e) ||
        !db_open(control, s->dir, CONTROL_SCHEMA.file, DB_CREATE, e) ||
        !schema_migrate(control, &CONTROL_SCHEMA, unsure[0], e) ||
        !db_open(series, s->dir, SERIES_SCHEMA.file, DB_CREATE, e) ||
        !schema_migrate(series, &SERIES_SCHEMA, unsure[1], e) || !control_open(s, e) ||
        !series_open(s, e))
        return false;
    sqlite3_db_config(control->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite3_db_config(series->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return true;
}

/* A crash may have left a long log, which no commit tells of before the first. */
static void measure_logs(struct sqlite *s)
{
    atomic_store(&s->control.log_pages, size_of(s, CONTROL_SCHEMA.file, "-wal") / 4096);
    atomic_store(&s->series.log_pages, size_of(s, SERIES_SCHEMA.file, "-wal") / 4096);
}

static bool open_readers(struct sqlite *s, struct err *e)
{
    for (size_t i = 0; i < READERS; i++) {
        if (!reader_open(&s->readers[i], s->dir, e))
            return false;
        s->idle[s->n_idle++] = &s->readers[i];
    }
    if (!db_open(&s->direct, s->dir, CONTROL_SCHEMA.file, DB_READ, e) ||
        !db_open(&s->direct_series, s->dir, SERIES_SCHEMA.file, DB_READ, e))
        return false;
    s->pool = pool_start("store-read", READERS, READS_WAITING, e);
    return s->pool != NULL;
}

struct store *store_sqlite_open(const char *dir, const struct clock *clock, struct err *e)
{
    /* Counting its memory would make SQLite's threads meet at one lock. Without effect once it
     * runs. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (!data_dir_make(dir, e))
        return NULL;
    struct sqlite *s = mem_zero(1, sizeof *s);
    s->store.ops = &SQLITE_OPS;
    s->clock = clock;
    s->dir = mem_text(dir);
    s->control.store = s->series.store = s;
    s->checkpointer.limits = LOG_LIMITS;
    pthread_mutex_init(&s->stats_lock, NULL);
    pthread_mutex_init(&s->readers_lock, NULL);
    pthread_mutex_init(&s->direct_lock, NULL);
    pthread_mutex_init(&s->checkpointer.lock, NULL);
    cond_init(&s->checkpointer.wake);
    if (open_writers(s, e) && open_readers(s, e) && writer_start(&s->control, e) &&
        writer_start(&s->series, e)) {
        measure_logs(s);
        if (checkpointer_start(s, e))
            return &s->store;
    }
    close_store(&s->store);
    return NULL;
}
