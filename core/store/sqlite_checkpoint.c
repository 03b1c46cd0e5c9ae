/* Copying the write-ahead log into the file, off the path of commits.
 *
 * A passive checkpoint disturbs nobody, but while the writer goes on it never ends the log: SQLite
 * begins the log anew only when a commit finds all of it copied. So past the limit `pause` a
 * second, short one runs with the writer held up between two transactions: there is only left what
 * was written during the first. A reader that holds an old snapshot can still keep the log from
 * ending; past `hard` that is waited for, writers included, but not for long and not often: a slow
 * reader must not stop everybody. Readers are short by nature (pages), so this ends by itself.
 *
 * Where processors are few the writer could go on for long before this thread comes to hold it up.
 * So past `most` it waits for that by itself, and the thread has the writer's rank: it waits for
 * one that goes before it. */
#include "store/sqlite.h"

#include "base/cond.h"
#include "base/thread.h"

const struct log_limits LOG_LIMITS = {
    .quiet = 4 * 1024,  /* 16 MiB */
    .pause = 16 * 1024, /* 64 MiB */
    .most = 32 * 1024,  /* 128 MiB */
    .hard = 64 * 1024,  /* 256 MiB */
};

#define IDLE_NS 30000000000LL /* without a write for so long: give the log's space back */
#define LOOK_MS 10000
#define WAIT_MS 250 /* for readers */

/* Errors are the disk's; the writer meets and reports them. */
static void copy(struct writer *w, struct db *db, int mode)
{
    int pages = 0, copied = 0;
    if (sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &pages, &copied) == SQLITE_OK)
        atomic_store(&w->copied, (uint64_t)copied);
}

static void copy_alone(struct writer *w, struct db *db, int mode)
{
    turn_take_first(&w->turn);
    copy(w, db, mode);
    atomic_store(&w->alone_at, atomic_load(&w->log_pages));
    turn_give(&w->turn);
}

static bool worth_waiting(struct writer *w, const struct log_limits *limits, uint64_t pages)
{
    if (pages < w->waited_at)
        w->waited_at = 0; /* the log began anew */
    if (pages <= limits->hard || pages - w->waited_at <= limits->pause)
        return false;
    w->waited_at = pages;
    return true;
}

static void checkpoint(struct writer *w, struct db *db)
{
    const struct log_limits *limits = &w->store->checkpointer.limits;
    uint64_t pages = atomic_load(&w->log_pages), copied = atomic_load(&w->copied);
    bool idle = clock_mono_ns(w->store->clock) - atomic_load(&w->last_write_ns) > IDLE_NS;
    if (idle ? pages == 0 : pages < copied || pages - copied <= limits->quiet)
        return;
    copy(w, db, SQLITE_CHECKPOINT_PASSIVE);
    pages = atomic_load(&w->log_pages); /* the writer went on meanwhile */
    if (worth_waiting(w, limits, pages))
        copy_alone(w, db, SQLITE_CHECKPOINT_RESTART);
    else if (idle)
        copy_alone(w, db, SQLITE_CHECKPOINT_TRUNCATE);
    else if (pages > limits->pause)
        copy_alone(w, db, SQLITE_CHECKPOINT_PASSIVE);
    if (idle) /* nothing to do until the next commit says how long the log is */
        atomic_compare_exchange_strong(&w->log_pages, &pages, 0);
}

/* True when there is work, false when it is over. */
static bool wait_for_work(struct checkpointer *c)
{
    const struct timespec until = cond_until(LOOK_MS);
    pthread_mutex_lock(&c->lock);
    while (!c->wanted && !c->stopping && pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0)
        ;
    c->wanted = false;
    bool goes_on = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    return goes_on;
}

static void *thread(void *arg)
{
    struct sqlite *s = arg;
    while (wait_for_work(&s->checkpointer)) {
        checkpoint(&s->control, &s->checkpointer.control);
        checkpoint(&s->series, &s->checkpointer.series);
    }
    return NULL;
}

void checkpointer_wake(struct checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    c->wanted = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

bool checkpointer_start(struct sqlite *s, struct err *e)
{
    struct checkpointer *c = &s->checkpointer;
    if (!db_open(&c->control, s->dir, CONTROL_SCHEMA.file, DB_WRITE, e) ||
        !db_open(&c->series, s->dir, SERIES_SCHEMA.file, DB_WRITE, e))
        return false;
    sqlite3_busy_timeout(c->control.handle, WAIT_MS);
    sqlite3_busy_timeout(c->series.handle, WAIT_MS);
    c->started = thread_start(&c->thread, "checkpoint", THREAD_SOON, thread, s, e);
    return c->started;
}

void checkpointer_stop(struct sqlite *s)
{
    struct checkpointer *c = &s->checkpointer;
    if (c->started) {
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
        turn_end(&s->control.turn);
        turn_end(&s->series.turn);
    }
    db_close(&c->control);
    db_close(&c->series);
}
