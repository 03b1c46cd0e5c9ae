/* The journal as server-sent events. */
#include "api/event_stream.h"
#include "api/handlers.h"

#include <inttypes.h>
#include <string.h>

#define PAUSE_BYTES \
    (128 * 1024) /* unsent bytes at which following pauses until the client has read on */
#define EVENT_KEPT (64 << 10) /* a larger buffer is not kept until the next event */

/* A slow client is not fed beyond PAUSE_BYTES: it stops following and takes up after the last event
 * it was given, from the store if need be, so it never loses one. */
static bool entry_came(struct event_stream *f, uint64_t seq, const char *action, const char *json,
                       size_t len)
{
    bytes_clear(&f->event);
    bytes_printf(&f->event, "id: %" PRIu64 "\nevent: %s\ndata: ", seq, action);
    bytes_add(&f->event, json, len);
    bytes_text(&f->event, "\n\n");
    f->last = seq;
    struct stream *s = f->stream;
    bool full = stream_backlog(s) + f->event.len > PAUSE_BYTES;
    bool goes_on = stream_write(s, f->event.data, f->event.len) && !full;
    if (f->event.cap > EVENT_KEPT)
        bytes_release(&f->event);
    if (!goes_on)
        f->follower = NULL; /* it ends with our false; drained() or closed() comes later */
    return goes_on;
}

static bool type_known(const char *type, size_t len)
{
    bool prefix = len > 0 && type[len - 1] == '*';
    size_t cmp = prefix ? len - 1 : len;
    for (const char *const *a = JOURNAL_ACTIONS; *a; a++)
        if (strncmp(*a, type, cmp) == 0 && (prefix || (*a)[cmp] == '\0'))
            return true;
    return false;
}

static bool types_check(struct call *c, struct err *e)
{
    for (const char *p = c->q.types; p && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        if (!type_known(p, len))
            return call_fault(c->arena, "types", e,
                              "must be actions that /types lists or their beginnings and "
                              "'*', got '%.*s'",
                              (int)(len < 64 ? len : 64), p);
        p += len;
    }
    return true;
}

void events_get(struct request *rq)
{
    static const struct event_stream_kind JOURNAL = {.greeting = ": events of the journal\n\n",
                                                     .entry = entry_came};
    struct call c;
    struct err e;
    uint64_t after;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!types_check(&c, &e) || !event_stream_after(&c, &after, &e)) {
        request_fail(rq, &e);
        return;
    }
    const struct event_wish wish = {.kind = &JOURNAL,
                                    .access = c.access,
                                    .ns = c.ns,
                                    .types = c.q.types,
                                    .after_seq = after == UINT64_MAX ? call_seq(&c) : after};
    event_stream_open(&c, &wish);
}
