/* client: one request to somebody else's server, by libcurl. Room: http. Threads: any that may
 * block; never a loop. Each call is on its own.
 *
 * Follows no redirect, for a token must not be carried to where it was not meant for; speaks
 * http and https only, and checks certificates. */
#ifndef PADDOCK_HTTP_CLIENT_H
#define PADDOCK_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct http_call {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    const char *token;          /* sent as `Authorization: Bearer`, or NULL */
    const void *body;           /* NULL: none */
    size_t body_len;
    const char *ca_file; /* certificates to trust instead of the system's, or NULL */
    unsigned timeout_ms; /* of the whole call; 0: 30,000 */
    size_t answer_max;   /* bytes of body; 0: 8 MiB */
};

struct http_answer {
    int status;
    struct bytes body; /* NUL-terminated when it has anything; release it */
};

/* False and `e` (ERR_IO) when there is no answer; any status is one. [any] The first call of a
 * process must be made while it has one thread. */
bool http_call(const struct http_call *call, struct http_answer *out, struct err *e) MUST_CHECK;
/* Is the host of this URL this machine's loopback, or the scheme https? What else carries a token
 * shows it to the network. */
bool http_url_private(const char *url);

#endif
