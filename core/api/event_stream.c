#include "api/event_stream.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_MAX (8 << 20)

static void follow_on(struct event_stream *f);

static void stream_free(struct event_stream *f)
{
    if (f->link) {
        *f->link = f->next;
        if (f->next)
            f->next->link = f->link;
        f->state->n_follows--;
    }
    free(f->access);
    bytes_release(&f->event);
    free((char *)f->ns);
    free((char *)f->types);
    free(f);
}

void event_stream_end(struct event_stream *f)
{
    struct stream *s = f->stream;
    if (f->follower)
        feed_unfollow(f->follower);
    stream_listen(s, &(struct stream_events){NULL, NULL}, NULL);
    stream_free(f);
    stream_end(s);
}

bool event_stream_welcome(const struct event_stream *f)
{
    const struct view *v = view_enter(f->state->reader);
    bool holds = access_holds(f->access, v, loop_wall_ms(f->loop));
    view_leave(f->state->reader);
    return holds;
}

static bool entry_came(void *ctx, uint64_t seq, const char *action, const char *json, size_t len)
{
    struct event_stream *f = ctx;
    if (event_stream_welcome(f))
        return f->kind->entry(f, seq, action, json, len);
    f->follower = NULL; /* it ends with our false */
    event_stream_end(f);
    return false;
}

/* The client reconnects by itself and goes on where it was. */
static void follow_ended(void *ctx, const struct err *why)
{
    (void)why;
    struct event_stream *f = ctx;
    f->follower = NULL;
    event_stream_end(f);
}

static void drained(struct stream *s, void *ctx)
{
    (void)s;
    struct event_stream *f = ctx;
    if (!f->follower)
        follow_on(f);
}

static void closed(struct stream *s, void *ctx)
{
    (void)s;
    struct event_stream *f = ctx;
    if (f->follower)
        feed_unfollow(f->follower);
    stream_free(f);
}

static struct follower *follow(struct event_stream *f, struct err *e)
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

static void follow_on(struct event_stream *f)
{
    f->follower = follow(f, NULL);
    if (!f->follower)
        event_stream_end(f);
}

bool event_stream_after(struct call *c, uint64_t *after, struct err *e)
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

static void list(struct event_stream *f)
{
    f->next = f->state->follows;
    f->link = &f->state->follows;
    if (f->next)
        f->next->link = &f->next;
    f->state->follows = f;
    f->state->n_follows++;
}

struct event_stream *event_stream_open(struct call *c, const struct event_wish *wish)
{
    struct err e;
    struct event_stream *f = mem_zero(1, sizeof *f);
    f->kind = wish->kind;
    f->api = c->api;
    f->loop = request_loop(c->rq);
    f->state = loop_state(f->loop);
    f->access = access_keep(wish->access);
    f->ns = mem_text(wish->ns);
    f->types = mem_text(wish->types);
    f->last = wish->after_seq;
    bytes_init(&f->event, EVENT_MAX);
    f->follower = follow(f, &e);
    if (!f->follower) {
        request_fail(c->rq, &e);
        stream_free(f);
        return NULL;
    }
    list(f);
    request_add_header(c->rq, "Cache-Control", "no-store");
    f->stream = request_stream(c->rq, 200, "text/event-stream");
    stream_listen(f->stream, &(struct stream_events){drained, closed}, f);
    if (!stream_write(f->stream, wish->kind->greeting, strlen(wish->kind->greeting)))
        return NULL; /* closed() has been or will be called */
    return f;
}

static void forget_looks(struct map *looks)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (looks && map_next(looks, &at, &key, &len, &value))
        free(value);
    map_free(looks);
}

void event_streams_tick(struct loop_state *s, int64_t now_ms)
{
    if (!s->follows)
        return;
    struct event_tick t = {.view = view_enter(s->reader), .now_ms = now_ms};
    for (struct event_stream *f = s->follows, *next; f; f = next) {
        next = f->next;
        if (!access_holds(f->access, t.view, now_ms))
            event_stream_end(f);
        else if (f->kind->tick)
            f->kind->tick(f, &t);
    }
    forget_looks(t.looks);
    view_leave(s->reader);
}
