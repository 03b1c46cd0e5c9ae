/* From bytes to requests and back to waiting: the state machine of a connection. */
#include "http/admit.h"
#include "http/body.h"
#include "http/errors.h"
#include "http/origin.h"

#include <event2/buffer.h>
#include <sys/socket.h>

#define LINGER_MS        5000
#define REQUESTS_A_VISIT 32 /* of one connection, for the others' sake */
#define LINGER_BYTES     (4 * 1024 * 1024)

/* --- requests --- */

void connection_idle(struct connection *c)
{
    c->state = CONN_IDLE;
    c->deadline_ms = loop_mono_ms(c->loop) + c->loop->config->idle_timeout_ms;
}

/* A handler that returned without a decision is a bug; its client gets an answer all the same. */
static void must_have_decided(const struct connection *c, struct request *rq)
{
    if (c->request == rq && rq->phase == PHASE_RUNNING)
        request_problem(rq, &ERR_INTERNAL, "operation %s gave no answer", rq->route->operation);
}

static void run_handler(struct connection *c)
{
    struct request *rq = c->request;
    rq->phase = PHASE_RUNNING;
    rq->handled = true;
    rq->route->handle(rq);
    must_have_decided(c, rq);
}

void connection_refuse(struct connection *c, const struct err *e)
{
    c->request->phase = PHASE_COMING;
    request_fail(c->request, e);
}

static void begin_admitted(struct connection *c, struct err *e)
{
    struct request *rq = c->request;
    c->tenant = rq->tenant; /* whom its body is charged to */
    if (rq->route->flags & ROUTE_STREAM_BODY) {
        c->state = CONN_BODY;
        c->held = true; /* until the handler asks for it */
        c->held_from_ms = c->body_from_ms;
        c->body_max = rq->body_max;
        run_handler(c);
    } else if (c->state == CONN_SERVE) {
        run_handler(c);
    } else if (body_admit(c, e)) {
        connection_continue(c);
    } else {
        connection_refuse(c, e);
    }
}

/* The head is in. */
static void begin_request(struct connection *c)
{
    struct request *rq = c->request;
    struct err e = {.kind = NULL};
    request_identify(rq);
    body_begin(c);
    c->state = rq->head.framing == FRAMING_NONE ? CONN_SERVE : CONN_BODY;
    switch (admit(rq, &e)) {
    case ADMIT_HANDLE: begin_admitted(c, &e); break;
    case ADMIT_OPTIONS:
        request_allow(rq);
        origin_preflight(rq);
        request_reply(rq, 204, NULL, "", 0);
        break;
    case ADMIT_REFUSE: connection_refuse(c, &e); break;
    }
}

static bool next_input(const struct connection *c, struct evbuffer_iovec *v)
{
    v->iov_len = 0;
    return evbuffer_peek(connection_input(c), -1, NULL, v, 1) > 0 && v->iov_len > 0;
}

static void consume(struct connection *c, size_t n)
{
    counter_add(&c->loop->stats.bytes_in, n);
    evbuffer_drain(connection_input(c), n);
}

static bool step_head(struct connection *c)
{
    struct evbuffer_iovec v;
    if (connection_backlog(c) > BACKLOG_MAX || !next_input(c, &v))
        return false;
    if (c->state == CONN_IDLE && (c->begun == REQUESTS_A_VISIT || (c->begun && fair_over(c)))) {
        fair_queue(c);
        return false;
    }
    if (c->state == CONN_IDLE) {
        c->begun++;
        c->request = request_take(c->loop, c);
        c->state = CONN_HEAD;
        c->served = true;
        c->deadline_ms = loop_mono_ms(c->loop) + c->loop->config->header_timeout_ms;
    }
    struct err e;
    size_t used;
    enum head_result result = head_feed(&c->request->head, v.iov_base, v.iov_len, &used, &e);
    consume(c, used);
    if (result == HEAD_DONE) {
        begin_request(c);
    } else if (result == HEAD_BAD) {
        c->last = true;
        request_identify(c->request);
        connection_refuse(c, &e);
    }
    return true;
}

static bool step_body(struct connection *c)
{
    struct evbuffer_iovec v;
    struct err e;
    if (body_complete(c)) {
        connection_body_done(c);
        return true;
    }
    if (!next_input(c, &v))
        return false;
    size_t used;
    enum body_result result = body_feed(c, v.iov_base, v.iov_len, &used, &e);
    consume(c, used);
    if (result == BODY_DONE)
        connection_body_done(c);
    else if (result == BODY_BAD)
        connection_body_bad(c, &e);
    return true;
}

