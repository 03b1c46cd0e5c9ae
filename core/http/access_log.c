#include "http/access_log.h"

#include "base/json.h"
#include "http/loop_impl.h"

#include <string.h>

#define FLUSH_AT        8192 /* what a busy loop writes at once; see loop_turn_end() */
#define PATH_MAX_LOGGED 1024

/* No printf here: this runs once per request. Everything but the texts that go through
 * json_put_string is known to need no escape. */
#define PUT(b, literal) bytes_add(b, literal, sizeof literal - 1)

static void put_path(struct bytes *b, const struct head *h)
{
    size_t len = h->path_len < PATH_MAX_LOGGED ? h->path_len : PATH_MAX_LOGGED;
    PUT(b, ",\"path\":");
    json_put_stringn(b, h->path, len);
}

static void put_actor(struct bytes *b, const struct request *rq)
{
    PUT(b, ",\"actor\":");
    if (rq->actor_id[0]) {
        char text[256]; /* kind:id, cut */
        size_t kind = strnlen(rq->actor_kind, 64), id = strnlen(rq->actor_id, 160);
        memcpy(text, rq->actor_kind, kind);
        text[kind] = ':';
        memcpy(text + kind + 1, rq->actor_id, id);
        json_put_stringn(b, text, kind + 1 + id);
    } else {
        json_put_string(b, rq->actor_kind);
    }
}

void access_log_line(struct request *rq, int status, size_t bytes, int64_t took_ns)
{
    if (!log_wants(status >= 500 ? LOG_ERROR : LOG_INFO))
        return;
    struct loop *l = rq->loop;
    struct bytes *b = &l->log.bytes;
    const struct head *h = &rq->head;
    PUT(b, "{\"time\":\"");
    bytes_add(b, loop_time_text(l), TIME_TEXT_SIZE - 1);
    if (status >= 500)
        PUT(b, "\",\"level\":\"error\",\"event\":\"request\",\"request_id\":");
    else
        PUT(b, "\",\"level\":\"info\",\"event\":\"request\",\"request_id\":");
    json_put_string(b, rq->id);
    const char *trace = request_traceparent(rq);
    if (trace) {
        PUT(b, ",\"traceparent\":\"");
        bytes_add(b, trace, 55);
        PUT(b, "\"");
    }
    if (h->target) {
        PUT(b, ",\"method\":\"");
        bytes_text(b, method_name(h->method));
        PUT(b, "\"");
    }
    if (rq->route) {
        PUT(b, ",\"route\":\"");
        bytes_text(b, rq->route->path);
        PUT(b, "\"");
    }
    if (h->path)
        put_path(b, h);
    PUT(b, ",\"status\":");
    bytes_uint(b, (uint64_t)status);
    PUT(b, ",\"duration_us\":");
    bytes_uint(b, took_ns > 0 ? (uint64_t)took_ns / 1000 : 0);
    PUT(b, ",\"bytes\":");
    bytes_uint(b, bytes);
    put_actor(b, rq);
    PUT(b, ",\"peer\":\"");
    bytes_text(b, rq->peer);
    PUT(b, "\"}\n");
    if (b->len >= FLUSH_AT)
        log_buffer_flush(&l->log);
}
