#include "store/memory.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

#define MAILBOX_LIMIT 65536

static bool run(struct memory *m, struct job *j, struct err *e)
{
    switch (j->kind) {
    case JOB_COMMIT: return memory_commit(m, j->commit, e);
    case JOB_JOURNAL: return memory_journal(m, j->journal, e);
    case JOB_APPEND: return memory_append(m, j->append, e);
    case JOB_READ: return memory_read(m, j->read, e);
    case JOB_LEASE: return memory_lease(m, j->lease, e);
    case JOB_KEY: return memory_key(m, j->key, e);
    case JOB_QUEUE: return memory_queue(m, j->queue, e);
    case JOB_SHIP:
    case JOB_DELTAS: break; /* it has one node */
    }
    return fail(e, &ERR_INTERNAL, "unknown job %d", (int)j->kind);
}

static void *thread(void *arg)
{
    struct memory *m = arg;
    struct mail *mail;
    while ((mail = mailbox_wait(m->mailbox, -1))) {
        for (struct mail *next; mail; mail = next) {
            next = mail->next;
            struct err e = {0};
            pthread_mutex_lock(&m->lock);
            bool ok = run(m, job_of(mail), &e);
            pthread_mutex_unlock(&m->lock);
            job_end(job_of(mail), ok ? NULL : &e);
        }
    }
    return NULL;
}

static void post(struct store *s, enum job_kind kind, void *request)
{
    job_post(memory_of(s)->mailbox, kind, request);
}
static void commit(struct store *s, struct store_commit *c)
{
    post(s, JOB_COMMIT, c);
}
static void journal(struct store *s, struct journal_read *r)
{
    post(s, JOB_JOURNAL, r);
}
static void append(struct store *s, struct series_append *a)
{
    post(s, JOB_APPEND, a);
}
static void read_series(struct store *s, struct series_read *r)
{
    post(s, JOB_READ, r);
}
static void lease(struct store *s, struct lease_request *l)
{
    post(s, JOB_LEASE, l);
}
static void key(struct store *s, struct key_request *k)
{
    post(s, JOB_KEY, k);
}
static void queue(struct store *s, struct queue_request *q)
{
    post(s, JOB_QUEUE, q);
}

static void stats(struct store *s, struct store_stats *out)
{
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    *out = m->stats;
    m->stats.commit_seconds_max = 0;
    pthread_mutex_unlock(&m->lock);
    out->waiting = mailbox_count(m->mailbox);
    out->available = true;
}

static void close_store(struct store *s)
{
    struct memory *m = memory_of(s);
    mailbox_close(m->mailbox);
    pthread_join(m->thread, NULL);
    memory_entities_free(m);
    memory_series_free(m);
    memory_keys_free(m);
    mailbox_free(m->mailbox);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct store_ops MEMORY_OPS = {
    .name = "memory",
    .load = memory_load,
    .chain = memory_chain,
    .keys = memory_keys,
    .mark = memory_mark,
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

struct store *store_memory_open(const struct clock *clock)
{
    struct memory *m = mem_zero(1, sizeof *m);
    m->store.ops = &MEMORY_OPS;
    m->clock = clock;
    m->next_uid = 1;
    m->rows = map_new();
    m->series = map_new();
    m->marks = map_new();
    m->keys = map_new();
    m->leases = map_new();
    pthread_mutex_init(&m->lock, NULL);
    struct err e;
    m->mailbox = mailbox_new(MAILBOX_LIMIT, &e);
    /* Only tests come here: a machine without an eventfd or a thread to spare ends them. */
    if (!m->mailbox || !thread_start(&m->thread, "memory", THREAD_SOON, thread, m, &e))
        abort();
    return &m->store;
}