static bool step_linger(struct connection *c)
{
    size_t n = evbuffer_get_length(connection_input(c));
    consume(c, n);
    c->lingered += n;
    if (c->lingered > LINGER_BYTES)
        connection_kill(c);
    return false;
}

static bool step(struct connection *c)
{
    switch (c->state) {
    case CONN_HANDSHAKE: return connection_handshake(c);
    case CONN_IDLE:
    case CONN_HEAD: return step_head(c);
    case CONN_BODY: return !c->held && step_body(c);
    case CONN_DROP: return step_body(c);
    case CONN_LINGER: return step_linger(c);
    default: return false;
    }
}

/* The last reply is out. If the client still sends, closing now would make its kernel throw the
 * answer away: end our side only and read on for a while. */
static void finish(struct connection *c)
{
    if (!c->linger && evbuffer_get_length(connection_input(c)) == 0) {
        connection_kill(c);
        return;
    }
    shutdown(c->fd, SHUT_WR);
    c->state = CONN_LINGER;
    c->deadline_ms = loop_mono_ms(c->loop) + LINGER_MS;
    step_linger(c);
}

/* The client had ended its side, and nothing of what came before waits any more. */
static bool is_through(const struct connection *c)
{
    return c->ended && !c->queued_up && c->state != CONN_SERVE &&
           connection_backlog(c) <= BACKLOG_MAX;
}

void connection_process(struct connection *c)
{
    if (c->processing)
        return;
    c->processing = true;
    c->begun = 0;
    while (step(c) || connection_unseal(c))
        ;
    c->processing = false;
    if (c->state == CONN_FLUSH || c->ended)
        connection_flush(c);
    if (c->state == CONN_FLUSH && connection_backlog(c) == 0)
        connection_say_end(c);
    if (c->state == CONN_FLUSH && connection_backlog(c) == 0)
        finish(c);
    if (is_through(c))
        connection_ended(c);
    connection_pace(c);
}

void connection_body_done(struct connection *c)
{
    struct request *rq = c->request;
    if (c->state == CONN_DROP) {
        connection_idle(c);
    } else if (c->state == CONN_BODY) {
        c->state = CONN_SERVE;
        if (!rq->handled) {
            run_handler(c);
            return;
        }
        rq->phase = PHASE_RUNNING;
        rq->gone = NULL;
        rq->end(rq);
        must_have_decided(c, rq);
    }
}

void connection_body_bad(struct connection *c, const struct err *e)
{
    struct request *rq = c->request;
    c->last = true;
    if (c->state != CONN_BODY) { /* answered already; let the client read that */
        c->state = CONN_FLUSH;
        c->linger = true;
        return;
    }
    if (rq->gone)
        rq->gone(rq);
    rq->gone = NULL;
    connection_refuse(c, e);
}

void connection_continue(struct connection *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (c->continued)
        return;
    c->continued = true;
    if (evbuffer_get_length(connection_input(c)) == 0)
        connection_put(c, text, sizeof text - 1);
}

void request_read_body(struct request *rq,
                       void (*piece)(struct request *rq, const char *data, size_t len),
                       void (*end)(struct request *rq), void (*gone)(struct request *rq))
{
    struct connection *c = rq->conn;
    rq->phase = PHASE_READING;
    rq->piece = piece;
    rq->end = end;
    rq->gone = gone;
    if (!c) { /* left while the request was deferred */
        request_abandon(rq);
        return;
    }
    connection_continue(c);
    request_hold_body(rq, false);
}

void request_hold_body(struct request *rq, bool hold)
{
    struct connection *c = rq->conn;
    if (!c || c->state != CONN_BODY || c->held == hold)
        return;
    int64_t now = loop_mono_ms(c->loop);
    if (hold)
        c->held_from_ms = now;
    else
        c->body_from_ms += now - c->held_from_ms; /* the client's clock stood still */
    c->held = hold;
    if (!hold)
        connection_process(c);
}

/* --- replies --- */

bool connection_ends(const struct connection *c)
{
    if (c->last || c->loop->draining || !c->request->head.keep_alive)
        return true;
    return c->state == CONN_BODY && !body_complete(c) && !body_droppable(c);
}

void connection_replied(struct connection *c, bool close)
{
    bool unread = c->state == CONN_BODY && !body_complete(c);
    const struct request *rq = c->request;
    c->request = NULL;
    c->tenant = rq->tenant;
    c->held = false;
    if (close) {
        c->state = CONN_FLUSH;
        c->linger = unread || c->last;
    } else if (unread) {
        c->state = CONN_DROP;
        c->body_max = rq->handled ? rq->body_max : c->body_seen + BODY_DROP_MAX;
    } else {
        connection_idle(c);
    }
}
