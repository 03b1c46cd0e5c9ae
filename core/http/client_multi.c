#include "http/client_multi.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/address.h"
#include "http/client_impl.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PER_HOST   8L
#define KEPT       64L
#define CONNECT_MS 5000L
/* An answer is its status and headers. Of its body so much is read and thrown away, that the
 * connection may be used again; one that is longer, or takes longer, costs the connection. */
#define BODY_MAX ((size_t)64 << 10)
#define BODY_MS  1000

struct http_multi {
    CURLM *curl;
    bool allow_private;
    struct transfer *first;
};

struct transfer {
    struct transfer *next, **link;
    struct http_multi *multi;
    CURL *easy;
    struct curl_slist *headers;
    void (*done)(void *ctx, const struct http_outcome *o);
    void *ctx;
    size_t got;
    int64_t answered_ms; /* when its headers had come, monotonic; 0: not yet */
    bool private;        /* an address was refused */
    char why[CURL_ERROR_SIZE];
};

static void transfer_free(struct transfer *t)
{
    if (t->link) {
        *t->link = t->next;
        if (t->next)
            t->next->link = t->link;
        curl_multi_remove_handle(t->multi->curl, t->easy);
    }
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t);
}

struct http_multi *http_multi_open(bool allow_private, struct err *e)
{
    struct http_multi *m = mem_zero(1, sizeof *m);
    m->allow_private = allow_private;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (m->curl = curl_multi_init()) &&
        curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS, PER_HOST) == CURLM_OK &&
        curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, KEPT) == CURLM_OK)
        return m;
    http_multi_close(m);
    fail(e, &ERR_INTERNAL, "libcurl cannot be used");
    return NULL;
}

static void finish(struct transfer *t, const struct http_outcome *o)
{
    void (*done)(void *, const struct http_outcome *) = t->done;
    void *ctx = t->ctx;
    transfer_free(t);
    done(ctx, o);
}

void http_multi_close(struct http_multi *m)
{
    if (!m)
        return;
    static const struct http_outcome CALLED_OFF = {.why = "called off: the server stops"};
    for (struct transfer *t = m->first, *next; t; t = next) {
        next = t->next;
        finish(t, &CALLED_OFF);
    }
    curl_multi_cleanup(m->curl);
    free(m);
}

static int64_t now_ms(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM) / 1000000;
}

/* One line of the headers; an empty one ends them, or those of a 1xx before them. */
static size_t read_header(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    long status = 0;
    if (!t->answered_ms && size * n > 0 && (*data == '\r' || *data == '\n') &&
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status >= 200)
        t->answered_ms = now_ms();
    return size * n;
}

static size_t drop_answer(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    (void)data;
    t->got += size * n;
    return t->got <= BODY_MAX ? size * n : 0;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = ctx;
    (void)purpose;
    if (!t->multi->allow_private && !address_public(&a->addr)) {
        t->private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static CURLcode prepare(struct transfer *t, const struct http_call *call)
{
    CURLcode code = client_prepare(t->easy, call, t->headers, NULL, t->why);
#define SET(option, value)                                   \
    do {                                                     \
        if (code == CURLE_OK)                                \
            code = curl_easy_setopt(t->easy, option, value); \
    } while (0)
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    SET(CURLOPT_HEADERFUNCTION, read_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, drop_answer);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_PRIVATE, t);
#undef SET
    return code;
}

bool http_multi_send(struct http_multi *m, const struct http_call *call,
                     void (*done)(void *ctx, const struct http_outcome *o), void *ctx,
                     struct err *e)
{
    struct transfer *t = mem_zero(1, sizeof *t);
    t->multi = m;
    t->done = done;
    t->ctx = ctx;
    t->easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (t->easy && client_headers(call, &t->headers))
        code = prepare(t, call);
    if (code == CURLE_OK && curl_multi_add_handle(m->curl, t->easy) == CURLM_OK) {
        t->next = m->first;
        t->link = &m->first;
        if (t->next)
            t->next->link = &t->next;
        m->first = t;
        return true;
    }
    fail(e, &ERR_INTERNAL, "%.200s: %.250s", call->url,
         code == CURLE_OK ? "libcurl takes no more" : curl_easy_strerror(code));
    transfer_free(t);
    return false;
}

static void ended(struct transfer *t, CURLcode code)
{
    struct http_outcome o = {0};
    long status = 0;
    curl_off_t retry_s = 0, took_us = 0;
    if (t->answered_ms)
        code = CURLE_OK; /* whatever became of the body */
    if (curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &took_us) == CURLE_OK)
        o.took_ms = (int64_t)took_us / 1000;
    if (code == CURLE_OK && curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        o.status = (int)status;
    if (code == CURLE_OK &&
        curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_s) == CURLE_OK && retry_s > 0)
        o.retry_after_s = retry_s < 86400 ? (unsigned)retry_s : 86400;
    if (t->private && code != CURLE_OK)
        snprintf(o.why, sizeof o.why,
                 "the address is private, loopback or link-local (see --webhook-allow-private)");
    else if (code != CURLE_OK)
        snprintf(o.why, sizeof o.why, "%.250s", *t->why ? t->why : curl_easy_strerror(code));
    finish(t, &o);
}

/* End those whose body does not; how long to wait for the next, at most `timeout_ms`. */
static int end_slow(struct http_multi *m, int timeout_ms)
{
    const int64_t now = now_ms();
    for (struct transfer *t = m->first, *next; t; t = next) {
        next = t->next;
        if (!t->answered_ms)
            continue;
        const int64_t left = t->answered_ms + BODY_MS - now;
        if (left <= 0) {
            ended(t, CURLE_OK);
            timeout_ms = 0;
        } else if (timeout_ms < 0 || left < timeout_ms) {
            timeout_ms = (int)left;
        }
    }
    return timeout_ms;
}

void http_multi_wait(struct http_multi *m, int fd, int timeout_ms)
{
    int running, left;
    struct curl_waitfd also = {.fd = fd, .events = CURL_WAIT_POLLIN};
    CURLMsg *message;
    if (curl_multi_perform(m->curl, &running) == CURLM_OK) {
        while ((message = curl_multi_info_read(m->curl, &left))) {
            struct transfer *t = NULL;
            if (message->msg == CURLMSG_DONE &&
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK && t) {
                ended(t, message->data.result);
                timeout_ms = 0; /* there may be room for the next */
            }
        }
    }
    timeout_ms = end_slow(m, timeout_ms);
    if (curl_multi_poll(m->curl, &also, 1, timeout_ms, NULL) != CURLM_OK)
        return; /* the caller calls again */
}
