#include "http/body.h"

#include "http/errors.h"
#include "http/server_impl.h"

#include <string.h>

#define DIRECT_MAX ((size_t)128 << 10) /* asked of the kernel at once: 0.1 ms if all is new */
#define PIECE_MAX  16384  /* for a handler: what it makes of it (records) takes 0.1 ms */
#define STEP_MAX   262144 /* of the budget, taken at once by a loop */

/* --- the budget: loops take it in steps, so that they seldom meet at one counter --- */

static size_t step(const struct loop *l)
{
    size_t n = l->config->body_budget / 64;
    return n > STEP_MAX ? STEP_MAX : n ? n : 1;
}

static bool charge(struct request *rq, size_t n, struct err *e)
{
    struct loop *l = rq->loop;
    size_t held = l->body_held + n;
    if (held > l->body_reserved) {
        size_t more = held - l->body_reserved, unit = step(l);
        more = (more + unit - 1) / unit * unit;
        if (!server_reserve(l->server, more))
            return fail(e, &ERR_BUSY, "too many request bodies are under way; try again");
        l->body_reserved += more;
    }
    l->body_held = held;
    rq->body_charged += n;
    atomic_store_explicit(&l->stats.body_bytes, held, memory_order_relaxed);
    return true;
}

void body_discharge(struct request *rq)
{
    struct loop *l = rq->loop;
    if (!rq->body_charged)
        return;
    l->body_held -= rq->body_charged;
    rq->body_charged = 0;
    atomic_store_explicit(&l->stats.body_bytes, l->body_held, memory_order_relaxed);
    size_t spare = l->body_reserved - l->body_held, unit = step(l);
    if (spare >= 2 * unit) { /* one step is kept for the next body */
        size_t back = spare / unit * unit - unit;
        l->body_reserved -= back;
        server_unreserve(l->server, back);
    }
}

/* --- where the bytes go --- */

static bool to_handler(const struct connection *c)
{
    return c->request && c->request->route->flags & ROUTE_STREAM_BODY;
}

static bool accept_bytes(struct connection *c, const char *data, size_t n, struct err *e)
{
    struct request *rq = c->request;
    c->body_seen += n;
    if (c->body_seen > c->body_max)
        return fail(e, &HTTP_BODY_TOO_LARGE, "the body may have at most %llu bytes",
                    (unsigned long long)c->body_max);
    if (!rq) /* answered already */
        return true;
    if (!charge(rq, n, e)) /* what a handler makes of its pieces is memory, too, until the reply */
        return false;
    if (!to_handler(c))
        return bytes_add(&rq->body, data, n);
    if (n)
        rq->piece(rq, data, n);
    return true;
}

void body_begin(struct connection *c)
{
    struct request *rq = c->request;
    c->framing = rq->head.framing;
    c->body_seen = 0;
    c->body_left = rq->head.content_length;
    c->held = false;
    c->continued = !rq->head.known[KNOWN_EXPECT] || rq->head.minor == 0;
    c->body_from_ms = loop_mono_ms(c->loop);
    chunked_init(&c->chunked);
}

bool body_admit(struct connection *c, struct err *e)
{
    struct request *rq = c->request;
    c->body_max = rq->body.max = rq->body_max;
    if (!charge(rq, 1, e)) /* its first byte */
        return false;
    body_discharge(rq);
    return true;
}

bool body_complete(const struct connection *c)
{
    return c->framing == FRAMING_NONE || (c->framing == FRAMING_LENGTH && c->body_left == 0);
}

static enum body_result feed_chunked(struct connection *c, const char *data, size_t len,
                                     size_t *used, struct err *e)
{
    enum chunked_result result = CHUNKED_DATA;
    *used = 0;
    while (result == CHUNKED_DATA && *used < len && c->state != CONN_DEAD &&
           c->state != CONN_FLUSH) {
        const char *piece;
        size_t n, piece_len;
        result = chunked_feed(&c->chunked, data + *used, len - *used, &n, &piece, &piece_len, e);
        *used += n;
        if (result == CHUNKED_DATA && !accept_bytes(c, piece, piece_len, e))
            result = CHUNKED_BAD;
    }
    return result == CHUNKED_BAD ? BODY_BAD : result == CHUNKED_DONE ? BODY_DONE : BODY_MORE;
}

enum body_result body_feed(struct connection *c, const char *data, size_t len, size_t *used,
                           struct err *e)
{
    if (c->framing == FRAMING_CHUNKED)
        return feed_chunked(c, data, len, used, e);
    *used = len < c->body_left ? len : (size_t)c->body_left;
    c->body_left -= *used;
    if (!accept_bytes(c, data, *used, e))
        return BODY_BAD;
    return c->body_left ? BODY_MORE : BODY_DONE;
}

/* How many of the bytes to come are certainly data of this body. */
static uint64_t certain(const struct connection *c)
{
    return c->framing == FRAMING_CHUNKED ? chunked_data_left(&c->chunked) : c->body_left;
}

char *body_direct(struct connection *c, size_t *room)
{
    struct request *rq = c->request;
    uint64_t left = certain(c);
    if (c->held || left == 0)
        return NULL;
    if (rq && c->framing == FRAMING_LENGTH && !to_handler(c)) {
        *room = left < DIRECT_MAX ? (size_t)left : DIRECT_MAX;
        return bytes_room(&rq->body, *room); /* never NULL: the length was checked */
    }
    const size_t most = to_handler(c) ? PIECE_MAX : SCRATCH_BYTES;
    *room = left < most ? (size_t)left : most;
    return c->loop->scratch;
}

enum body_result body_received(struct connection *c, const char *at, size_t n, struct err *e)
{
    struct request *rq = c->request;
    if (at == c->loop->scratch) {
        size_t used;
        return body_feed(c, at, n, &used, e);
    }
    if (!charge(rq, n, e))
        return BODY_BAD;
    rq->body.len += n;
    rq->body.data[rq->body.len] = '\0';
    c->body_seen += n;
    c->body_left -= n;
    return c->body_left ? BODY_MORE : BODY_DONE;
}

bool body_droppable(const struct connection *c)
{
    const struct request *rq = c->request;
    if (!c->continued)
        return false;
    if (rq->handled) /* an early answer of a handler that reads piece by piece */
        return true;
    return c->framing == FRAMING_LENGTH && c->body_left <= BODY_DROP_MAX;
}
