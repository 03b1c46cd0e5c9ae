#include "http/reply.h"

#include "http/connection.h"
#include "http/errors.h"
#include "http/origin.h"
#include "http/status.h"

#include <stdio.h>
#include <string.h>

#define JSON_TYPE "application/json; charset=utf-8"
#define HEAD_ROOM 512 /* status line, date and our own headers without the texts of others */

static char *put(char *p, const void *text, size_t len)
{
    memcpy(p, text, len);
    return p + len;
}
#define PUT(p, literal) put(p, literal, sizeof literal - 1)

static char *put_uint(char *p, uint64_t n)
{
    char digits[20];
    size_t len = 0;
    do
        digits[sizeof digits - ++len] = (char)('0' + n % 10);
    while (n /= 10);
    return put(p, digits + sizeof digits - len, len);
}

static char *put_length(char *p, int64_t length)
{
    if (length == REPLY_CHUNKED)
        return PUT(p, "Transfer-Encoding: chunked\r\n");
    if (length == REPLY_UNTIL_EOF)
        return p;
    p = PUT(p, "Content-Length: ");
    p = put_uint(p, (uint64_t)length);
    return PUT(p, "\r\n");
}

void reply_put_head(struct request *rq, struct bytes *out, int status, const char *type,
                    int64_t length, bool close)
{
    size_t line_len, id_len = strlen(rq->id), type_len = type ? strlen(type) : 0;
    const char *line = status_line(status, &line_len);
    bool quiet = !rq->loop->config->cors_origins && (!type || *type != 't'); /* as most are */
    size_t room = HEAD_ROOM + id_len + type_len + rq->headers.len + (quiet ? 0 : origin_room(rq));
    char *start = bytes_room(out, room), *p = start;
    if (!p)
        return;
    p = put(p, line, line_len);
    p = put(p, rq->loop->date, 37);
    if (type) {
        p = PUT(p, "Content-Type: ");
        p = put(p, type, type_len);
        p = PUT(p, "\r\n");
    }
    if (status != 204 && status != 304)
        p = put_length(p, length);
    p = PUT(p, "X-Request-Id: ");
    p = put(p, rq->id, id_len);
    p = PUT(p, "\r\n");
    if (close)
        p = PUT(p, "Connection: close\r\n");
    else if (rq->head.minor == 0)
        p = PUT(p, "Connection: keep-alive\r\n");
    if (rq->headers.len)
        p = put(p, rq->headers.data, rq->headers.len);
    if (!quiet)
        p = origin_put(rq, type, p);
    p = PUT(p, "\r\n");
    out->len += (size_t)(p - start);
}

void request_add_header(struct request *rq, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n"))
        return;
    size_t before = rq->headers.len;
    if (!(bytes_text(&rq->headers, name) && bytes_text(&rq->headers, ": ") &&
          bytes_text(&rq->headers, value) && bytes_text(&rq->headers, "\r\n"))) {
        rq->headers.len = before; /* whole lines only */
        log_text(LOG_ERROR, "reply_headers_full", name);
    }
}

static void send_reply(struct request *rq, int status, const char *type, const void *body,
                       size_t len)
{
    struct connection *c = rq->conn;
    loop_mono_ns(rq->loop); /* the date is made when the time is read */
    bool close = connection_ends(c);
    reply_put_head(rq, connection_out(c), status, len ? type : NULL, (int64_t)len, close);
    if (len && rq->head.method != METHOD_HEAD && status != 204 && status != 304)
        connection_put(c, body, len);
    if (c->state != CONN_DEAD)
        connection_replied(c, close);
}

void request_reply(struct request *rq, int status, const char *type, const void *body, size_t len)
{
    if (rq->phase == PHASE_REPLIED || rq->phase == PHASE_STREAM) {
        log_text(LOG_ERROR, "second_reply", rq->route ? rq->route->operation : "");
        return;
    }
    /* Answers to changes always go: their clients must hear how it went. */
    if (request_method(rq) == METHOD_GET && loop_overloaded(rq->loop, len)) {
        bytes_clear(&rq->headers);
        request_problem(rq, &ERR_BUSY, "too many replies wait for clients that read slowly");
        return;
    }
    if (!type)
        type = JSON_TYPE;
    rq->phase = PHASE_REPLIED;
    struct connection *c = rq->conn;
    if (c && c->state != CONN_DEAD)
        send_reply(rq, status, type, body, len);
    if (rq->on_reply)
        rq->on_reply(rq, status, rq->headers.len ? rq->headers.data : "", type, body, len,
                     rq->on_reply_ctx);
    if (c && c->request == rq)
        c->request = NULL; /* it died before or while the reply was sent */
    request_end(rq, status, rq->head.method == METHOD_HEAD ? 0 : len);
    if (c && c->state != CONN_DEAD && !c->processing)
        connection_process(c);
}

void request_reply_json(struct request *rq, int status, struct bytes *body)
{
    if (body->full)
        request_problem(rq, &ERR_INTERNAL, "the answer is larger than %zu bytes", body->max);
    else
        request_reply(rq, status, NULL, body->data, body->len);
    bytes_release(body);
}

/* Is the entity tag in the If-None-Match list? Weak comparison (RFC 9110, 8.8.3.2). */
static bool tag_matches(const char *list, const char *tag)
{
    size_t len = strlen(tag);
    while (*list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        size_t n = strcspn(list, ",");
        size_t trimmed = n;
        while (trimmed && (list[trimmed - 1] == ' ' || list[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed == len && memcmp(list, tag, len) == 0)
            return true;
        list += n;
    }
    return false;
}

static void entity_tag(struct request *rq, int64_t revision, char tag[24])
{
    snprintf(tag, 24, "\"%lld\"", (long long)revision);
    request_add_header(rq, "ETag", tag);
}

void request_reply_entity(struct request *rq, int status, int64_t revision, const char *json,
                          size_t len)
{
    char tag[24];
    entity_tag(rq, revision, tag);
    const char *have =
        request_method(rq) == METHOD_GET ? request_header(rq, "If-None-Match") : NULL;
    if (have && status == 200 && tag_matches(have, tag))
        request_reply(rq, 304, NULL, "", 0);
    else
        request_reply(rq, status, NULL, json, len);
}

void request_reply_found(struct request *rq, int64_t revision, const char *json, size_t len)
{
    char tag[24];
    entity_tag(rq, revision, tag);
    request_reply(rq, 200, NULL, json, len);
}
