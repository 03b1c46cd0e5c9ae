/* tls_impl: between tls.c and tls_session.c. Room: http. */
#ifndef PADDOCK_HTTP_TLS_IMPL_H
#define PADDOCK_HTTP_TLS_IMPL_H

#include "http/tls.h"

#include <openssl/ssl.h>

/* A fresh one of the context in force, and a BIO to go with it; NULL: no memory. [any] */
SSL *tls_begin(struct tls *t, BIO **bio);
/* How sessions read and write, for one `struct tls`; NULL: no memory. */
BIO_METHOD *tls_bio_method(void);

/* What a certificate says, in one piece of memory to be freed; NULL: it cannot be read. */
struct client_certificate *tls_describe(X509 *certificate) MUST_CHECK;

/* When it ends (UTC, ms); 0: it cannot be read. */
int64_t tls_end_ms(const X509 *certificate);

#endif
