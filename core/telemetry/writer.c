#include "telemetry/internal.h"

#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"
#include "telemetry/block.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define GROUP_BYTES_MAX \
    (8u << 20) /* written with one fdatasync: so that nobody waits for a giant */
#define GROUP_BLOCKS_MAX 4096
#define DEAD_MAX         4096
#define HURRY_NS         INT64_C(1000000000) /* at most one early round a second */
#define SIBLINGS         4     /* batches of one group from which on the next waits for more */
#define GATHER_NS        60000 /* so long: a fifth of what a sync takes on a good disk */
#define SLACK_NS         1000  /* how late the system may end that wait, by its own account */
#define PROBE_MS         1000  /* while the log cannot be written: try again by itself this often */

/* --- writing --- */

/* Batches that go to the disk together. */
struct group {
    struct telemetry_write *writes[GROUP_BLOCKS_MAX];
    struct block_write blocks[GROUP_BLOCKS_MAX];
    char *key_parts[GROUP_BLOCKS_MAX];
    size_t n, bytes;
};

static void add_write(struct group *g, struct telemetry_write *w)
{
    struct block_write *b = &g->blocks[g->n];
    const size_t len = batch_payload_len(w->batch);
    *b = (struct block_write){0};
    b->payload = batch_payload(w->batch, &b->payload_checksum);
    b->payload_len = (uint32_t)len;
    g->key_parts[g->n] = NULL;
    if (w->key) {
        struct block_key k = {w->key, strlen(w->key), w->key_value, w->key_value_len,
                              w->key_expires_ms};
        g->key_parts[g->n] = block_key_encode(&k, &b->key_len);
        b->key_part = g->key_parts[g->n];
    }
    g->bytes += len + b->key_len;
    g->writes[g->n++] = w;
}

static void note_sync(struct telemetry *t, const struct group *g, size_t written, double seconds)
{
    uint64_t records = 0;
    for (size_t i = 0; i < written; i++)
        records += batch_accepted(g->writes[i]->batch);
    pthread_mutex_lock(&t->lock);
    t->stats.records += records;
    t->stats.batches += written;
    t->stats.syncs++;
    t->stats.failures += written < g->n;
    t->stats.sync_seconds_sum += seconds;
    if (seconds > t->stats.sync_seconds_max)
        t->stats.sync_seconds_max = seconds;
    if (records > t->stats.records_per_sync_max)
        t->stats.records_per_sync_max = records;
    pthread_mutex_unlock(&t->lock);
}

/* Say once that the log cannot be written, and once that it can again. */
static void set_available(struct telemetry *t, bool available, const char *why)
{
    pthread_mutex_lock(&t->lock);
    bool changed = t->stats.available != available;
    t->stats.available = available;
    pthread_mutex_unlock(&t->lock);
    if (changed && available)
        log_event(LOG_INFO, "log_writable", NULL);
    else if (changed)
        log_text(LOG_ERROR, "log_write_failed", why);
}

