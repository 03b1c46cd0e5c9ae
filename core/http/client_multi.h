/* client_multi: many requests to other servers at once, by libcurl, on one thread that must not
 * wait for any of them. Room: http. Threads: opened on [main] while it is alone; then one owner.
 *
 * As http/client.h: no redirect is followed, http and https only, certificates are checked. No
 * proxy is used, whatever the environment says. Connections are kept and used again. Unless told
 * otherwise it connects to public addresses only: each address a name resolves to is looked at when
 * the socket is made, so that no name, whatever its resolver says the second time, leads into the
 * own network. */
#ifndef PADDOCK_HTTP_CLIENT_MULTI_H
#define PADDOCK_HTTP_CLIENT_MULTI_H

#include "base/err.h"
#include "http/client.h"

#include <stdbool.h>
#include <stdint.h>

struct http_multi;

struct http_outcome {
    int status;             /* 0: no answer, see `why` */
    unsigned retry_after_s; /* as the answer says; 0: it does not */
    int64_t took_ms;
    char why[256];
};

struct http_multi *http_multi_open(bool allow_private, struct err *e) MUST_CHECK;
/* Requests under way are told that they were called off. NULL is allowed. */
void http_multi_close(struct http_multi *m);
/* Begin a call. Its body must live until `done`, which is called once by http_multi_wait() or
 * _close(), never by this. An answer is there when its headers are: its body is not kept, and ended
 * after 64 KiB or a second. False: not begun. */
bool http_multi_send(struct http_multi *m, const struct http_call *call,
                     void (*done)(void *ctx, const struct http_outcome *o), void *ctx,
                     struct err *e) MUST_CHECK;
/* Carry on, and wait up to `timeout_ms` for something to happen, also on `fd`. */
void http_multi_wait(struct http_multi *m, int fd, int timeout_ms);

#endif
