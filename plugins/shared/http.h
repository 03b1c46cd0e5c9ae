/* http: calls to one HTTP server, from several threads, over connections that are kept open.
 * Plugin code, shared by compiling it in; needs libcurl.
 *
 * Only http and https, no redirects, no proxy of the environment, certificates always checked. An
 * answer larger than `max_bytes` is refused while it comes in. */
#ifndef PADDOCK_PLUGINS_HTTP_H
#define PADDOCK_PLUGINS_HTTP_H

#include "text.h"

/* Borrowed until http_free(). */
struct http_settings {
    const char *url;     /* base; paths are appended */
    const char *header;  /* one more request header, "Authorization: Bearer x"; NULL: none */
    const char *ca_file; /* certificates to trust instead of the system's; NULL: the system's */
    uint64_t connect_ms, max_bytes;
};

struct http;

/* A reply that came, whatever its status. */
struct http_reply {
    long status;
    struct text body; /* zero it, and text_free() it */
};

/* NULL after paddock_fail() with PADDOCK_E_CONFIG if the URL is none that it calls. [main] */
struct http *http_new(paddock_call *c, const struct http_settings *settings);
void http_free(struct http *h);

/* GET, or POST of JSON where `body` is given, and wait for the reply, until c->deadline_ns. False
 * after paddock_fail(): nobody there, no TLS, no answer, none in time, too much. [any] */
bool http_call(struct http *h, paddock_call *c, const char *path, const struct text *body,
               struct http_reply *reply);

/* Append a segment of a path, percent-encoded. */
void http_put_segment(struct text *path, const char *segment);

#endif
