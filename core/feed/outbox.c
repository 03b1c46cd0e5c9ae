#include "feed/outbox.h"

#include "base/json.h"
#include "feed/event.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE    "webhook-queue/"
#define LOG      "webhook-log/"
#define ROW_MAX  1024
#define TEXT_MAX 16384

const char *const DELIVERY_STATUSES[] = {"pending", "delivered", "failed", "dropped", NULL};

const char *outbox_queue_key(struct arena *a, uint64_t uid, const char *subject)
{
    if (!uid)
        return QUEUE "*";
    if (!subject)
        return arena_printf(a, QUEUE "%" PRIu64 "/*", uid);
    /* The bar at the end: a subject may end in a star, which would make it a pattern. */
    return arena_printf(a, QUEUE "%" PRIu64 "/%s/", uid, subject);
}

const char *outbox_log_key(struct arena *a, uint64_t uid)
{
    return uid ? arena_printf(a, LOG "%" PRIu64, uid) : LOG "*";
}

struct series_record outbox_cursor(struct arena *a, uint64_t seq)
{
    const char *text = arena_printf(a, "%" PRIu64, seq);
    return (struct series_record){OUTBOX_CURSOR, 0, "", text, strlen(text)};
}

/* A decimal number at `*at`, which moves behind it and the blank that follows. */
static bool number(const char **at, uint64_t *out)
{
    char *end;
    *out = strtoull(*at, &end, 10);
    if (end == *at || (*end && *end != ' '))
        return false;
    *at = end + (*end == ' ');
    return true;
}

/* The same, and if a plus follows, what is behind it; else 0. */
static bool sum(const char **at, uint64_t *out, uint64_t *plus)
{
    char *end;
    *out = strtoull(*at, &end, 10);
    *plus = 0;
    if (end == *at || *end != '+')
        return number(at, out);
    *at = end + 1;
    return number(at, plus);
}

bool outbox_cursor_read(const void *data, size_t len, uint64_t *seq)
{
    char text[32] = "";
    const char *at = text;
    if (len >= sizeof text)
        return false;
    memcpy(text, data, len);
    return number(&at, seq);
}

struct series_record outbox_queued(struct arena *a, const struct outbox_row *row)
{
    /* Namespaces and ids are identifiers: no blanks. */
    const struct delivery *d = &row->delivery;
    const char *late = d->late_ms ? arena_printf(a, "+%" PRId64, d->late_ms) : "";
    const char *text = arena_printf(a, "%" PRId64 "%s %u %s %s", d->created_ms, late, d->attempts,
                                    row->ns, row->id);
    return (struct series_record){outbox_queue_key(a, row->uid, row->subject),
                                  (int64_t)row->delivery.seq, "", text, strlen(text)};
}

bool outbox_queued_read(struct arena *a, const char *key, int64_t at, const void *data, size_t len,
                        struct outbox_row *row)
{
    size_t key_len = strlen(key);
    uint64_t created, late, attempts;
    char *subject;
    if (strncmp(key, QUEUE, sizeof QUEUE - 1) != 0 || key[key_len - 1] != '/' || len > ROW_MAX ||
        key_len > OUTBOX_KEY_SIZE)
        return false;
    *row = (struct outbox_row){.uid = strtoull(key + sizeof QUEUE - 1, &subject, 10)};
    if (!row->uid || *subject != '/' || subject + 1 >= key + key_len)
        return false;
    row->subject = arena_copy(a, subject + 1, (size_t)(key + key_len - 1 - (subject + 1)));
    char *text = arena_copy(a, data, len);
    const char *p = text;
    if (!sum(&p, &created, &late) || !number(&p, &attempts))
        return false;
    char *blank = strchr(p, ' ');
    if (!blank)
        return false;
    *blank = '\0';
    row->ns = p;
    row->id = blank + 1;
    row->delivery =
        (struct delivery){(uint64_t)at, (int64_t)created, (int64_t)late, (unsigned)attempts};
    return true;
}

struct series_record outbox_logged(struct arena *a, const struct outbox_row *row,
                                   const struct journal_entry *entry,
                                   const struct outbox_report *report)
{
    const struct delivery *d = &row->delivery;
    char id[EVENT_ID_SIZE];
    struct bytes b = BYTES_INIT(TEXT_MAX);
    event_id(row->uid, d->seq, id);
    bytes_char(&b, '{');
    json_kv_string(&b, "namespace", row->ns);
    json_kv_string(&b, "delivery_id", id);
    json_kv_string(&b, "status", DELIVERY_STATUSES[report->status]);
    json_kv_int(&b, "seq", (int64_t)d->seq);
    json_kv_string(&b, "type", entry ? entry->action : NULL);
    json_kv_string(&b, "subject", row->subject);
    json_kv_int(&b, "attempts", d->attempts);
    json_key(&b, "last_status");
    if (report->last_status)
        bytes_int(&b, report->last_status);
    else
        bytes_text(&b, "null");
    json_kv_string(&b, "last_error", report->last_error);
    json_kv_time(&b, "created_at", d->created_ms);
    json_kv_time(&b, "last_attempt_at", report->last_attempt_ms);
    json_kv_time(&b, "next_attempt_at", report->next_attempt_ms);
    json_kv_time(&b, "finished_at", report->finished_ms);
    bytes_char(&b, '}');
    const char *text = arena_copy(a, b.data, b.len);
    struct series_record r = {outbox_log_key(a, row->uid), d->created_ms,
                              arena_printf(a, "%020" PRIu64, d->seq), text, b.len};
    bytes_release(&b);
    return r;
}
