/* What goes out of a connection, and the shortcuts past its bufferevent. */
#include "http/body.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#define GATHER_MAX 32768 /* larger pieces are not copied together */

size_t connection_backlog(const struct connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Send now what the kernel takes; the number of bytes, or -1 if the connection is broken. */
static ssize_t send_direct(const struct connection *c, const void *data, size_t len)
{
    if (connection_backlog(c) > 0)
        return 0;
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

static void queue_raw(struct connection *c, const char *data, size_t len)
{
    if (len == 0)
        return;
    if (connection_backlog(c) == 0)
        c->progress_ms = loop_mono_ms(c->loop);
    c->queued += len;
    counter_add(&c->loop->stats.bytes_out, len);
    bufferevent_write(c->bev, data, len);
}

void connection_queue(struct connection *c, const void *data, size_t len)
{
    if (c->tls)
        connection_seal(c, data, len, queue_raw);
    else
        queue_raw(c, data, len);
}

void connection_send_raw(struct connection *c, const char *data, size_t len)
{
    if (c->state == CONN_DEAD || len == 0)
        return;
    ssize_t n = send_direct(c, data, len);
    if (n < 0) {
        connection_kill(c);
        return;
    }
    c->queued += (size_t)n;
    counter_add(&c->loop->stats.bytes_out, (size_t)n);
    queue_raw(c, data + n, len - (size_t)n);
}

static void send_bytes(struct connection *c, const char *data, size_t len)
{
    if (c->tls)
        connection_seal(c, data, len, connection_send_raw);
    else
        connection_send_raw(c, data, len);
}

void loop_send(struct loop *l)
{
    for (size_t i = 0; i < l->n_parcels; i++) {
        const struct parcel *p = &l->parcels[i];
        size_t end = i + 1 < l->n_parcels ? p[1].from : l->out.len;
        if (p->to)
            send_bytes(p->to, l->out.data + p->from, end - p->from);
    }
    l->n_parcels = 0;
    bytes_clear(&l->out);
}

void connection_flush(struct connection *c)
{
    if (c->loop->n_parcels)
        loop_send(c->loop);
}

void connection_forget_parcels(struct connection *c)
{
    struct loop *l = c->loop;
    for (size_t i = 0; i < l->n_parcels; i++)
        if (l->parcels[i].to == c)
            l->parcels[i].to = NULL;
}

struct bytes *connection_out(struct connection *c)
{
    struct loop *l = c->loop;
    bool goes_on = l->n_parcels && l->parcels[l->n_parcels - 1].to == c;
    if (l->out.len > GATHER_MAX || (!goes_on && l->n_parcels == PARCELS_MAX)) {
        loop_send(l);
        goes_on = false;
    }
    if (!goes_on)
        l->parcels[l->n_parcels++] = (struct parcel){c, l->out.len};
    return &l->out;
}

void connection_put(struct connection *c, const void *data, size_t len)
{
    if (len <= GATHER_MAX) {
        bytes_add(connection_out(c), data, len);
        return;
    }
    connection_flush(c);
    send_bytes(c, data, len);
}

/* One read a visit, for the others' sake; it takes as much as body_direct() gives room for. */
void connection_read_direct(struct connection *c)
{
    size_t room;
    bool coming = c->direct && (c->state == CONN_BODY || c->state == CONN_DROP) &&
                  evbuffer_get_length(connection_input(c)) == 0;
    char *to = coming ? body_direct(c, &room) : NULL;
    if (!to)
        return;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            connection_kill(c); /* the client left within its request */
        return;
    }
    struct err e;
    counter_add(&c->loop->stats.bytes_in, (size_t)n);
    enum body_result result = body_received(c, to, (size_t)n, &e);
    if (result == BODY_DONE)
        connection_body_done(c);
    else if (result == BODY_BAD)
        connection_body_bad(c, &e);
}