/* A quarter of the log's limit is used: do not wait for the minute. */
static void hurry_if_long(struct telemetry *t)
{
    int64_t now = clock_mono_ns(t->config.clock);
    if (atomic_load(&t->log_bytes) <= t->config.log_max_bytes / 4 || now - t->hurried_at < HURRY_NS)
        return;
    t->hurried_at = now;
    pthread_mutex_lock(&t->lock);
    t->hurry = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* Make the group durable, count what became so, and tell everybody. */
static void flush_group(struct telemetry *t, struct group *g)
{
    if (g->n == 0)
        return;
    struct err e = {0};
    size_t written;
    int64_t start = clock_mono_ns(t->config.clock);
    bool ok = segment_log_append(t->log, g->blocks, g->n, &written, &e);
    note_sync(t, g, written, (double)(clock_mono_ns(t->config.clock) - start) / 1e9);
    atomic_store(&t->log_bytes, segment_log_bytes(t->log));
    set_available(t, ok, e.detail);
    hurry_if_long(t);
    struct counting c = counting_now(t, &t->workshop);
    for (size_t i = 0; i < g->n; i++) {
        struct telemetry_write *w = g->writes[i];
        w->ok = i < written;
        if (w->ok) {
            struct payload p;
            payload_view(&p, g->blocks[i].payload);
            count_block(t, &p, g->blocks[i].position, false, &c);
            if (w->key)
                keys_keep(t, g->key_parts[i], g->blocks[i].key_len, w->key_expires_ms);
            atomic_store(&t->counted, g->blocks[i].position);
        } else {
            w->err = e;
            free(g->key_parts[i]);
        }
        atomic_fetch_sub(&t->queued_bytes, g->blocks[i].payload_len);
        atomic_fetch_sub(&t->queued_batches, 1);
        w->done(w);
    }
    g->n = g->bytes = 0;
}

/* --- forgetting --- */

struct forget {
    struct mail mail; /* first; its `run` tells it from a write */
    struct telemetry *telemetry;
    uint64_t uid;
};

static void forget(struct mail *mail)
{
    struct forget *f = (struct forget *)(void *)mail;
    struct telemetry *t = f->telemetry;
    struct live *l = models_remove(&t->models, f->uid);
    if (!t->dead)
        t->dead = mem_alloc(DEAD_MAX * sizeof *t->dead);
    if (t->n_dead == DEAD_MAX)
        memmove(t->dead, t->dead + 1, --t->n_dead * sizeof *t->dead);
    t->dead[t->n_dead++] = f->uid;
    if (l) {
        pthread_mutex_lock(&l->lock);
        l->forgotten = true;
        pthread_mutex_unlock(&l->lock);
        live_release(l, &t->rings);
    }
    pthread_mutex_lock(&t->lock);
    GROW(t->forgotten, t->n_forgotten, t->forgotten_cap);
    t->forgotten[t->n_forgotten++] = f->uid;
    pthread_mutex_unlock(&t->lock);
    free(f);
}

void telemetry_forget(struct telemetry *t, uint64_t uid)
{
    struct forget *f = mem_zero(1, sizeof *f);
    f->mail.run = forget;
    f->telemetry = t;
    f->uid = uid;
    mailbox_post_answer(t->mailbox, &f->mail);
}

/* --- the thread --- */

/* While the log cannot be written nobody may send records, so it must find out by itself that it
 * can. */
static struct mail *wait_for_mail(struct telemetry *t)
{
    struct err e = {0};
    while (!t->stats.available) { /* written by this thread only */
        struct mail *mail = mailbox_wait(t->mailbox, PROBE_MS);
        if (mail || mailbox_closed(t->mailbox))
            return mail;
        set_available(t, segment_log_probe(t->log, &e), e.detail);
    }
    return mailbox_wait(t->mailbox, -1);
}

static void take_in(struct telemetry *t, struct group *g, struct mail *mail)
{
    while (mail) {
        struct mail *next = mail->next;
        if (mail->run) {
            flush_group(t, g);
            mail->run(mail);
        } else {
            add_write(g, (struct telemetry_write *)(void *)mail);
        }
        if (g->n == GROUP_BLOCKS_MAX || g->bytes >= GROUP_BYTES_MAX)
            flush_group(t, g);
        mail = next;
    }
}

/* Who was answered with others sends the next record at once, like them: what waits a moment for
 * the others saves syncs: 9 % more records a second on 64 connections. Who is alone does not wait.
 * (PostgreSQL has it as commit_delay and commit_siblings.) */
static void gather(struct telemetry *t, struct group *g)
{
    const struct timespec moment = {0, GATHER_NS};
    nanosleep(&moment, NULL);
    take_in(t, g, mailbox_take(t->mailbox));
}

void *writer_main(void *telemetry)
{
    struct telemetry *t = telemetry;
    struct group *g = mem_zero(1, sizeof *g);
    bool crowd = false;
    prctl(PR_SET_TIMERSLACK, (unsigned long)SLACK_NS); /* by default as long as the wait itself */
    for (;;) {
        struct mail *mail = wait_for_mail(t);
        if (!mail && mailbox_closed(t->mailbox))
            break;
        take_in(t, g, mail);
        if (crowd)
            gather(t, g);
        crowd = g->n >= SIBLINGS;
        flush_group(t, g);
    }
    free(g);
    return NULL;
}

bool telemetry_append(struct telemetry *t, struct telemetry_write *w, struct err *e)
{
    const size_t len = batch_payload_len(w->batch);
    w->mail.run = NULL;
    size_t queued = atomic_fetch_add(&t->queued_bytes, len) + len;
    atomic_fetch_add(&t->queued_batches, 1);
    bool ok = false;
    if (queued > QUEUE_BYTES_MAX)
        fail(e, &ERR_BUSY, "too many inference records are waiting for the disk; try again");
    else if (atomic_load(&t->log_bytes) + queued > t->config.log_max_bytes)
        fail(
            e, &ERR_BUSY,
            "the log of inference records has reached its limit, since the store does not take its "
            "roll-ups; try again");
    else if (!mailbox_post(t->mailbox, &w->mail))
        fail(e, &ERR_BUSY, "too many inference batches are waiting for the disk; try again");
    else
        ok = true;
    if (ok)
        return true;
    atomic_fetch_sub(&t->queued_bytes, len);
    atomic_fetch_sub(&t->queued_batches, 1);
    pthread_mutex_lock(&t->lock);
    t->stats.refused_batches++;
    pthread_mutex_unlock(&t->lock);
    return false;
}
