#include "selection/decisions_impl.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/nodes.h"
#include "store/wait.h"
#include "base/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS       INT64_C(3600000)
#define HOURS         1024 /* places for marks: more than DECISION_DAYS_MAX days */
#define MARK_SHIFT    40   /* a mark is the hour, then so many bits of bytes */
#define KEEP_DEFAULT  (INT64_C(7) * 24 * HOUR_MS)
#define BYTES_DEFAULT (UINT64_C(1) << 30)
#define WAITS_DEFAULT ((size_t)32 << 20)
#define MAILS_MAX     65536
#define LANE_MAX      (64u << 10) /* handed over before it is larger */
#define LINE_MAX      16384
#define GROUP_MAX     (4u << 20) /* written in one transaction */
#define RETRY_MS      1000
#define TRIM_HOURS    1

/* A lane's text on its way. Lines: key, tab, time, tab, JSON, line feed. */
struct parcel {
    struct mail mail; /* first */
    size_t lines, len;
    char text[]; /* and a NUL */
};

struct decisions {
    struct decisions_config config;
    struct mailbox *mailbox;
    pthread_t writer;
    atomic_uint_fast64_t written, lost, bytes;
    atomic_size_t waiting;
    /* [writer], and [main] while it opens */
    int64_t hours[HOURS]; /* marks as they are kept */
    int64_t trimmed_hour;
    uint64_t next_id;
    char space[STORE_SPACE_SIZE]; /* whose marks and records these are */
    char life[40];                /* of this start, for ids of records */
};

struct decision_lane {
    struct decisions *log;
    struct bytes text;
    size_t lines;
};

/* ---- lanes ---- */

struct decision_lane *decision_lane_new(struct decisions *log)
{
    struct decision_lane *lane = mem_zero(1, sizeof *lane);
    lane->log = log;
    lane->text = BYTES_INIT(LANE_MAX + LINE_MAX);
    return lane;
}

void decision_lane_free(struct decision_lane *lane)
{
    if (!lane)
        return;
    decision_lane_flush(lane);
    bytes_release(&lane->text);
    free(lane);
}

static void put_line(struct bytes *b, const struct selection_answer *a, const char *ns)
{
    const struct model *m = a->served;
    decisions_key(b, ns, a->facts.unit);
    bytes_char(b, '\t');
    bytes_int(b, a->facts.at_ms);
    bytes_text(b, "\t{");
    json_kv_string(b, "decision_id", a->decision_id);
    json_kv_time(b, "at", a->facts.at_ms);
    json_kv_string(b, "unit", a->unit);
    json_kv_string(b, "route", a->route);
    json_kv_string(b, "arm", a->arm);
    json_kv_string(b, "model_id", m->entity.id);
    json_kv_string(b, "name", m->name);
    json_kv_string(b, "version", m->version);
    selection_put_why(b, a);
    json_kv_bool(b, "degraded", a->degraded);
    bytes_text(b, "}\n");
}

static bool is_logged(const struct selection_answer *a)
{
    return a->unit &&
           (a->log == LOG_ALL || (a->log == LOG_EXPOSURES && a->facts.flags & DECISION_DRAWN));
}

void decision_lane_add(struct decision_lane *lane, const struct selection_answer *a, const char *ns)
{
    if (!is_logged(a))
        return;
    size_t before = lane->text.len;
    put_line(&lane->text, a, ns);
    if (lane->text.full || lane->text.len - before > LINE_MAX) { /* of giants: better none */
        lane->text.len = before;
        lane->text.full = false;
        atomic_fetch_add(&lane->log->lost, 1);
        return;
    }
    lane->lines++;
    if (lane->text.len >= LANE_MAX)
        decision_lane_flush(lane);
}

void decision_lane_flush(struct decision_lane *lane)
{
    struct decisions *log = lane->log;
    if (lane->lines == 0)
        return;
    struct parcel *p = mem_alloc(sizeof *p + lane->text.len + 1);
    *p = (struct parcel){.lines = lane->lines, .len = lane->text.len};
    memcpy(p->text, lane->text.data, lane->text.len);
    p->text[p->len] = '\0';
    size_t waits = atomic_fetch_add(&log->waiting, p->len) + p->len;
    if (waits > log->config.waiting_max || !mailbox_post(log->mailbox, &p->mail)) {
        atomic_fetch_sub(&log->waiting, p->len);
        atomic_fetch_add(&log->lost, p->lines);
        free(p);
    }
    lane->lines = 0;
    bytes_clear(&lane->text);
}

/* ---- writing ---- */

struct line {
    const char *key, *json;
    size_t key_len, json_len;
    int64_t at;
    size_t order;
};

/* Parcels that are written together. */
struct group {
    struct parcel *first;
    struct line *lines;
    size_t n;
    struct arena *arena;
    struct series_record *records;
    size_t n_records;
    uint64_t bytes;
};

