/* What time does to a connection: slow clients, stalled readers, quiet streams, the server's end.
 */
#include "http/connection.h"
#include "http/errors.h"

#include <errno.h>
#include <event2/buffer.h>
#include <sys/socket.h>

/* The request took too long to come: answer that, and end. */
static void time_out(struct connection *c, const char *what)
{
    struct err e;
    if (c->state != CONN_HEAD && c->state != CONN_BODY) {
        connection_kill(c);
        return;
    }
    fail(&e, &HTTP_TIMEOUT, "the %s did not arrive in time", what);
    if (c->state == CONN_BODY) {
        connection_body_bad(c, &e);
        return;
    }
    c->last = true;
    request_identify(c->request);
    request_fail(c->request, &e);
}

/* Unsent bytes: is the client reading them? */
static void sweep_output(struct connection *c, int64_t now)
{
    uint64_t sent = c->queued - connection_backlog(c);
    if (sent != c->progress) {
        c->progress = sent;
        c->progress_ms = now;
    } else if (now - c->progress_ms >= c->loop->config->write_timeout_ms) {
        connection_kill(c);
    }
}

static void sweep_body(struct connection *c, int64_t now)
{
    int64_t allowed = c->loop->config->body_timeout_ms + (int64_t)(c->body_seen / 65536) * 1000;
    if (!c->held && now - c->body_from_ms >= allowed)
        time_out(c, "body");
}

static void sweep_stream(const struct connection *c, int64_t now)
{
    struct request *rq = c->request;
    struct stream *s = &rq->stream;
    if (rq->route->flags & ROUTE_OPEN_ENDED &&
        now - s->written_ms >= c->loop->config->heartbeat_ms && stream_write(s, ": \n\n", 4))
        s->written_ms = now;
}

void connection_sweep(struct connection *c)
{
    if (c->state == CONN_DEAD)
        return;
    int64_t now = loop_mono_ms(c->loop);
    bool waiting = connection_backlog(c) > 0;
    if (waiting)
        sweep_output(c, now);
    switch (c->state) {
    case CONN_IDLE:
        if (waiting)
            c->deadline_ms = now + c->loop->config->idle_timeout_ms;
        /* fallthrough */
    case CONN_HEAD:
    case CONN_HANDSHAKE:
    case CONN_LINGER:
        if (now >= c->deadline_ms)
            time_out(c, "head of the request");
        break;
    case CONN_BODY:
    case CONN_DROP: sweep_body(c, now); break;
    case CONN_SERVE:
        if (c->request->phase == PHASE_STREAM)
            sweep_stream(c, now);
        break;
    default: break;
    }
}

/* Has the client sent something that we have not read yet? */
static bool something_came(const struct connection *c)
{
    char b;
    return evbuffer_get_length(connection_input(c)) > 0 ||
           recv(c->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void connection_drain(struct connection *c)
{
    struct request *rq = c->request;
    if (c->state == CONN_HANDSHAKE || (c->state == CONN_IDLE && !c->served)) {
        /* Just connected: its first request is perhaps on the way. */
        c->deadline_ms = loop_mono_ms(c->loop) + FIRST_REQUEST_MS;
    } else if (c->state == CONN_IDLE && !something_came(c)) {
        c->state = CONN_FLUSH;
        connection_process(c);
    } else if (c->state == CONN_SERVE && rq->phase == PHASE_STREAM &&
               rq->route->flags & ROUTE_OPEN_ENDED) {
        stream_finish(&rq->stream);
    }
}
