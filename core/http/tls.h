/* tls: TLS 1.2 and 1.3 by OpenSSL. Room: http. Threads: as marked.
 *
 * `struct tls` is what one server proves itself with: certificate, key and the authorities of
 * client certificates, as an OpenSSL context that can be replaced while it serves: connections keep
 * the one they began with. `struct tls_session` is the TLS of one connection, without a socket:
 * ciphertext is taken from one evbuffer and written to a `struct bytes`, so that the connection
 * alone decides what is read, how much is done in one turn, and when it is sent. */
#ifndef PADDOCK_HTTP_TLS_H
#define PADDOCK_HTTP_TLS_H

#include "base/bytes.h"
#include "base/err.h"
#include "http/guard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct tls;
struct tls_session;

struct tls_files {
    const char *certificate; /* PEM: the server's, then its chain */
    const char *key;         /* PEM, not encrypted */
    const char
        *client_ca; /* PEM: who may sign client certificates; NULL or "": none are asked for */
};

/* Read the files. The texts are copied. [main] */
struct tls *tls_open(const struct tls_files *files, struct err *e) MUST_CHECK;
void tls_close(struct tls *t); /* after its sessions are freed; NULL is allowed */
/* Read the files again. Bad ones leave the old in force, with a failure that names the file. New
 * sessions use the new context, and its keys for session tickets are new too. [any] */
bool tls_reload(struct tls *t, struct err *e) MUST_CHECK;
/* Have the files changed since they were read last, well or badly? [one thread] */
bool tls_changed(const struct tls *t);
/* When the certificate in force expires (UTC, ms), and how long ago the files were read. [any] */
int64_t tls_expires_ms(struct tls *t);
int64_t tls_age_ms(struct tls *t, int64_t now_ms);

enum tls_result {
    TLS_MORE, /* nothing more to do before the client has sent more */
    TLS_DONE, /* the handshake is done; of reading: something was read */
    TLS_END,  /* the client has ended its side properly */
    TLS_BAD   /* broken; what is in `out` (an alert) may still be sent */
};

/* The server's side of a connection whose ciphertext arrives in `in`. What is to be sent goes to
 * `*out` of the call at hand, which must then be taken from there. NULL: no memory. [loop] */
struct tls_session *tls_session_new(struct tls *t, struct evbuffer *in) MUST_CHECK;
void tls_session_free(struct tls_session *s); /* NULL is allowed */
/* Go on with the handshake. */
enum tls_result tls_handshake(struct tls_session *s, struct bytes *out) MUST_CHECK;
/* Decrypt into `plain` until it holds `max` bytes or there is nothing more now. */
enum tls_result tls_read(struct tls_session *s, struct evbuffer *plain, size_t max,
                         struct bytes *out) MUST_CHECK;
/* Encrypt. False: broken. */
bool tls_write(struct tls_session *s, const void *data, size_t len, struct bytes *out) MUST_CHECK;
/* Say that nothing more will be sent. Once. */
void tls_end(struct tls_session *s, struct bytes *out);
/* The client's certificate, once the handshake is done; NULL: it showed none. */
const struct client_certificate *tls_certificate(const struct tls_session *s);
/* Why it is broken, for the log: a constant text. */
const char *tls_reason(const struct tls_session *s);

#endif
