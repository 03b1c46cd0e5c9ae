/* How a write becomes durable.
 *
 * Each database has one writing connection on one thread, so nothing ever waits for SQLite's write
 * lock. The thread takes all requests that wait in its mailbox and carries them out, in order, in
 * one transaction: one append to the write-ahead log, one fdatasync (synchronous=FULL), then
 * everybody is answered. While the disk is at it the next requests gather; so the price of
 * durability is shared by as many as there are.
 *
 * Sharing a transaction must not mean sharing a fate. A group whose expectations do not hold is
 * found out before it has written anything, and skipped. So is a request that is wrong by itself.
 * What is left are statements that fail half-way. If the disk or the file is the reason (full,
 * broken), all of them fail: the transaction is taken back, everyone hears it, and the next one
 * tries again from the last good state. If it is anything else, one of them is to blame: the
 * transaction is taken back and each is carried out again in one of its own, so that only that one
 * fails.
 *
 * A commit leaves the log to the checkpointer (sqlite_checkpoint.c), which copies it into the file
 * on another thread: done inside a commit, as SQLite does by itself, that was measured to stall it
 * by over 100 ms. It may hold the writer up between two transactions by `turn`; a writer that is
 * too far ahead of it waits by itself until it has done so: the log is bounded, however few
 * processors there are. */
#include "store/sqlite.h"

#include "base/log.h"
#include "base/thread.h"

#include <string.h>

#define MAILBOX_LIMIT 65536

static struct job *next_of(const struct job *j)
{
    return j->mail.next ? job_of(j->mail.next) : NULL;
}

/* --- statistics --- */

static void note_success(struct writer *w, const struct job *list, int64_t took_ns)
{
    struct sqlite *s = w->store;
    double seconds = (double)took_ns / 1e9;
    pthread_mutex_lock(&s->stats_lock);
    s->stats.commits++;
    for (const struct job *j = list; j; j = next_of(j)) {
        size_t n = j->kind == JOB_COMMIT && !j->why ? j->commit->n_groups : 0;
        s->stats.commit_groups += n;
        for (size_t i = 0; i < n; i++)
            s->stats.refused_groups += j->commit->groups[i].refused;
    }
    s->stats.commit_seconds_sum += seconds;
    if (seconds > s->stats.commit_seconds_max)
        s->stats.commit_seconds_max = seconds;
    w->failing_since = 0;
    pthread_mutex_unlock(&s->stats_lock);
}

static void note_failure(struct writer *w, const struct err *why)
{
    struct sqlite *s = w->store;
    pthread_mutex_lock(&s->stats_lock);
    s->stats.commit_failures++;
    bool first = w->failing_since == 0;
    if (first)
        w->failing_since = clock_wall_ms(s->clock);
    pthread_mutex_unlock(&s->stats_lock);
    if (first)
        log_text(LOG_ERROR, "store_write_failed", why->detail);
}

/* --- turns --- */

static void take(struct turn *t, bool first)
{
    pthread_mutex_lock(&t->lock);
    while (t->taken || (!first && (t->claimed || t->owed))) {
        t->claimed |= first;
        pthread_cond_wait(&t->wake, &t->lock);
    }
    t->taken = true;
    t->claimed &= !first;
    t->owed &= !first;
    pthread_mutex_unlock(&t->lock);
}

void turn_take(struct turn *t)
{
    take(t, false);
}

void turn_take_first(struct turn *t)
{
    take(t, true);
}

