/* Finding a unit's decisions in the log. */
#include "selection/decisions_impl.h"

#include "base/json.h"
#include "selection/decision_id.h"
#include "store/wait.h"

#include <stdio.h>
#include <string.h>

void decisions_key(struct bytes *b, const char *ns, uint32_t mark)
{
    char bucket[8];
    snprintf(bucket, sizeof bucket, "%02x", mark & 255);
    bytes_text(b, "decision/");
    bytes_text(b, ns);
    bytes_char(b, '/');
    bytes_text(b, bucket);
}

struct reading {
    const struct decision_query *q;
    struct bytes unit, route; /* the members as they stand in the text; no other can look like it */
};

static bool has(const char *text, size_t len, const struct bytes *member)
{
    return memmem(text, len, member->data, member->len) != NULL;
}

/* When it was: the line says so in one form only. */
static bool line_time(const char *json, size_t len, int64_t *at)
{
    static const char MEMBER[] = "\"at\":\"";
    const char *from = memmem(json, len, MEMBER, sizeof MEMBER - 1);
    return from && (size_t)(json + len - from) > sizeof MEMBER - 1 + TIME_TEXT_SIZE &&
           time_parse(from + sizeof MEMBER - 1, TIME_TEXT_SIZE - 1, at);
}

static bool take_line(const struct reading *r, const char *json, size_t len)
{
    struct logged_decision d = {.json = json, .len = len};
    bool fits = has(json, len, &r->unit) && (!r->q->route || has(json, len, &r->route)) &&
                line_time(json, len, &d.at_ms) && d.at_ms >= r->q->from &&
                (!r->q->to || d.at_ms < r->q->to);
    return !fits || r->q->each(r->q->ctx, &d);
}

/* [store] The lines of a record, the last one first. */
static bool take_record(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                        size_t len)
{
    const char *text = data;
    (void)key, (void)at, (void)id;
    while (len > 0) {
        size_t end = len - 1; /* its line feed */
        const char *before = memrchr(text, '\n', end);
        size_t start = before ? (size_t)(before - text) + 1 : 0;
        if (!take_line(ctx, text + start, end - start))
            return false;
        len = start;
    }
    return true;
}

bool decisions_read(struct store *store, const struct decision_query *q, struct err *e)
{
    struct bytes key = BYTES_INIT(1024);
    struct reading r = {.q = q, .unit = BYTES_INIT(8192), .route = BYTES_INIT(8192)};
    decisions_key(&key, q->ns, decision_mark(q->unit, strlen(q->unit)));
    bytes_char(&key, '\0');
    json_kv_string(&r.unit, "unit", q->unit);
    json_kv_string(&r.route, "route", q->route);
    struct series_read read = {.key = key.data,
                               .from =
                                   q->from > DECISIONS_SPAN_MS ? q->from - DECISIONS_SPAN_MS : 0,
                               .to = q->to,
                               .newest_first = true,
                               .each = take_record,
                               .ctx = &r};
    bool ok = key.full || r.unit.full || r.route.full
                  ? fail(e, &ERR_INVALID, "the unit or the route is too long")
                  : store_read_wait(store, &read, e);
    bytes_release(&key);
    bytes_release(&r.unit);
    bytes_release(&r.route);
    return ok;
}
