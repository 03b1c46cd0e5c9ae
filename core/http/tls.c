/* The server's context: read, replaced, handed to sessions. What it allows: TLS 1.2 with ephemeral
 * keys and authenticated encryption, TLS 1.3; no renegotiation, no compression, no early data. */
#include "http/tls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/tls_impl.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILES           3
#define SESSION_SECONDS 3600 /* that a ticket may be used */

/* What tells one content of a file from the next. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct tls {
    char *paths[FILES];         /* certificate, key, client authorities (or NULL) */
    struct stamp stamps[FILES]; /* when read last */
    pthread_mutex_t mutex;      /* of what follows */
    SSL_CTX *context;
    BIO_METHOD *method; /* of sessions; never changes */
    int64_t expires_ms, read_ms;
};

static bool fail_tls(struct err *e, const char *path, const char *what)
{
    char why[160] = "";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, why, sizeof why);
    ERR_clear_error();
    return fail(e, &ERR_CONFIG, "%s: %s%s%s", path, what, *why ? ": " : "", why);
}

/* Client and server have one protocol in common, or none at all. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char *chosen = NULL;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(SSL_CTX *c)
{
    static const unsigned char name[] = "paddock";
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* tickets hold the sessions */
    SSL_CTX_set_timeout(c, SESSION_SECONDS);
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) &&
           SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!SHA1") &&
           SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                       "TLS_CHACHA20_POLY1305_SHA256") &&
           SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") && SSL_CTX_set_num_tickets(c, 1) &&
           SSL_CTX_set_session_id_context(c, name, sizeof name - 1);
}

static bool set_identity(SSL_CTX *c, char *const *paths, struct err *e)
{
    if (SSL_CTX_use_certificate_chain_file(c, paths[0]) != 1)
        return fail_tls(e, paths[0], "is no certificate in PEM");
    if (SSL_CTX_use_PrivateKey_file(c, paths[1], SSL_FILETYPE_PEM) != 1)
        return fail_tls(e, paths[1], "is no private key in PEM, or not that of the certificate");
    if (SSL_CTX_check_private_key(c) != 1)
        return fail_tls(e, paths[1], "is not the key of the certificate");
    return true;
}

static bool set_client_ca(SSL_CTX *c, const char *path, struct err *e)
{
    if (!path)
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (!names || SSL_CTX_load_verify_locations(c, path, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_tls(e, path, "holds no certificates in PEM");
    }
    SSL_CTX_set_client_CA_list(c, names);         /* takes them */
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL); /* none is fine, a bad one is not */
    return true;
}

/* An encrypted key would make OpenSSL ask on the terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static SSL_CTX *make_context(const struct tls *t, struct err *e)
{
    ERR_clear_error();
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    bool good = c && set_rules(c);
    if (!good)
        fail_tls(e, "TLS", "cannot be set up");
    else
        SSL_CTX_set_default_passwd_cb(c, no_password);
    if (good && set_identity(c, t->paths, e) && set_client_ca(c, t->paths[2], e))
        return c;
    SSL_CTX_free(c);
    return NULL;
}

static int64_t expiry_of(const SSL_CTX *c)
{
    const X509 *certificate = SSL_CTX_get0_certificate(c);
    return certificate ? tls_end_ms(certificate) : 0;
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    if (!path || stat(path, &st) != 0)
        return (struct stamp){.size = -1};
    return (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

bool tls_changed(const struct tls *t)
{
    for (int i = 0; i < FILES; i++) {
        const struct stamp now = stamp_of(t->paths[i]);
        if (!same(&now, &t->stamps[i]))
            return true;
    }
    return false;
}

bool tls_reload(struct tls *t, struct err *e)
{
    for (int i = 0; i < FILES; i++) /* before reading: what changes meanwhile is seen again */
        t->stamps[i] = stamp_of(t->paths[i]);
    SSL_CTX *context = make_context(t, e), *old = NULL;
    pthread_mutex_lock(&t->mutex);
    t->read_ms = clock_wall_ms(&CLOCK_SYSTEM);
    if (context) {
        old = t->context;
        t->context = context;
        t->expires_ms = expiry_of(context);
    }
    pthread_mutex_unlock(&t->mutex);
    SSL_CTX_free(old); /* sessions hold it as long as they need it */
    return context != NULL;
}

struct tls *tls_open(const struct tls_files *files, struct err *e)
{
    struct tls *t = mem_zero(1, sizeof *t);
    bool clients = files->client_ca && *files->client_ca;
    pthread_mutex_init(&t->mutex, NULL);
    t->paths[0] = mem_text(files->certificate);
    t->paths[1] = mem_text(files->key);
    t->paths[2] = clients ? mem_text(files->client_ca) : NULL;
    t->method = tls_bio_method();
    if (!t->method)
        fail(e, &ERR_MEMORY, "no memory for TLS");
    else if (tls_reload(t, e))
        return t;
    tls_close(t);
    return NULL;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->context);
    BIO_meth_free(t->method);
    for (int i = 0; i < FILES; i++)
        free(t->paths[i]);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

SSL *tls_begin(struct tls *t, BIO **bio)
{
    *bio = BIO_new(t->method);
    pthread_mutex_lock(&t->mutex);
    SSL *ssl = *bio ? SSL_new(t->context) : NULL;
    pthread_mutex_unlock(&t->mutex);
    if (!ssl) {
        BIO_free(*bio);
        *bio = NULL;
    }
    return ssl;
}

int64_t tls_expires_ms(struct tls *t)
{
    pthread_mutex_lock(&t->mutex);
    int64_t ms = t->expires_ms;
    pthread_mutex_unlock(&t->mutex);
    return ms;
}

int64_t tls_age_ms(struct tls *t, int64_t now_ms)
{
    pthread_mutex_lock(&t->mutex);
    int64_t age = now_ms - t->read_ms;
    pthread_mutex_unlock(&t->mutex);
    return age;
}
