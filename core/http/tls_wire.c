/* TLS between a connection's bufferevent, which carries ciphertext, and its requests. */
#include "http/connection.h"
#include "http/errors.h"
#include "http/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define SEAL_MAX (256 * 1024) /* sealed at once, so that a large reply is not there twice */

/* --- handshakes: the oldest gives way where too many are under way --- */

static void enlist(struct connection *c)
{
    struct loop *l = c->loop;
    c->newer = NULL;
    c->older = l->handshakes;
    if (c->older)
        c->older->newer = c;
    else
        l->handshakes_last = c;
    l->handshakes = c;
    l->n_handshakes++;
}

void connection_leave_handshake(struct connection *c)
{
    struct loop *l = c->loop;
    if (c->state != CONN_HANDSHAKE)
        return;
    if (c->newer)
        c->newer->older = c->older;
    else
        l->handshakes = c->older;
    if (c->older)
        c->older->newer = c->newer;
    else
        l->handshakes_last = c->newer;
    c->newer = c->older = NULL;
    l->n_handshakes--;
}

static void fail_handshake(struct connection *c, const char *why)
{
    log_event(LOG_DEBUG, "handshake_failed", "\"peer\":\"%s\",\"reason\":\"%s\"", c->peer, why);
    connection_kill(c);
}

void connection_expect_handshake(struct connection *c)
{
    struct loop *l = c->loop;
    const struct http_config *config = l->config;
    c->state = CONN_HANDSHAKE;
    c->deadline_ms =
        loop_mono_ms(l) + (l->draining ? FIRST_REQUEST_MS : config->handshake_timeout_ms);
    enlist(c);
    if (l->n_handshakes > config->handshakes_max / config->threads + 1)
        fail_handshake(l->handshakes_last, "made to give way");
}

/* --- what came --- */

/* Somebody says plain HTTP to us. No record of TLS begins with a letter. */
static bool is_plain(struct evbuffer *in)
{
    char first;
    return evbuffer_copyout(in, &first, 1) == 1 && first >= 'A' && first <= 'Z';
}

/* What the call at hand has left to be sent. */
static void send_cipher(struct connection *c)
{
    struct bytes *cipher = &c->loop->cipher;
    connection_send_raw(c, cipher->data, cipher->len);
    bytes_clear(cipher);
}

/* The session is made when the client has said something: whoever only connects costs little. */
static bool begin(struct connection *c, struct evbuffer *in)
{
    c->tls = tls_session_new(c->loop->config->tls, in);
    c->plain = c->tls ? evbuffer_new() : NULL;
    return c->plain != NULL;
}

static bool handshake_done(struct connection *c)
{
    struct loop *l = c->loop;
    connection_leave_handshake(c);
    counter_add(&l->stats.handshakes, 1);
    c->certificate = tls_certificate(c->tls);
    connection_idle(c);
    if (l->draining)
        c->deadline_ms = loop_mono_ms(l) + FIRST_REQUEST_MS;
    return true;
}

bool connection_handshake(struct connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    if (evbuffer_get_length(in) == 0)
        return false;
    if (!c->tls && is_plain(in)) {
        connection_leave_handshake(c);
        connection_idle(c);
        connection_turn_away(c, &HTTP_MALFORMED, "this address speaks TLS: use https://");
        return true;
    }
    if (!c->tls && !begin(c, in)) {
        fail_handshake(c, "no memory");
        return false;
    }
    enum tls_result result = tls_handshake(c->tls, &c->loop->cipher);
    send_cipher(c);
    if (c->state == CONN_DEAD)
        return false;
    if (result == TLS_DONE)
        return handshake_done(c);
    if (result != TLS_MORE)
        fail_handshake(c, tls_reason(c->tls));
    return false;
}

bool connection_unseal(struct connection *c)
{
    if (!c->tls || c->ended || c->state == CONN_DEAD || c->state == CONN_HANDSHAKE)
        return false;
    if (evbuffer_get_length(c->plain) >= INPUT_MAX)
        return false;
    enum tls_result result = tls_read(c->tls, c->plain, INPUT_MAX, &c->loop->cipher);
    send_cipher(c);
    if (c->state == CONN_DEAD)
        return false;
    if (result == TLS_END)
        connection_ended(c);
    else if (result == TLS_BAD)
        connection_kill(c);
    return result == TLS_DONE;
}

/* --- what goes --- */

void connection_seal(struct connection *c, const char *data, size_t len,
                     void (*pass)(struct connection *c, const char *data, size_t len))
{
    struct bytes *cipher = &c->loop->cipher;
    while (len > 0 && c->state != CONN_DEAD) {
        size_t n = len < SEAL_MAX ? len : SEAL_MAX;
        if (!tls_write(c->tls, data, n, cipher)) {
            bytes_clear(cipher);
            connection_kill(c);
            return;
        }
        pass(c, cipher->data, cipher->len);
        bytes_clear(cipher);
        data += n;
        len -= n;
    }
}

void connection_say_end(struct connection *c)
{
    if (!c->tls)
        return;
    tls_end(c->tls, &c->loop->cipher);
    send_cipher(c);
}
