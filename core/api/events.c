#include "api/events.h"

#include "api/call.h"
#include "api/handlers.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_BYTES \
    (128 * 1024) /* unsent bytes at which following pauses until the client has read on */
#define EVENT_MAX  (8 << 20)
#define EVENT_KEPT (64 << 10) /* a larger buffer is not kept until the next event */

/* One client that follows the journal. A slow one is not fed beyond PAUSE_BYTES: it stops following
 * and takes up after the last event it was given, from the store if need be, so it never loses one.
 */
struct follow_stream {
    struct follow_stream *next, **link; /* of the loop's */
    struct loop_state *state;
    struct access *access; /* that let it in */
    struct api *api;
    struct loop *loop;
    struct stream *stream;
    struct follower *follower; /* NULL: paused */
    const char *ns, *types;
    uint64_t last; /* given last */
    struct bytes event;
};

static void follow_on(struct follow_stream *f);

static void follow_free(struct follow_stream *f)
{
    if (f->link) {
        *f->link = f->next;
        if (f->next)
            f->next->link = f->link;
    }
    free(f->access);
    bytes_release(&f->event);
    free((char *)f->ns);
    free((char *)f->types);
    free(f);
}

static void end_stream(struct follow_stream *f)
{
    struct stream *s = f->stream;
    stream_listen(s, &(struct stream_events){NULL, NULL}, NULL);
    follow_free(f);
    stream_end(s);
}

static bool still_welcome(const struct follow_stream *f)
{
    const struct view *v = view_enter(f->state->reader);
    bool holds = access_holds(f->access, v, loop_wall_ms(f->loop));
    view_leave(f->state->reader);
    return holds;
}

static bool entry_came(void *ctx, uint64_t seq, const char *action, const char *json, size_t len)
{
    struct follow_stream *f = ctx;
    if (!still_welcome(f)) {
        f->follower = NULL;
        end_stream(f);
        return false;
    }
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

/* The client reconnects by itself and goes on where it was. */
static void follow_ended(void *ctx, const struct err *why)
{
    (void)why;
    struct follow_stream *f = ctx;
    f->follower = NULL;
    end_stream(f);
}

static void drained(struct stream *s, void *ctx)
{
    (void)s;
    struct follow_stream *f = ctx;
    if (!f->follower)
        follow_on(f);
}

static void closed(struct stream *s, void *ctx)
{
    (void)s;
    struct follow_stream *f = ctx;
    if (f->follower)
        feed_unfollow(f->follower);
    follow_free(f);
}

static struct follower *follow(struct follow_stream *f, struct err *e)
{
    const struct follow what = {.ns = f->ns,
                                .types = f->types,
                                .grants = f->access->grants,
                                .after_seq = f->last,
                                .entry = entry_came,
                                .ended = follow_ended,
                                .ctx = f};
    return feed_follow(f->api->feed, f->loop, &what, e);
}

static void follow_on(struct follow_stream *f)
{
    f->follower = follow(f, NULL);
    if (!f->follower)
        end_stream(f);
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

/* The header that browsers send when they reconnect wins over the parameter of the first address.
 */
static bool after_read(struct call *c, uint64_t *after, struct err *e)
{
    static const char HEADER[] = "Last-Event-ID";
    const char *text = request_header(c->rq, HEADER);
    *after = c->q.last_event_id >= 0 ? (uint64_t)c->q.last_event_id : UINT64_MAX;
    if (!text)
        return true;
    size_t len = strlen(text);
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
        return call_fault(c->arena, HEADER, e, "must be the id of an event: a whole number");
    *after = strtoull(text, NULL, 10);
    return true;
}

void events_get(struct request *rq)
{
    struct call c;
    struct err e;
    uint64_t after;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!types_check(&c, &e) || !after_read(&c, &after, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct follow_stream *f = mem_zero(1, sizeof *f);
    f->api = c.api;
    f->loop = request_loop(rq);
    f->state = loop_state(f->loop);
    f->access = access_keep(c.access);
    f->ns = mem_text(c.ns);
    f->types = mem_text(c.q.types);
    f->last = after == UINT64_MAX ? call_seq(&c) : after;
    bytes_init(&f->event, EVENT_MAX);
    f->follower = follow(f, &e);
    if (!f->follower) {
        request_fail(rq, &e);
        follow_free(f);
        return;
    }
    f->next = f->state->follows;
    f->link = &f->state->follows;
    if (f->next)
        f->next->link = &f->next;
    f->state->follows = f;
    request_add_header(rq, "Cache-Control", "no-store");
    f->stream = request_stream(rq, 200, "text/event-stream");
    stream_listen(f->stream, &(struct stream_events){drained, closed}, f);
    if (!stream_write(f->stream, ": events of the journal\n\n", 25))
        return; /* closed() has been or will be called */
}

void events_tick(struct loop_state *s, int64_t now_ms)
{
    if (!s->follows)
        return;
    const struct view *v = view_enter(s->reader);
    for (struct follow_stream *f = s->follows, *next; f; f = next) {
        next = f->next;
        if (access_holds(f->access, v, now_ms))
            continue;
        if (f->follower)
            feed_unfollow(f->follower);
        end_stream(f);
    }
    view_leave(s->reader);
}
