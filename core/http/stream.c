#include "http/connection.h"
#include "http/reply.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* To be closed when the turn ends, so that its owner can finish what it is doing. */
static void orphan(struct request *rq)
{
    rq->stream.orphan = true;
    rq->next_orphan = rq->loop->orphans;
    rq->loop->orphans = rq;
}

void stream_adopt(struct request *rq)
{
    if (!rq->stream.orphan)
        return;
    rq->stream.orphan = false;
    struct request **at = &rq->loop->orphans;
    while (*at != rq)
        at = &(*at)->next_orphan;
    *at = rq->next_orphan;
}

struct stream *request_stream(struct request *rq, int status, const char *type)
{
    struct stream *s = &rq->stream;
    struct connection *c = rq->conn;
    *s = (struct stream){.status = status, .discard = rq->head.method == METHOD_HEAD};
    s->written_ms = loop_mono_ms(rq->loop);
    rq->phase = PHASE_STREAM;
    if (!c || c->state == CONN_DEAD) {
        s->discard = true; /* the client left meanwhile */
        if (!c)
            orphan(rq);
        return s;
    }
    if (s->discard && rq->route->flags & ROUTE_OPEN_ENDED)
        orphan(rq); /* HEAD: the head of the reply is all there is */
    s->chunked = rq->head.minor == 1 && !s->discard;
    if (rq->head.minor == 0)
        rq->head.keep_alive = false;
    bool close = connection_ends(c);
    if (close)
        rq->head.keep_alive = false; /* what the head says holds when the stream ends */
    reply_put_head(rq, connection_out(c), status, type,
                   rq->head.minor ? REPLY_CHUNKED : REPLY_UNTIL_EOF, close);
    if (!c->processing)
        connection_flush(c);
    return s;
}

void stream_listen(struct stream *s, const struct stream_events *events, void *ctx)
{
    s->events = *events;
    s->ctx = ctx;
}

struct request *stream_request(struct stream *s)
{
    return (struct request *)((char *)s - offsetof(struct request, stream));
}

size_t stream_backlog(const struct stream *s)
{
    const struct connection *c = stream_request((struct stream *)s)->conn;
    return c ? connection_backlog(c) : 0;
}

/* Pieces go through the bufferevent, so that many small ones leave in one system call. */
static void put_piece(struct connection *c, const struct stream *s, const void *data, size_t len)
{
    char size[20];
    int n = s->chunked ? snprintf(size, sizeof size, "%zx\r\n", len) : 0;
    connection_flush(c);
    connection_queue(c, size, (size_t)n);
    connection_queue(c, data, len);
    if (s->chunked)
        connection_queue(c, "\r\n", 2);
}

bool stream_write(struct stream *s, const void *data, size_t len)
{
    struct request *rq = stream_request(s);
    struct connection *c = rq->conn;
    if (!c || c->state == CONN_DEAD)
        return false;
    if (connection_backlog(c) > BACKLOG_MAX || loop_overloaded(rq->loop, len)) {
        connection_kill(c);
        return false;
    }
    if (len == 0 || s->discard)
        return true;
    put_piece(c, s, data, len);
    s->sent += len;
    s->written_ms = loop_mono_ms(rq->loop);
    s->pending = true;
    return c->state != CONN_DEAD;
}

void stream_finish(struct stream *s)
{
    struct stream_events events = s->events;
    s->events = (struct stream_events){.closed = NULL};
    if (events.closed)
        events.closed(s, s->ctx);
    stream_end(s);
}

void stream_end(struct stream *s)
{
    struct request *rq = stream_request(s);
    struct connection *c = rq->conn;
    size_t sent = s->sent;
    rq->phase = PHASE_REPLIED;
    if (c && c->state != CONN_DEAD) {
        if (s->chunked)
            connection_put(c, "0\r\n\r\n", 5);
        connection_replied(c, connection_ends(c));
    }
    if (c && c->request == rq)
        c->request = NULL;
    request_end(rq, s->status, sent);
    if (c && c->state != CONN_DEAD && !c->processing)
        connection_process(c);
}
