#include "http/request.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/access_log.h"
#include "http/body.h"
#include "http/connection.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX   ((size_t)256 << 20)
#define HEADERS_MAX 32768
#define SPARE_MAX   256  /* requests kept for reuse, per loop */
#define KEEP_HEAD   8192 /* larger buffers are not kept */
#define KEEP_BODY   65536

/* --- life --- */

static struct request *request_new(const struct loop *l)
{
    struct request *rq = mem_zero(1, sizeof *rq);
    head_init(&rq->head, l->config->header_max);
    bytes_init(&rq->body, 0);
    bytes_init(&rq->headers, HEADERS_MAX);
    rq->arena = arena_new(ARENA_MAX);
    return rq;
}

void request_free(struct request *rq)
{
    head_release(&rq->head);
    bytes_release(&rq->body);
    bytes_release(&rq->headers);
    arena_free(rq->arena);
    free(rq);
}

static void begin(struct request *rq, struct loop *l, struct connection *c)
{
    rq->loop = l;
    rq->conn = c;
    rq->phase = PHASE_COMING;
    rq->handled = false;
    rq->route = NULL;
    rq->allowed = 0;
    rq->n_params = rq->n_query = 0;
    rq->path = rq->media_type = NULL;
    rq->body_charged = 0;
    rq->piece = NULL;
    rq->end = rq->gone = NULL;
    rq->id = "";
    rq->started_ns = loop_mono_ns(l);
    rq->actor_kind = "anonymous";
    rq->actor_id = "";
    rq->access = NULL;
    rq->data = NULL;
    rq->origin = NULL;
    rq->address = c->address;
    rq->tenant = 0;
    rq->on_reply = NULL;
    rq->stream.orphan = false;
    memcpy(rq->peer, c->peer, sizeof rq->peer);
}

struct request *request_take(struct loop *l, struct connection *c)
{
    struct request *rq = l->spare;
    if (rq) {
        l->spare = rq->next;
        l->n_spare--;
    } else {
        rq = request_new(l);
    }
    rq->prev = NULL;
    rq->next = l->live;
    if (l->live)
        l->live->prev = rq;
    l->live = rq;
    begin(rq, l, c);
    return rq;
}

static void shrink(struct bytes *b, size_t keep)
{
    if (b->cap > keep)
        bytes_release(b);
    else
        bytes_clear(b);
}

void request_release(struct request *rq)
{
    struct loop *l = rq->loop;
    if (rq->prev)
        rq->prev->next = rq->next;
    else
        l->live = rq->next;
    if (rq->next)
        rq->next->prev = rq->prev;
    body_discharge(rq);
    stream_adopt(rq);
    if (l->n_spare == SPARE_MAX) {
        request_free(rq);
        return;
    }
    arena_reset(rq->arena);
    head_reset(&rq->head);
    if (rq->head.raw.cap > KEEP_HEAD)
        bytes_release(&rq->head.raw);
    shrink(&rq->body, KEEP_BODY);
    shrink(&rq->headers, KEEP_HEAD);
    rq->next = l->spare;
    l->spare = rq;
    l->n_spare++;
}

void request_identify(struct request *rq)
{
    const char *given = rq->head.known[KNOWN_REQUEST_ID];
    if (given && token_printable(given, 128)) {
        rq->id = given;
        return;
    }
    ulid_make(loop_wall_ms(rq->loop), rq->id_made);
    rq->id = rq->id_made;
}

void request_end(struct request *rq, int status, size_t bytes)
{
    struct loop *l = rq->loop;
    int64_t now = clock_mono_ns(l->config->clock), took = now - rq->started_ns;
    l->fair.last_ns = now;
    size_t n;
    const struct route *table = router_table(l->router, &n);
    stats_reply(&l->stats, rq->route ? (size_t)(rq->route - table) : n, status, took);
    if (l->config->access_log)
        access_log_line(rq, status, bytes, took);
    request_release(rq);
}

void request_abandon(struct request *rq)
{
    rq->conn = NULL;
    if (!rq->gone && (rq->phase == PHASE_DEFERRED || rq->phase == PHASE_RUNNING))
        return; /* its reply will end it */
    if (rq->phase == PHASE_STREAM) {
        struct stream *s = &rq->stream;
        if (s->events.closed)
            s->events.closed(s, s->ctx);
        request_end(rq, s->status, s->sent);
        return;
    }
    if (rq->gone)
        rq->gone(rq);
    if (rq->route)
        request_end(rq, 499, 0);
    else
        request_release(rq);
}

