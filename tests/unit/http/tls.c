/* TLS as a client meets it: what is agreed on, what is refused, certificates and their reload. */
#include "fixture.h"

#include "http/guard.h"
#include "http/tls.h"
#include "support/certificate.h"
#include "support/temp_dir.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static char dir[TEMP_DIR_SIZE];

static const char *in_dir(const char *name)
{
    static char paths[8][TEMP_DIR_SIZE + 64];
    static unsigned n;
    char *path = paths[n++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int make_certificates(void **state)
{
    (void)state;
    temp_dir_make_fast(dir);
    return !certificate_make(dir, "server", "DNS:localhost", NULL) ||
           !certificate_make(dir, "next", "DNS:localhost", NULL) ||
           !certificate_make(dir, "authority", NULL, NULL) ||
           !certificate_make(dir, "ci-odds", "URI:spiffe://odds/ci,DNS:ci.odds", "authority") ||
           !certificate_make(dir, "stranger", NULL, NULL);
}

static int remove_certificates(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void copy(const char *from, const char *to)
{
    static char data[65536];
    FILE *in = fopen(in_dir(from), "re"), *out = fopen(in_dir(to), "we");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(data, 1, sizeof data, in);
    assert_int_equal(fwrite(data, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* --- server --- */

/* /secret is for who shows a certificate; the refusal says what it says. */
static bool authorize(struct request *rq, struct err *e)
{
    const struct client_certificate *c = request_client_certificate(rq);
    if (request_route(rq)->flags & ROUTE_PUBLIC)
        return true;
    if (!c)
        return fail(e, &HTTP_UNAUTHENTICATED, "no certificate");
    return fail(e, &HTTP_FORBIDDEN, "%s|%s|%zu|%s|%s", c->subject, c->common_name,
                strlen(c->fingerprint), c->names[0] ? c->names[0] : "",
                c->names[0] ? c->names[1] : "");
}

struct tls_server {
    struct tls *tls;
    struct http_server *http;
};

static struct tls_server begin(struct http_config config)
{
    struct err e;
    copy("server.pem", "live.pem");
    copy("server.key", "live.key");
    const struct tls_files files = {in_dir("live.pem"), in_dir("live.key"),
                                    in_dir("authority.pem")};
    struct tls_server s = {.tls = tls_open(&files, &e)};
    if (!s.tls)
        fail_msg("%s", e.detail);
    config.tls = s.tls;
    config.authorize = authorize;
    s.http = serve(config);
    return s;
}

static void finish(struct tls_server s)
{
    end(s.http);
    tls_close(s.tls);
}

/* --- client --- */

struct peer {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static SSL_CTX *client_context(const char *certificate)
{
    char name[64];
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    assert_non_null(c);
    SSL_CTX_set_security_level(c, 0); /* so that it offers what must be refused */
    if (certificate) {
        snprintf(name, sizeof name, "%s.pem", certificate);
        assert_int_equal(SSL_CTX_use_certificate_file(c, in_dir(name), SSL_FILETYPE_PEM), 1);
        snprintf(name, sizeof name, "%s.key", certificate);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(c, in_dir(name), SSL_FILETYPE_PEM), 1);
    }
    return c;
}

static struct peer approach(const struct tls_server *s, SSL_CTX *context)
{
    struct peer p = {.context = context, .fd = dial(s->http)};
    p.ssl = SSL_new(context);
    assert_non_null(p.ssl);
    SSL_set_fd(p.ssl, p.fd);
    return p;
}

static void leave(struct peer *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
    close(p->fd);
    ERR_clear_error();
}

static struct peer meet(const struct tls_server *s, const char *certificate)
{
    struct peer p = approach(s, client_context(certificate));
    if (SSL_connect(p.ssl) != 1)
        fail_msg("no handshake: %s", ERR_error_string(ERR_get_error(), NULL));
    return p;
}

static void tell(const struct peer *p, const char *text)
{
    assert_int_equal(SSL_write(p->ssl, text, (int)strlen(text)), strlen(text));
}

/* Read until `part` has come; the text so far. */
static const char *listen_for(const struct peer *p, const char *part)
{
    static char text[65536];
    size_t n = 0;
    text[0] = '\0';
    while (!strstr(text, part)) {
        int k = SSL_read(p->ssl, text + n, (int)(sizeof text - 1 - n));
        if (k <= 0)
            fail_msg("ended before '%s': %s", part, text);
        n += (size_t)k;
        text[n] = '\0';
    }
    return text;
}

static size_t count_bytes(const struct peer *p, size_t wanted)
{
    static char piece[65536];
    size_t n = 0;
    while (n < wanted) {
        int k = SSL_read(p->ssl, piece, sizeof piece);
        if (k <= 0)
            break;
        n += (size_t)k;
    }
    return n;
}

static bool hand_shakes(const struct tls_server *s, SSL_CTX *context)
{
    char byte;
    struct peer p = approach(s, context);
    /* In TLS 1.3 the client hears of a refusal only when it reads. */
    bool good = SSL_connect(p.ssl) == 1 &&
                (SSL_write(p.ssl, GET("/things/1"), sizeof GET("/things/1") - 1) > 0) &&
                SSL_read(p.ssl, &byte, 1) == 1;
    leave(&p);
    return good;
}

/* --- tests --- */

static void test_requests(void **state)
{
    (void)state;
    struct tls_server s = begin((struct http_config){.threads = 2});
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int i = 0; i < 2; i++) {
        struct peer p = approach(&s, client_context(NULL));
        SSL_set_min_proto_version(p.ssl, versions[i]);
        SSL_set_max_proto_version(p.ssl, versions[i]);
        assert_int_equal(SSL_connect(p.ssl), 1);
        tell(&p, GET("/things/1"));
        listen_for(&p, "\"id\":\"1\"");
        tell(&p, GET("/things/2") GET("/later") GET("/things/3")); /* pipelined */
        listen_for(&p, "\"id\":\"3\"");
        for (const char *at = GET("/things/4"); *at; at++) /* a record for each byte */
            assert_int_equal(SSL_write(p.ssl, at, 1), 1);
        listen_for(&p, "\"id\":\"4\"");
        leave(&p);
    }
    finish(s);
}

static void test_large(void **state)
{
    (void)state;
    static char body[3 << 20];
    char text[128];
    struct tls_server s = begin((struct http_config){.threads = 1});
    struct peer p = meet(&s, NULL);
    tell(&p, GET("/size/5000000"));
    listen_for(&p, "\r\n\r\n");
    count_bytes(&p, 4900000);
    leave(&p);
    p = meet(&s, NULL);
    memset(body, ' ', sizeof body);
    body[0] = '1';
    snprintf(text, sizeof text,
             "POST /big HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             sizeof body);
    tell(&p, text);
    assert_int_equal(SSL_write(p.ssl, body, sizeof body), sizeof body);
    listen_for(&p, "\"len\":3145728");
    snprintf(text, sizeof text,
             "POST /intake HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             sizeof body);
    tell(&p, text);
    assert_int_equal(SSL_write(p.ssl, body, sizeof body), sizeof body);
    listen_for(&p, "\"received\":3145728");
    tell(&p, GET("/export/2000"));
    assert_true(count_bytes(&p, 2000000) >= 2000000);
    leave(&p);
    finish(s);
}

static void test_refused(void **state)
{
    (void)state;
    struct tls_server s = begin((struct http_config){.threads = 1});
    SSL_CTX *c = client_context(NULL);
    SSL_CTX_set_max_proto_version(c, TLS1_1_VERSION);
    assert_false(hand_shakes(&s, c));
    c = client_context(NULL);
    SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\2h2", 3);
    assert_false(hand_shakes(&s, c));
    static const char *const weak[] = {"AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256",
                                       "aNULL", "eNULL"};
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        c = client_context(NULL);
        SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
        if (SSL_CTX_set_cipher_list(c, weak[i]))
            assert_false(hand_shakes(&s, c));
        else
            SSL_CTX_free(c); /* not even known to this OpenSSL */
    }
    c = client_context(NULL);
    SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\2h2\10http/1.1", 12);
    assert_true(hand_shakes(&s, c));
    finish(s);
}

static void test_no_renegotiation(void **state)
{
    (void)state;
    struct tls_server s = begin((struct http_config){.threads = 1});
    SSL_CTX *c = client_context(NULL);
    SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION);
    struct peer p = approach(&s, c);
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_int_equal(SSL_renegotiate(p.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(p.ssl), 1);
    leave(&p);
    assert_true(hand_shakes(&s, client_context(NULL)));
    finish(s);
}

static void test_plain_and_junk(void **state)
{
    (void)state;
    char body[512];
    struct tls_server s = begin((struct http_config){.threads = 1});
    assert_int_equal(ask(s.http, GET("/things/1"), body), 400);
    assert_non_null(strstr(body, "https"));
    int fd = dial(s.http);
    char junk[600];
    memset(junk, 'j', sizeof junk);
    memcpy(junk, "\x16\x03\x01\x02", 4); /* the head of a record of 513 bytes */
    junk[4] = 1;
    assert_true(client_send(fd, junk, sizeof junk));
    assert_true(hangs_up(fd, 5000));
    close(fd);
    fd = dial(s.http);
    say(fd, "\x16\x03"); /* and gone */
    close(fd);
    assert_true(hand_shakes(&s, client_context(NULL)));
    finish(s);
}

static void test_client_certificates(void **state)
{
    (void)state;
    struct tls_server s = begin((struct http_config){.threads = 1});
    struct peer p = meet(&s, "ci-odds");
    tell(&p, GET("/secret"));
    listen_for(&p, "CN=ci-odds,O=Paddock|ci-odds|64|URI:spiffe://odds/ci|DNS:ci.odds");
    atomic_store(&ahead_ms, 2 * 3600000); /* it was good for an hour, the connection lives on */
    tell(&p, GET("/secret"));
    listen_for(&p, "no certificate");
    atomic_store(&ahead_ms, 0);
    leave(&p);
    p = meet(&s, NULL);
    tell(&p, GET("/secret"));
    listen_for(&p, "no certificate");
    leave(&p);
    assert_false(hand_shakes(&s, client_context("stranger")));
    finish(s);
}

/* The common name of the certificate that the server shows. */
static void shows(const struct peer *p, const char *name)
{
    char got[64] = "";
    X509 *x = SSL_get0_peer_certificate(p->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, got, sizeof got);
    assert_string_equal(got, name);
}

static void test_reload(void **state)
{
    (void)state;
    struct err e;
    struct tls_server s = begin((struct http_config){.threads = 2});
    struct peer old = meet(&s, NULL), p;
    shows(&old, "server");
    assert_false(tls_changed(s.tls));
    copy("next.pem", "live.pem"); /* the key does not fit yet */
    assert_true(tls_changed(s.tls));
    assert_false(tls_reload(s.tls, &e));
    assert_non_null(strstr(e.detail, "live.key"));
    assert_false(tls_changed(s.tls)); /* seen, and not tried again and again */
    p = meet(&s, NULL);
    shows(&p, "server");
    leave(&p);
    copy("next.key", "live.key");
    assert_true(tls_changed(s.tls));
    assert_true(tls_reload(s.tls, &e));
    p = meet(&s, NULL);
    shows(&p, "next");
    leave(&p);
    tell(&old, GET("/things/1")); /* goes on with what it began with */
    listen_for(&old, "\"id\":\"1\"");
    leave(&old);
    assert_int_equal(unlink(in_dir("live.pem")), 0);
    assert_true(tls_changed(s.tls));
    assert_false(tls_reload(s.tls, &e));
    assert_true(tls_expires_ms(s.tls) > clock_wall_ms(&CLOCK_SYSTEM));
    finish(s);
}

/* A ticket spares the second handshake, and the client stays who it was. */
static void test_tickets(void **state)
{
    (void)state;
    struct tls_server s = begin((struct http_config){.threads = 1});
    struct peer p = meet(&s, "ci-odds");
    tell(&p, GET("/things/1"));
    listen_for(&p, "\"id\":\"1\"");
    SSL_SESSION *session = SSL_get1_session(p.ssl);
    SSL_shutdown(p.ssl);
    leave(&p);
    p = approach(&s, client_context("ci-odds"));
    SSL_set_session(p.ssl, session);
    assert_int_equal(SSL_connect(p.ssl), 1);
    assert_true(SSL_session_reused(p.ssl));
    tell(&p, GET("/secret"));
    listen_for(&p, "|ci-odds|");
    leave(&p);
    SSL_SESSION_free(session);
    finish(s);
}

static void test_slow_handshakes(void **state)
{
    (void)state;
    struct http_stats stats;
    struct tls_server s =
        begin((struct http_config){.threads = 1, .handshake_timeout_ms = 200, .handshakes_max = 4});
    int silent = dial(s.http);
    assert_true(hangs_up(silent, 5000));
    close(silent);
    int fds[20];
    for (int i = 0; i < 20; i++) { /* the oldest give way to the newest */
        fds[i] = dial(s.http);
        say(fds[i], "\x16");
    }
    assert_true(hand_shakes(&s, client_context(NULL)));
    for (int i = 0; i < 20; i++) {
        assert_true(hangs_up(fds[i], 5000));
        close(fds[i]);
    }
    http_stats(s.http, &stats);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.handshakes_failed, 21);
    finish(s);
}

static void test_goodbyes(void **state)
{
    (void)state;
    char byte;
    struct tls_server s = begin((struct http_config){.threads = 1});
    struct peer p = meet(&s, NULL); /* the server ends with a proper end */
    tell(&p, "GET /things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    listen_for(&p, "\"id\":\"1\"");
    int n = SSL_read(p.ssl, &byte, 1);
    assert_int_equal(SSL_get_error(p.ssl, n), SSL_ERROR_ZERO_RETURN);
    leave(&p);
    p = meet(&s, NULL); /* a client that says goodbye has left */
    tell(&p, GET("/events"));
    listen_for(&p, "data: 1");
    SSL_shutdown(p.ssl);
    UNTIL(atomic_load(&seen.closed) == 1);
    leave(&p);
    p = meet(&s, NULL); /* idle ones end when the server does */
    finish(s);
    n = SSL_read(p.ssl, &byte, 1);
    assert_true(n <= 0);
    leave(&p);
}

static void opens_not(const char *certificate, const char *key, const char *ca, const char *part)
{
    struct err e;
    const struct tls_files files = {certificate, key, ca};
    assert_null(tls_open(&files, &e));
    if (!strstr(e.detail, part))
        fail_msg("no '%s' in: %s", part, e.detail);
}

static void test_bad_files(void **state)
{
    (void)state;
    opens_not(in_dir("none.pem"), in_dir("server.key"), NULL, "none.pem");
    opens_not(in_dir("server.pem"), in_dir("none.key"), NULL, "none.key");
    opens_not(in_dir("server.pem"), in_dir("next.key"), NULL, "next.key");
    opens_not(in_dir("server.key"), in_dir("server.key"), NULL, "no certificate");
    opens_not(in_dir("server.pem"), in_dir("server.key"), in_dir("server.key"), "server.key");
}

/* The request and the end of the client's side in one piece: the answer goes out all the same. */
static void test_ended_at_once(void **state)
{
    (void)state;
    const int on = 1, off = 0;
    struct tls_server s = begin((struct http_config){.threads = 1});
    struct peer p = meet(&s, NULL);
    tell(&p, GET("/things/1"));
    (void)listen_for(&p, "\"id\":\"1\"");
    assert_int_equal(setsockopt(p.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
    tell(&p, GET("/things/2"));
    assert_true(SSL_shutdown(p.ssl) >= 0);
    assert_int_equal(setsockopt(p.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off), 0);
    (void)listen_for(&p, "\"id\":\"2\"");
    leave(&p);
    finish(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),        cmocka_unit_test(test_large),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_no_renegotiation),
        cmocka_unit_test(test_plain_and_junk),  cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_reload),          cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_slow_handshakes), cmocka_unit_test(test_goodbyes),
        cmocka_unit_test(test_bad_files),       cmocka_unit_test(test_ended_at_once),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
