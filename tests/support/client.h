/* client: a small blocking HTTP/1.1 client for tests, which sends exactly the bytes it is told. */
#ifndef PADDOCK_TESTS_SUPPORT_CLIENT_H
#define PADDOCK_TESTS_SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_HEADERS_MAX 16384

struct client_reply {
    int status;                       /* 0: no reply (closed or timed out) */
    char headers[CLIENT_HEADERS_MAX]; /* whole lines with CRLF, without the status line */
    char *body;                       /* NUL-terminated, free with client_reply_release */
    size_t len;
    bool closed; /* the server closed the connection after it */
};

/* Connect to 127.0.0.1; -1 on failure. Reads time out after 30 s. */
int client_connect(unsigned port);
bool client_send(int fd, const void *data, size_t len);
/* Read one reply, leaving further bytes unread. `head`: the request was HEAD (no body follows). */
bool client_read(int fd, bool head, struct client_reply *out);
void client_reply_release(struct client_reply *r);
/* A header's value into `out`; false if it is not there. */
bool client_header(const struct client_reply *r, const char *name, char *out, size_t size);
/* A connection that is kept for the next request; begin with fd -1. */
struct client {
    unsigned port;
    int fd;
};
/* Send one request on it and read the reply; it is opened (anew) where that is needed. `headers`
 * are whole lines or "". For what may be asked twice: if the server closed it meanwhile, it is. */
bool client_ask(struct client *c, const char *method, const char *target, const char *headers,
                const char *body, size_t len, struct client_reply *out);
void client_close(struct client *c);
/* Send a request that takes long on `fd`, and ask another connection for /healthz again and again
 * until its answer comes: the longest of these took this part of its time. -1: something failed. */
double client_longest_wait(int fd, struct client *other, const void *request, size_t len);
/* Connect, send one request with `Connection: close`, read the reply. `headers` are whole lines or
 * "". */
bool client_call(unsigned port, const char *method, const char *target, const char *headers,
                 const char *body, size_t len, struct client_reply *out);

#endif