static int by_key_and_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
    int order = memcmp(x->key, y->key, len);
    if (order == 0)
        order = (x->key_len > y->key_len) - (x->key_len < y->key_len);
    if (order == 0)
        order = (x->at > y->at) - (x->at < y->at);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static void read_parcel(struct group *g, const struct parcel *p)
{
    const char *at = p->text, *end = p->text + p->len;
    while (at < end) {
        const char *key_end = memchr(at, '\t', (size_t)(end - at));
        const char *time_end = memchr(key_end + 1, '\t', (size_t)(end - key_end - 1));
        const char *line_end = memchr(time_end, '\n', (size_t)(end - time_end));
        g->lines[g->n] = (struct line){.key = at,
                                       .key_len = (size_t)(key_end - at),
                                       .at = strtoll(key_end + 1, NULL, 10),
                                       .json = time_end + 1,
                                       .json_len = (size_t)(line_end - time_end),
                                       .order = g->n};
        g->n++;
        at = line_end + 1;
    }
}

static bool same_record(const struct line *first, const struct line *l)
{
    return l->key_len == first->key_len && memcmp(l->key, first->key, l->key_len) == 0 &&
           l->at - first->at < DECISIONS_SPAN_MS;
}

/* The lines from `first` on that belong together, as one record; where the next begins. */
static size_t make_record(struct decisions *log, struct group *g, size_t first)
{
    size_t end = first, len = 0;
    for (; end < g->n && same_record(&g->lines[first], &g->lines[end]); end++)
        len += g->lines[end].json_len;
    char *data = arena_alloc(g->arena, len);
    char *key = arena_alloc(g->arena, g->lines[first].key_len + 1);
    const char *id = arena_printf(g->arena, "%s-%08" PRIx64, log->life, log->next_id++);
    if (!data || !key) { /* the arena is larger than a group can be */
        atomic_fetch_add(&log->lost, end - first);
        return end;
    }
    memcpy(key, g->lines[first].key, g->lines[first].key_len);
    key[g->lines[first].key_len] = '\0';
    len = 0;
    for (size_t i = first; i < end; i++) {
        memcpy(data + len, g->lines[i].json, g->lines[i].json_len);
        len += g->lines[i].json_len;
    }
    g->records[g->n_records++] = (struct series_record){
        .key = key, .at = g->lines[first].at, .id = id, .data = data, .len = len};
    g->bytes += len;
    return end;
}

static void make_group(struct decisions *log, struct group *g, struct parcel *first)
{
    size_t lines = 0;
    *g = (struct group){.first = first, .arena = arena_new((size_t)64 << 20)};
    for (const struct parcel *p = first; p; p = (const struct parcel *)(const void *)p->mail.next)
        lines += p->lines;
    g->lines = mem_zero(lines + 1, sizeof *g->lines);
    g->records = mem_zero(lines + 1, sizeof *g->records);
    for (const struct parcel *p = first; p; p = (const struct parcel *)(const void *)p->mail.next)
        read_parcel(g, p);
    qsort(g->lines, g->n, sizeof *g->lines, by_key_and_time);
    for (size_t i = 0; i < g->n;)
        i = make_record(log, g, i);
}

static void group_release(struct decisions *log, struct group *g)
{
    for (struct parcel *p = g->first, *next; p; p = next) {
        next = (struct parcel *)(void *)p->mail.next;
        atomic_fetch_sub(&log->waiting, p->len);
        free(p);
    }
    free(g->lines);
    free(g->records);
    arena_free(g->arena);
}

/* ---- what is kept ---- */

static int64_t mark_hour(int64_t mark)
{
    return mark >> MARK_SHIFT;
}

static uint64_t mark_bytes(int64_t mark)
{
    return (uint64_t)mark & ((UINT64_C(1) << MARK_SHIFT) - 1);
}

static void mark_name(const struct decisions *log, int64_t hour, char out[48])
{
    snprintf(out, 48, "decisions%s/%d", log->space, (int)(hour % HOURS));
}

/* The first hour that stays: by age, and by what all together take. */
static int64_t first_kept(const struct decisions *log, int64_t now_ms)
{
    int64_t now = now_ms / HOUR_MS, oldest = (now_ms - log->config.keep_ms) / HOUR_MS, hour = now;
    uint64_t sum = 0;
    for (; hour > now - HOURS && hour > oldest; hour--) {
        int64_t mark = log->hours[hour % HOURS];
        sum += mark_hour(mark) == hour ? mark_bytes(mark) : 0;
        if (sum > log->config.max_bytes && hour < now)
            return hour + 1;
    }
    return hour;
}

static void count_kept(struct decisions *log, int64_t first)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HOURS; i++)
        if (log->hours[i] && mark_hour(log->hours[i]) >= first)
            sum += mark_bytes(log->hours[i]);
    atomic_store(&log->bytes, sum);
}

