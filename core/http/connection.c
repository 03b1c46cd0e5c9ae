#include "http/connection.h"

#include "base/mem.h"
#include "http/address.h"
#include "http/errors.h"
#include "http/server_impl.h"
#include "http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SINGLE_MAX  (256 * 1024) /* moved by one read or write of the bufferevent */
#define PIECE       (16 * 1024)  /* read at once without TLS */
#define REFUSED_MAX 64           /* connections over the cap that get an answer, per loop */

struct evbuffer *connection_input(const struct connection *c)
{
    return c->plain ? c->plain : bufferevent_get_input(c->bev);
}

void connection_ended(struct connection *c)
{
    if (c->queued_up || (c->ended && c->state == CONN_SERVE)) {
        c->ended = true; /* whole requests came before: connection_process() comes back to it */
        return;
    }
    connection_flush(c);
    if (connection_backlog(c) > 0 && (c->state == CONN_IDLE || c->state == CONN_FLUSH)) {
        c->state = CONN_FLUSH; /* it has only ended its side, and may still read the last reply */
        c->linger = false;
        evbuffer_drain(connection_input(c), SIZE_MAX);
        return;
    }
    connection_kill(c);
}

/* --- events --- */

/* Not by the bufferevent's own watermark: where input stays above that, libevent 2.1 queues a
 * callback of its own, and bufferevent_priority_set() writes another priority into it while it is
 * queued. It is then taken out of a queue in which it is not: what becomes active afterwards gets
 * lost, and the loop waits for nobody. */
void connection_pace(struct connection *c)
{
    struct evbuffer *in = c->readable ? c->plain : bufferevent_get_input(c->bev);
    bool full = evbuffer_get_length(in) >= INPUT_MAX;
    if (full == c->full || c->ended || c->state == CONN_DEAD)
        return;
    c->full = full;
    if (c->readable && full)
        event_del(c->readable);
    else if (c->readable)
        event_add(c->readable, NULL);
    else if (full)
        bufferevent_disable(c->bev, EV_READ);
    else
        bufferevent_enable(c->bev, EV_READ);
}

static void arrived(struct connection *c)
{
    if (c->queued_up) { /* in turn */
        connection_pace(c);
        return;
    }
    fair_begin(c);
    connection_process(c);
    connection_read_direct(c);
    connection_process(c);
    fair_end(c);
}

static void on_readable(struct bufferevent *bev, void *arg)
{
    (void)bev;
    arrived(arg);
}

/* A bufferevent would ask the kernel how much there is before it reads, which is a fifteenth of all
 * that a small request costs. */
static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct connection *c = arg;
    char piece[PIECE];
    ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n > 0 && evbuffer_add(c->plain, piece, (size_t)n) == 0) {
        arrived(c);
        return;
    }
    event_del(c->readable); /* its end stays readable for ever */
    if (n == 0)
        connection_ended(c);
    else
        connection_kill(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct connection *c = arg;
    struct request *rq = c->request;
    fair_begin(c);
    if (rq && rq->phase == PHASE_STREAM && rq->stream.pending &&
        connection_backlog(c) < BACKLOG_LOW) {
        rq->stream.pending = false;
        if (rq->stream.events.drained)
            rq->stream.events.drained(&rq->stream, rq->stream.ctx);
    }
    if (!c->queued_up)
        connection_process(c);
    fair_end(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct connection *c = arg;
    if (what & BEV_EVENT_EOF && !(what & BEV_EVENT_ERROR))
        connection_ended(c);
    else
        connection_kill(c);
}

/* --- life --- */

static void name_peer(struct connection *c, const struct sockaddr *peer)
{
    c->peer[0] = '\0';
    if (peer->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, c->peer, sizeof c->peer);
    else if (peer->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, c->peer,
                  sizeof c->peer);
}

static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *c = arg;
    (void)output;
    c->loop->unsent += info->n_added - info->n_deleted;
}