void turn_give(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->taken = false;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void turn_owe(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->owed = !t->over;
    pthread_mutex_unlock(&t->lock);
}

void turn_end(struct turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->over = true;
    t->owed = false;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* --- one transaction --- */

static bool run_all(struct writer *w, struct job *list, struct err *e)
{
    for (struct job *j = list; j; j = next_of(j)) {
        struct err why = {0};
        job_fault(j, NULL);
        switch (w->run(w, j, &why)) {
        case OUTCOME_DONE: break;
        case OUTCOME_REFUSED: job_fault(j, &why); break;
        case OUTCOME_BROKEN: *e = why; return false;
        }
    }
    return true;
}

static bool any_writes(struct job *list)
{
    for (struct job *j = list; j; j = next_of(j))
        if (job_writes(j))
            return true;
    return false;
}

/* True: all of it is on disk. False and `e`: none is. `*disk`: everything would fail. */
static bool transact(struct writer *w, struct job *list, bool *disk, struct err *e)
{
    const char *begin = any_writes(list) ? "BEGIN IMMEDIATE" : "BEGIN";
    turn_take(&w->turn);
    w->begin(w);
    bool ok = db_exec(&w->db, begin, e) && run_all(w, list, e) && db_exec(&w->db, "COMMIT", e);
    if (ok) {
        w->commit(w);
    } else {
        *disk = db_disk_failed(&w->db);
        /* Some failures have ended the transaction themselves. */
        if (!sqlite3_get_autocommit(w->db.handle))
            sqlite3_exec(w->db.handle, "ROLLBACK", NULL, NULL, NULL);
        w->begin(w);
    }
    turn_give(&w->turn);
    return ok;
}

/* --- the thread --- */

static void end_all(struct job *list, const struct err *why)
{
    for (struct job *j = list, *next; j; j = next) {
        next = next_of(j);
        job_end(j, why ? why : j->why);
    }
}

/* Carry a list out and answer it. */
static bool carry_out(struct writer *w, struct job *list, bool *disk)
{
    struct err e = {0};
    const struct clock *clock = w->store->clock;
    int64_t begun = clock_mono_ns(clock);
    if (transact(w, list, disk, &e)) {
        int64_t now = clock_mono_ns(clock);
        if (any_writes(list))
            note_success(w, list, now - begun);
        end_all(list, NULL);
        return true;
    }
    bool alone = list->mail.next == NULL;
    if (*disk || alone) {
        e.kind = *disk ? &ERR_IO : e.kind;
        if (*disk)
            note_failure(w, &e);
        end_all(list, &e);
        return true;
    }
    return false;
}

static void carry_out_singly(struct writer *w, struct job *list)
{
    for (struct job *j = list, *next; j; j = next) {
        bool disk = false;
        next = next_of(j);
        j->mail.next = NULL;
        carry_out(w, j, &disk);
    }
}

static void *thread(void *arg)
{
    struct writer *w = arg;
    struct mail *mail;
    while ((mail = mailbox_wait(w->mailbox, -1))) {
        bool disk = false;
        if (!carry_out(w, job_of(mail), &disk))
            carry_out_singly(w, job_of(mail));
    }
    return NULL;
}

/* A number of pages, 0 if the log began anew after it was noted. */
static uint64_t since_the_beginning(atomic_uint_fast64_t *noted, uint64_t pages)
{
    if (pages < atomic_load(noted))
        atomic_store(noted, 0);
    return atomic_load(noted);
}

static int committed(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct writer *w = arg;
    const struct log_limits *limits = &w->store->checkpointer.limits;
    atomic_store(&w->last_write_ns, clock_mono_ns(w->store->clock));
    atomic_store(&w->log_pages, (uint64_t)pages);
    const uint64_t copied = since_the_beginning(&w->copied, (uint64_t)pages);
    const uint64_t alone_at = since_the_beginning(&w->alone_at, (uint64_t)pages);
    if ((uint64_t)pages > limits->most && (uint64_t)pages - alone_at > limits->pause)
        turn_owe(&w->turn);
    if ((uint64_t)pages - copied > limits->quiet)
        checkpointer_wake(&w->store->checkpointer);
    return SQLITE_OK;
}

bool writer_start(struct writer *w, struct err *e)
{
    pthread_mutex_init(&w->turn.lock, NULL);
    pthread_cond_init(&w->turn.wake, NULL);
    sqlite3_wal_hook(w->db.handle, committed, w);
    w->mailbox = mailbox_new(MAILBOX_LIMIT, e);
    if (!w->mailbox)
        return false;
    w->started = thread_start(&w->thread, "store-write", THREAD_SOON, thread, w, e);
    return w->started;
}

void writer_stop(struct writer *w)
{
    if (w->started) {
        mailbox_close(w->mailbox);
        pthread_join(w->thread, NULL);
        pthread_mutex_destroy(&w->turn.lock);
        pthread_cond_destroy(&w->turn.wake);
    }
    mailbox_free(w->mailbox);
    db_close(&w->db);
    *w = (struct writer){0};
}