/* Write the group with its mark; what is too old goes in the same transaction. */
static bool write_group(struct decisions *log, const struct group *g, int64_t now_ms, struct err *e)
{
    int64_t hour = now_ms / HOUR_MS, before = log->hours[hour % HOURS];
    int64_t mark = (mark_hour(before) == hour ? before : hour << MARK_SHIFT) + (int64_t)g->bytes;
    int64_t first = first_kept(log, now_ms);
    char name[48];
    mark_name(log, hour, name);
    const struct series_trim trim = {.key = "decision/*", .before = first * HOUR_MS};
    const struct series_mark marks = {.name = name, .value = mark};
    struct series_append a = {.records = g->records,
                              .n = g->n_records,
                              .trims = &trim,
                              .n_trims = first > log->trimmed_hour,
                              .marks = &marks,
                              .n_marks = 1};
    if (!store_append_wait(log->config.store, &a, e))
        return false;
    log->hours[hour % HOURS] = mark;
    log->trimmed_hour = first;
    count_kept(log, first);
    atomic_fetch_add(&log->written, g->n);
    return true;
}

/* Rest between two tries, or give up because the end has come. */
static bool try_again(struct decisions *log)
{
    for (int i = 0; i < RETRY_MS / 50 && !mailbox_closed(log->mailbox); i++)
        nanosleep(&(const struct timespec){.tv_nsec = 50000000}, NULL);
    return !mailbox_closed(log->mailbox);
}

static void write_parcels(struct decisions *log, struct parcel *first)
{
    struct group g;
    struct err e = {0};
    bool told = false;
    make_group(log, &g, first);
    while (!write_group(log, &g, clock_wall_ms(log->config.clock), &e)) {
        if (!told)
            log_text(LOG_WARN, "decisions_not_written", e.detail);
        told = true;
        if (!try_again(log)) {
            atomic_fetch_add(&log->lost, g.n);
            break;
        }
    }
    group_release(log, &g);
}

static void *writer_main(void *ctx)
{
    struct decisions *log = ctx;
    while (!mailbox_closed(log->mailbox) || mailbox_count(log->mailbox)) {
        struct mail *mail = mailbox_wait(log->mailbox, 1000), *first = mail;
        while (mail) { /* as many as make a group */
            size_t size = 0;
            struct mail *last = mail;
            for (; last->next && size < GROUP_MAX; last = last->next)
                size += ((struct parcel *)(void *)last)->len;
            mail = last->next;
            last->next = NULL;
            write_parcels(log, (struct parcel *)(void *)first);
            first = mail;
        }
    }
    return NULL;
}

/* ---- opening ---- */

static bool read_marks(struct decisions *log, int64_t now_ms, struct err *e)
{
    int64_t now = now_ms / HOUR_MS, hours = log->config.keep_ms / HOUR_MS + 1;
    for (int64_t hour = now - hours; hour <= now; hour++) {
        char name[48];
        int64_t value;
        bool found;
        mark_name(log, hour, name);
        if (!log->config.store->ops->mark(log->config.store, name, &value, &found, e))
            return false;
        if (found && mark_hour(value) == hour)
            log->hours[hour % HOURS] = value;
    }
    count_kept(log, now - hours);
    return true;
}

struct decisions *decisions_open(const struct decisions_config *config, struct err *e)
{
    struct decisions *log = mem_zero(1, sizeof *log);
    struct decisions_config *c = &log->config;
    *c = *config;
    c->keep_ms = c->keep_ms ? c->keep_ms : KEEP_DEFAULT;
    c->max_bytes = c->max_bytes ? c->max_bytes : BYTES_DEFAULT;
    c->waiting_max = c->waiting_max ? c->waiting_max : WAITS_DEFAULT;
    int64_t now = clock_wall_ms(c->clock);
    store_space(c->store, log->space);
    snprintf(log->life, sizeof log->life, "%012" PRIx64 "%s", (uint64_t)now, log->space);
    if (c->keep_ms > DECISION_DAYS_MAX * 24 * HOUR_MS) {
        fail(e, &ERR_CONFIG, "decisions are kept for at most %d days", DECISION_DAYS_MAX);
    } else if (read_marks(log, now, e) && (log->mailbox = mailbox_new(MAILS_MAX, e))) {
        if (thread_start(&log->writer, "decisions", THREAD_LATER, writer_main, log, e))
            return log;
    }
    mailbox_free(log->mailbox);
    free(log);
    return NULL;
}

void decisions_close(struct decisions *log)
{
    if (!log)
        return;
    mailbox_close(log->mailbox);
    pthread_join(log->writer, NULL);
    mailbox_free(log->mailbox);
    free(log);
}

void decisions_stats(struct decisions *log, struct decisions_stats *out)
{
    *out = (struct decisions_stats){.written = atomic_load(&log->written),
                                    .lost = atomic_load(&log->lost),
                                    .bytes = atomic_load(&log->bytes)};
}