static struct bufferevent *open_wire(struct connection *c)
{
    struct bufferevent *bev = bufferevent_socket_new(c->loop->base, c->fd, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        return NULL;
    c->direct = !c->loop->config->tls;
    bufferevent_setcb(bev, on_readable, on_written, on_event, c);
    evbuffer_add_cb(bufferevent_get_output(bev), on_output, c);
    bufferevent_set_max_single_read(bev, SINGLE_MAX);
    bufferevent_set_max_single_write(bev, SINGLE_MAX);
    bufferevent_setwatermark(bev, EV_WRITE, BACKLOG_LOW, 0);
    return bev;
}

/* Begin to read. */
static bool listen_to(struct connection *c)
{
    if (!c->direct)
        return bufferevent_enable(c->bev, EV_READ) == 0;
    c->plain = evbuffer_new();
    c->readable = event_new(c->loop->base, c->fd, EV_READ | EV_PERSIST, on_socket, c);
    return c->plain && c->readable && event_add(c->readable, NULL) == 0;
}

/* What it holds of libevent; the socket is closed by that. */
static void close_wire(struct connection *c)
{
    if (c->readable)
        event_free(c->readable);
    if (c->plain)
        evbuffer_free(c->plain);
    bufferevent_free(c->bev);
}

void connection_turn_away(struct connection *c, const struct err_kind *kind, const char *why)
{
    struct err e;
    c->last = true;
    c->request = request_take(c->loop, c);
    request_identify(c->request);
    fail(&e, kind, "%s", why);
    connection_refuse(c, &e);
}

static void say_no(struct connection *c, enum server_admission why)
{
    if (why == CROWDED)
        connection_turn_away(c, &HTTP_RATE_LIMITED,
                             "this address has as many connections as it may have");
    else
        connection_turn_away(c, &ERR_BUSY,
                             "the server has as many connections as it takes; try again");
}

void connection_open(struct loop *l, int fd, const struct sockaddr *peer)
{
    uint64_t address = address_number(peer);
    enum server_admission admission = server_admit(l->server, address);
    bool refused = admission != ADMITTED;
    counter_add(refused ? &l->stats.refused : &l->stats.accepted, 1);
    if (refused && (l->n_refused == REFUSED_MAX || l->config->tls)) { /* no handshake for a no */
        close(fd);
        return;
    }
    struct connection *c = mem_zero(1, sizeof *c);
    c->loop = l;
    c->fd = fd;
    c->refused = refused;
    c->address = address;
    name_peer(c, peer);
    c->bev = open_wire(c);
    if (!c->bev || !listen_to(c)) {
        if (!refused)
            server_leave(l->server, address);
        if (c->bev)
            close_wire(c);
        else
            close(fd);
        free(c);
        return;
    }
    c->next = l->connections;
    if (c->next)
        c->next->prev = c;
    l->connections = c;
    l->n_connections++;
    l->n_refused += refused;
    atomic_store_explicit(&l->stats.open, l->n_connections, memory_order_relaxed);
    if (l->config->tls)
        connection_expect_handshake(c);
    else
        connection_idle(c);
    fair_open(c);
    if (refused)
        say_no(c, admission);
}

void connection_kill(struct connection *c)
{
    struct loop *l = c->loop;
    if (c->state == CONN_DEAD)
        return;
    counter_add(&l->stats.handshakes_failed, c->state == CONN_HANDSHAKE);
    connection_leave_handshake(c);
    fair_unqueue(c);
    c->state = CONN_DEAD;
    connection_forget_parcels(c);
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (c->readable)
        event_del(c->readable);
    c->next_doomed = l->doomed;
    l->doomed = c;
}

void connection_free(struct connection *c)
{
    struct loop *l = c->loop;
    struct request *rq = c->request;
    c->request = NULL;
    if (rq)
        request_abandon(rq);
    connection_forget_parcels(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        l->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    l->n_connections--;
    l->n_refused -= c->refused;
    atomic_store_explicit(&l->stats.open, l->n_connections, memory_order_relaxed);
    if (!c->refused)
        server_leave(l->server, c->address);
    l->unsent -= connection_backlog(c);
    evbuffer_remove_cb(bufferevent_get_output(c->bev), on_output, c);
    tls_session_free(c->tls);
    close_wire(c);
    free(c);
}
