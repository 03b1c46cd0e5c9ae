/* One connection's TLS, between two buffers: OpenSSL reads and writes through a BIO of ours. */
#include "base/mem.h"
#include "http/tls_impl.h"

#include <event2/buffer.h>
#include <openssl/err.h>
#include <stdlib.h>

#define PIECE 16384 /* the largest record */

struct tls_session {
    SSL *ssl;
    struct evbuffer *in;
    struct bytes *out; /* of the call at hand */
    struct client_certificate *certificate;
    const char *reason;
    bool ended;
};

/* --- the BIO --- */

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_session *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    return s->out && bytes_add(s->out, data, (size_t)len) ? len : -1;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls_session *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    int n = evbuffer_remove(s->in, data, (size_t)len);
    if (n > 0)
        return n;
    BIO_set_retry_read(bio);
    return -1;
}

static long bio_ctrl(BIO *bio, int what, long arg, void *pointer)
{
    (void)bio, (void)arg, (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "paddock");
    if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) &&
        BIO_meth_set_ctrl(m, bio_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* --- sessions --- */

struct tls_session *tls_session_new(struct tls *t, struct evbuffer *in)
{
    struct tls_session *s = mem_zero(1, sizeof *s);
    BIO *bio = NULL;
    s->ssl = tls_begin(t, &bio);
    s->in = in;
    s->reason = "";
    if (!s->ssl) {
        free(s);
        return NULL;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio); /* takes it */
    SSL_set_accept_state(s->ssl);
    return s;
}

void tls_session_free(struct tls_session *s)
{
    if (!s)
        return;
    s->out = NULL;
    SSL_free(s->ssl);
    free(s->certificate);
    free(s);
}

/* What a failed call means. The queue of errors is the thread's, so it is emptied each time. */
static enum tls_result result_of(struct tls_session *s, int returned)
{
    int kind = SSL_get_error(s->ssl, returned);
    enum tls_result result = kind == SSL_ERROR_WANT_READ     ? TLS_MORE
                             : kind == SSL_ERROR_ZERO_RETURN ? TLS_END
                                                             : TLS_BAD;
    if (result == TLS_BAD) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        s->reason = reason ? reason : "broken";
        s->ended = true; /* after such an error nothing may be said any more */
    }
    ERR_clear_error();
    return result;
}

enum tls_result tls_handshake(struct tls_session *s, struct bytes *out)
{
    s->out = out;
    ERR_clear_error();
    int n = SSL_do_handshake(s->ssl);
    enum tls_result result = n == 1 ? TLS_DONE : result_of(s, n);
    s->out = NULL;
    X509 *certificate = n == 1 ? SSL_get0_peer_certificate(s->ssl) : NULL;
    if (!certificate || SSL_get_verify_result(s->ssl) != X509_V_OK)
        return result;
    s->certificate = tls_describe(certificate);
    if (s->certificate)
        return result;
    s->reason = "the client's certificate cannot be read";
    return TLS_BAD;
}

enum tls_result tls_read(struct tls_session *s, struct evbuffer *plain, size_t max,
                         struct bytes *out)
{
    char piece[PIECE]; /* most reads are small: a place for the largest would be made each time */
    enum tls_result result = TLS_MORE;
    bool some = false;
    s->out = out;
    while (evbuffer_get_length(plain) < max) {
        ERR_clear_error();
        int n = SSL_read(s->ssl, piece, sizeof piece);
        if (n <= 0 || evbuffer_add(plain, piece, (size_t)n) != 0) {
            result = n <= 0 ? result_of(s, n) : TLS_BAD;
            break;
        }
        some = true;
    }
    s->out = NULL;
    return some ? TLS_DONE : result; /* an end is there still when asked for again */
}

bool tls_write(struct tls_session *s, const void *data, size_t len, struct bytes *out)
{
    s->out = out;
    ERR_clear_error();
    size_t n;
    bool good = SSL_write_ex(s->ssl, data, len, &n) == 1 && n == len;
    if (!good)
        (void)result_of(s, 0);
    s->out = NULL;
    return good;
}

void tls_end(struct tls_session *s, struct bytes *out)
{
    if (s->ended)
        return;
    s->ended = true;
    s->out = out;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl); /* the client's answer is not waited for */
    ERR_clear_error();
    s->out = NULL;
}

const struct client_certificate *tls_certificate(const struct tls_session *s)
{
    return s->certificate;
}

const char *tls_reason(const struct tls_session *s)
{
    return s->reason;
}
