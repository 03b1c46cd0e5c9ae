/* From the journal to the outbox, page by page. The rows of a page and the cursor behind it are one
 * transaction (outbox.h): an entry is queued once for each webhook that wants it, or looked at
 * again. */
#include "feed/deliver_impl.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PAGE       256
#define PAGE_ARENA (32u << 20)
#define ROW_COST   ((size_t)8192) /* bytes that one row takes at most while it is written */
#define ROWS       8192  /* of a page: a page that many webhooks want is looked at in parts */
#define ROWS_MAX   32768 /* webhooks that can want one and the same entry */
#define LANES_MAX  65536 /* past it the rest stays in the journal */

struct match {
    struct outbox_row row;
    const struct journal_entry *entry;
};

struct paging {
    struct journal_read read; /* first */
    struct series_append append;
    struct deliveries *d;
    struct arena *rows;
    struct match *matches;
    size_t n, cap;
    uint64_t upto; /* looked at up to here */
    const struct journal_entry *entry;
    bool full;
};

static void scan_end(struct paging *s, bool ok)
{
    s->d->scanning = false;
    if (!ok)
        s->d->scan_ms = deliver_now(s->d) + DELIVER_RETRY_MS;
    arena_free(s->rows);
    arena_free(s->read.arena);
    free(s->matches);
    free(s);
}

static void move_cursor(struct paging *s)
{
    struct deliveries *d = s->d;
    int64_t now = deliver_now(d);
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < s->n; i++) {
        const struct outbox_row *r = &s->matches[i].row;
        lanes_add(d->lanes, r->uid, r->ns, r->id, r->subject, &r->delivery, now);
    }
    d->cursor = s->upto;
    pthread_mutex_unlock(&d->lock);
}

static void written(struct mail *mail)
{
    struct paging *s = (struct paging *)(void *)((char *)mail - offsetof(struct paging, append));
    bool ok = s->append.ok;
    s->d->asked--;
    if (ok)
        move_cursor(s);
    else
        log_text(LOG_ERROR, "webhook_outbox_failed", s->append.err.detail);
    scan_end(s, ok);
}

/* [store] */
static void was_written(struct series_append *a)
{
    struct paging *s = (struct paging *)(void *)((char *)a - offsetof(struct paging, append));
    deliver_answer(s->d, &a->mail);
}

/* --- what is wanted --- */

static bool match(const struct entity *e, void *ctx)
{
    struct paging *s = ctx;
    const struct webhook *w = webhook_of(document_of(e));
    const struct journal_entry *entry = s->entry;
    if (!w->enabled || w->head.created_at > entry->at ||
        !webhook_wants(w, entry->action, entry->name))
        return true;
    if (s->n == (s->matches && s->matches[0].entry != entry ? ROWS : ROWS_MAX)) {
        s->full = true;
        return false;
    }
    if (!s->matches || s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->matches = mem_resize(s->matches, s->cap, sizeof *s->matches);
    }
    const struct deliveries *d = s->d;
    /* A page that was written in part is written again, to the same places, by whomever. */
    const int64_t late = entry->at < d->since_ms ? d->since_ms - entry->at : 0;
    s->matches[s->n++] = (struct match){.row = {.uid = e->uid,
                                                .ns = arena_text(s->rows, e->ns),
                                                .id = arena_text(s->rows, e->id),
                                                .subject = journal_entry_subject(entry),
                                                .delivery = {entry->seq, entry->at, late, 0}},
                                        .entry = entry};
    return true;
}

static void match_page(struct paging *s)
{
    const struct view *v = view_enter(s->d->reader);
    for (size_t i = 0; i < s->read.n && !s->full; i++) {
        size_t before = s->n;
        s->entry = &s->read.entries[i];
        view_each_of(v, ENTITY_WEBHOOK, s->entry->ns, match, s);
        if (s->full && i > 0)
            s->n = before; /* an entry goes to all that want it, or waits for the next page */
        else
            s->upto = s->entry->seq;
    }
    view_leave(s->d->reader);
}

static void write_page(struct paging *s)
{
    struct series_record *records = arena_zero(s->rows, (2 * s->n + 1) * sizeof *records);
    static const struct outbox_report FRESH = {.status = DELIVERY_PENDING};
    for (size_t i = 0; i < s->n; i++) {
        const struct match *m = &s->matches[i];
        records[2 * i] = outbox_queued(s->rows, &m->row);
        records[2 * i + 1] = outbox_logged(s->rows, &m->row, m->entry, &FRESH);
    }
    records[2 * s->n] = outbox_cursor(s->rows, s->upto);
    s->append = (struct series_append){.duty = true,
                                       .mail.run = written,
                                       .records = records,
                                       .n = 2 * s->n + 1,
                                       .done = was_written};
    s->d->asked++;
    s->d->config.store->ops->append(s->d->config.store, &s->append);
}

static void page_read(struct mail *mail)
{
    struct paging *s = (struct paging *)(void *)mail;
    s->d->asked--;
    if (!s->read.ok) {
        log_text(LOG_ERROR, "webhooks_cannot_read_journal", s->read.err.detail);
        scan_end(s, false);
        return;
    }
    match_page(s);
    if (s->upto > s->d->cursor)
        write_page(s);
    else
        scan_end(s, s->read.n > 0);
}

/* [store] */
static void was_read(struct journal_read *r)
{
    deliver_answer(((struct paging *)(void *)r)->d, &r->mail);
}

/* While there is no webhook nothing is read, and the cursor goes along by itself. */
static bool nobody_listens(struct deliveries *d)
{
    const struct view *v = view_enter(d->reader);
    bool nobody = view_count(v, ENTITY_WEBHOOK) == 0;
    uint64_t seq = view_seq(v);
    view_leave(d->reader);
    if (nobody && seq > d->cursor) {
        pthread_mutex_lock(&d->lock);
        d->cursor = seq;
        pthread_mutex_unlock(&d->lock);
    }
    return nobody;
}

/* What was lost of the journal was looked at; what comes in its place is not. */
static void go_back(struct deliveries *d)
{
    uint64_t to = d->scanning ? 0 : atomic_exchange(&d->back_to, 0);
    pthread_mutex_lock(&d->lock);
    if (to && d->cursor >= to)
        d->cursor = to - 1;
    pthread_mutex_unlock(&d->lock);
}

void deliver_scan(struct deliveries *d)
{
    go_back(d);
    if (d->scanning || deliver_now(d) < d->scan_ms || atomic_load(&d->published) <= d->cursor ||
        lanes_count(d->lanes) >= LANES_MAX || nobody_listens(d))
        return;
    struct paging *s = mem_zero(1, sizeof *s);
    s->d = d;
    s->upto = d->cursor;
    s->rows = arena_new(ROWS_MAX * ROW_COST);
    s->read = (struct journal_read){.mail.run = page_read,
                                    .query = {.after_seq = d->cursor, .limit = PAGE},
                                    .arena = arena_new(PAGE_ARENA),
                                    .done = was_read};
    d->scanning = true;
    d->asked++;
    d->config.store->ops->journal(d->config.store, &s->read);
}