void request_defer(struct request *rq)
{
    rq->phase = PHASE_DEFERRED;
}

void request_on_reply(struct request *rq,
                      void (*fn)(struct request *rq, int status, const char *headers,
                                 const char *type, const char *body, size_t len, void *ctx),
                      void *ctx)
{
    rq->on_reply = fn;
    rq->on_reply_ctx = ctx;
}

/* --- what came in --- */

enum http_method request_method(const struct request *rq)
{
    return rq->head.method == METHOD_HEAD ? METHOD_GET : rq->head.method;
}

const struct route *request_route(const struct request *rq)
{
    return rq->route;
}

const char *request_path(const struct request *rq)
{
    struct request *own = (struct request *)rq; /* a cache */
    if (!rq->path)
        own->path = arena_copy(rq->arena, rq->head.path ? rq->head.path : "", rq->head.path_len);
    return rq->path;
}

const char *request_target(const struct request *rq)
{
    return rq->head.target ? rq->head.target : "";
}

const char *request_param(const struct request *rq, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < rq->n_params; i++)
        if (rq->params[i].name_len == len && memcmp(rq->params[i].name, name, len) == 0)
            return rq->params[i].value;
    return "";
}

const char *request_query(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->n_query; i++)
        if (strcmp(rq->query[i].name, name) == 0)
            return rq->query[i].value;
    return NULL;
}

bool request_query_at(const struct request *rq, size_t i, const char **name, const char **value)
{
    if (i >= rq->n_query)
        return false;
    *name = rq->query[i].name;
    *value = rq->query[i].value;
    return true;
}

const char *request_header(const struct request *rq, const char *name)
{
    size_t from = 0;
    const char *value = head_find(&rq->head, name, &from), *more;
    while (value && (more = head_find(&rq->head, name, &from)))
        value = arena_printf(rq->arena, "%s, %s", value, more);
    return value;
}

const char *request_body(const struct request *rq, size_t *len)
{
    if (len)
        *len = rq->body.len;
    return rq->body.len ? rq->body.data : "";
}

const char *request_media_type(const struct request *rq)
{
    struct request *own = (struct request *)rq; /* a cache */
    const char *given = rq->head.known[KNOWN_CONTENT_TYPE];
    if (!given)
        return "";
    if (!rq->media_type) {
        size_t len = strcspn(given, "; \t");
        char *type = arena_copy(rq->arena, given, len);
        for (char *p = type; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p |= 0x20;
        own->media_type = type;
    }
    return rq->media_type;
}

const char *request_id(const struct request *rq)
{
    return rq->id;
}

static bool lower_hex(const char *text, size_t n)
{
    bool zero = true;
    for (size_t i = 0; i < n; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
        zero = zero && text[i] == '0';
    }
    return !zero;
}

/* W3C Trace Context, version 00: 00-<32>-<16>-<2>, neither identifier all zeros. */
const char *request_traceparent(const struct request *rq)
{
    const char *t = rq->head.known[KNOWN_TRACEPARENT];
    if (!t || strlen(t) != 55 || memcmp(t, "00-", 3) != 0 || t[35] != '-' || t[52] != '-')
        return NULL;
    bool flags = lower_hex(t + 53, 2) || memcmp(t + 53, "00", 2) == 0;
    return lower_hex(t + 3, 32) && lower_hex(t + 36, 16) && flags ? t : NULL;
}

const char *request_peer(const struct request *rq)
{
    return rq->peer;
}

int64_t request_started_ns(const struct request *rq)
{
    return rq->started_ns;
}

/* --- where it is --- */

struct arena *request_arena(struct request *rq)
{
    return rq->arena;
}

struct loop *request_loop(const struct request *rq)
{
    return rq->loop;
}

void *request_app(const struct request *rq)
{
    return rq->loop->config->app;
}

void request_set_actor(struct request *rq, const char *kind, const char *id)
{
    rq->actor_kind = kind;
    rq->actor_id = id;
}

const char *request_actor_kind(const struct request *rq)
{
    return rq->actor_kind;
}

const char *request_actor_id(const struct request *rq)
{
    return rq->actor_id;
}

void request_set_access(struct request *rq, const void *access)
{
    rq->access = access;
}

const void *request_access(const struct request *rq)
{
    return rq->access;
}

void request_set_data(struct request *rq, void *data)
{
    rq->data = data;
}

void *request_data(const struct request *rq)
{
    return rq->data;
}
