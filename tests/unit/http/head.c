#include "support/unit.h"

#include "http/errors.h"
#include "http/head.h"

#include <string.h>

static struct head head;

/* Feed all of it in pieces of `piece` bytes; the result of the last. */
static enum head_result feed(const char *text, size_t len, size_t piece, size_t *taken,
                             struct err *e)
{
    enum head_result result = HEAD_MORE;
    *taken = 0;
    head_reset(&head);
    while (result == HEAD_MORE && *taken < len) {
        size_t n = len - *taken < piece ? len - *taken : piece, used;
        result = head_feed(&head, text + *taken, n, &used, e);
        *taken += used;
    }
    return result;
}

static void refused_bytes(const char *text, size_t len, const struct err_kind *kind)
{
    const size_t pieces[] = {len, 1, 3};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct err e = {.kind = NULL};
        size_t taken;
        if (feed(text, len, pieces[i], &taken, &e) != HEAD_BAD || e.kind != kind)
            fail_msg("want %s, got %s (%s) for: %s", kind->code, e.kind ? e.kind->code : "nothing",
                     e.kind ? e.detail : "", text);
    }
}

static void refused(const char *text, const struct err_kind *kind)
{
    refused_bytes(text, strlen(text), kind);
}

static void accepted(const char *text)
{
    for (size_t piece = 1; piece < 100; piece += 98) {
        struct err e;
        size_t taken;
        if (feed(text, strlen(text), piece, &taken, &e) != HEAD_DONE)
            fail_msg("refused (%s): %s", e.detail, text);
        assert_int_equal(taken, strlen(text));
    }
}

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"
#define HOST "Host: x\r\n"
#define END  "\r\n"

static void test_parts(void **state)
{
    (void)state;
    struct err e;
    size_t taken;
    const char *text =
        "\r\n\r\nPATCH /a/b%20c?q=1&r HTTP/1.1\r\nHost: h:80\r\nX-Odd:\t  v a l \t \r\nEmpty:\r\n"
        "CONTENT-length: 12\r\nx-Request-ID: r1\r\n\r\nbody";
    assert_int_equal(feed(text, strlen(text), 1000, &taken, &e), HEAD_DONE);
    assert_string_equal(text + taken, "body");
    assert_int_equal(head.method, METHOD_PATCH);
    assert_string_equal(head.target, "/a/b%20c?q=1&r");
    assert_memory_equal(head.path, "/a/b%20c", head.path_len);
    assert_int_equal(head.path_len, 8);
    assert_memory_equal(head.query, "q=1&r", head.query_len);
    assert_int_equal(head.query_len, 5);
    assert_int_equal(head.framing, FRAMING_LENGTH);
    assert_int_equal(head.content_length, 12);
    assert_string_equal(head.known[KNOWN_HOST], "h:80");
    assert_string_equal(head.known[KNOWN_REQUEST_ID], "r1");
    assert_null(head.known[KNOWN_EXPECT]);
    size_t from = 0;
    assert_string_equal(head_find(&head, "x-odd", &from), "v a l");
    assert_null(head_find(&head, "x-odd", &from));
    from = 0;
    assert_string_equal(head_find(&head, "empty", &from), "");
    assert_int_equal(head.n_fields, 5);
}

static void test_targets(void **state)
{
    (void)state;
    struct err e;
    size_t taken;
    const char *text = "GET http://h.example:1/p?q HTTP/1.1\r\nHost: other\r\n\r\n";
    assert_int_equal(feed(text, strlen(text), 1000, &taken, &e), HEAD_DONE);
    assert_memory_equal(head.path, "/p", 2);
    assert_int_equal(head.query_len, 1);
    text = "GET http://h.example?q=1 HTTP/1.1\r\nHost: other\r\n\r\n";
    assert_int_equal(feed(text, strlen(text), 1000, &taken, &e), HEAD_DONE);
    assert_int_equal(head.path_len, 1);
    assert_memory_equal(head.path, "/", 1);
    assert_memory_equal(head.query, "q=1", 3);
    text = "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(feed(text, strlen(text), 1000, &taken, &e), HEAD_DONE);
    assert_true(head.asterisk);
    accepted("GET /?q=%00%zz HTTP/1.1\r\nHost: x\r\n\r\n"); /* queries are looked at when decoded */
    accepted("GET /a|b{c}\"d HTTP/1.1\r\nHost: x\r\n\r\n");
    refused("GET * HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET a HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET http:// HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET http://user@h/ HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET ftp://h/ HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /a#b HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /%00 HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /%4 HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /%zz HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /\x7f HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /a\tb HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
}

static void test_request_line(void **state)
{
    (void)state;
    refused("GET / HTTP/2.0\r\n" HOST END, &HTTP_VERSION);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &HTTP_VERSION);
    refused("GET / HTTP/0.9\r\n" HOST END, &HTTP_VERSION);
    refused("GET / HTTP/1.2\r\n" HOST END, &HTTP_VERSION);
    refused("GET / HTTP/1.10\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET / http/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET / HTTP/1.1 \r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /\r\n\r\n", &HTTP_MALFORMED);
    refused("GET\r\n\r\n", &HTTP_MALFORMED);
    refused("GET  / HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("GET /  HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused(" GET / HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("BREW / HTTP/1.1\r\n" HOST END, &HTTP_NOT_IMPLEMENTED);
    refused("get / HTTP/1.1\r\n" HOST END, &HTTP_NOT_IMPLEMENTED);
    refused("TRACE / HTTP/1.1\r\n" HOST END, &HTTP_NOT_IMPLEMENTED);
    refused("CONNECT h:1 HTTP/1.1\r\n" HOST END, &HTTP_NOT_IMPLEMENTED);
    refused("G(T / HTTP/1.1\r\n" HOST END, &HTTP_MALFORMED);
    refused("\r\n\r\n\r\n\r\n\r\n" GET HOST END, &HTTP_MALFORMED);
    refused("\n" GET HOST END, &HTTP_MALFORMED);
    refused("\x16\x03\x01\x02", &HTTP_MALFORMED); /* a TLS client */
}

static void test_lines(void **state)
{
    (void)state;
    refused("GET / HTTP/1.1\n" HOST END, &HTTP_MALFORMED);
    refused(GET "Host: x\n\r\n", &HTTP_MALFORMED);
    refused(GET "Host: x\r\n\n", &HTTP_MALFORMED);
    refused(GET "Host: x\r\r\n\r\n", &HTTP_MALFORMED);
    refused(GET "A: x\ry\r\n" HOST END, &HTTP_MALFORMED);
    refused(GET "A: x\r\n y\r\n" HOST END, &HTTP_MALFORMED);
    refused(GET "A: x\r\n\ty\r\n" HOST END, &HTTP_MALFORMED);
    refused(GET "Host : x\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "Content-Length : 3\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "A\tB: x\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST ": x\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "no colon\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "no-colon\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "\xc3\xa4: x\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "A: \x01\r\n\r\n", &HTTP_MALFORMED);
    refused(GET HOST "A: \x7f\r\n\r\n", &HTTP_MALFORMED);
    static const char nul[] = GET HOST "A: x\0y\r\n\r\n";
    refused_bytes(nul, sizeof nul - 1, &HTTP_MALFORMED);
    static const char nul_name[] = GET HOST "A\0: x\r\n\r\n";
    refused_bytes(nul_name, sizeof nul_name - 1, &HTTP_MALFORMED);
    static const char nul_target[] = "GET /\0 HTTP/1.1\r\n" HOST END;
    refused_bytes(nul_target, sizeof nul_target - 1, &HTTP_MALFORMED);
    accepted(GET HOST "A: \xc3\xa4 utf-8 and\ttab\r\n\r\n");
}

static void test_host(void **state)
{
    (void)state;
    refused(GET END, &HTTP_MALFORMED);
    refused(GET HOST HOST END, &HTTP_MALFORMED);
    refused(GET "Host: a b\r\n\r\n", &HTTP_MALFORMED);
    refused(GET "Host: a/b\r\n\r\n", &HTTP_MALFORMED);
    refused(GET "Host: a@b\r\n\r\n", &HTTP_MALFORMED);
    refused("GET / HTTP/1.0\r\n" HOST HOST END, &HTTP_MALFORMED);
    accepted("GET / HTTP/1.0\r\n\r\n");
    accepted(GET "Host:\r\n\r\n");
    accepted(GET "Host: [::1]:8080\r\n\r\n");
}

static void test_framing(void **state)
{
    (void)state;
    refused(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 3, 3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: +3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: -3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 0x3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 3 3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length:\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 99999999999999999999\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            &HTTP_MALFORMED);
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", &HTTP_NOT_IMPLEMENTED);
    refused(POST "Transfer-Encoding: gzip\r\n\r\n", &HTTP_NOT_IMPLEMENTED);
    refused(POST "Transfer-Encoding: identity\r\n\r\n", &HTTP_NOT_IMPLEMENTED);
    refused(POST "Transfer-Encoding: xchunked\r\n\r\n", &HTTP_NOT_IMPLEMENTED);
    refused(POST "Transfer-Encoding: chunked, identity\r\n\r\n", &HTTP_NOT_IMPLEMENTED);
    refused(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n",
            &HTTP_MALFORMED);
    refused(POST "Transfer-Encoding : chunked\r\n\r\n", &HTTP_MALFORMED);
    refused(POST "Transfer-Encoding\t: chunked\r\n\r\n", &HTTP_MALFORMED);
    accepted(POST "Transfer-Encoding: Chunked\r\n\r\n");
    assert_int_equal(head.framing, FRAMING_CHUNKED);
    accepted(POST "Content-Length: 0\r\n\r\n");
    assert_int_equal(head.framing, FRAMING_NONE);
    accepted(POST "Content-Length: 007\r\n\r\n");
    assert_int_equal(head.content_length, 7);
    accepted(POST "Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\n"); /* ignored */
    assert_int_equal(head.content_length, 5);
}

static void keeps_alive(const char *text, bool want)
{
    accepted(text);
    assert_int_equal(head.keep_alive, want);
}

static void test_keep_alive(void **state)
{
    (void)state;
    keeps_alive(GET HOST END, true);
    keeps_alive(GET HOST "Connection: close\r\n\r\n", false);
    keeps_alive(GET HOST "Connection: x, Close\r\n\r\n", false);
    keeps_alive(GET HOST "Connection: keep-alive\r\n\r\n", true);
    keeps_alive("GET / HTTP/1.0\r\n\r\n", false);
    keeps_alive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true);
}

static void test_limits(void **state)
{
    (void)state;
    static char big[40000];
    memset(big, 'a', sizeof big);
    refused_bytes(big, sizeof big, &HTTP_URI_TOO_LONG);
    memcpy(big, "GET /", 5);
    refused_bytes(big, sizeof big, &HTTP_URI_TOO_LONG);
    memcpy(big, GET HOST "A: ", 28);
    refused_bytes(big, sizeof big, &HTTP_HEADERS_LARGE);
    /* Exactly as much as is taken, and one byte more. */
    memcpy(big + 16384 - 4, "\r\n\r\n", 5);
    accepted(big);
    big[16384 - 4] = 'a';
    memcpy(big + 16384 - 3, "\r\n\r\n", 5);
    refused(big, &HTTP_HEADERS_LARGE);
    size_t n = (size_t)snprintf(big, sizeof big, GET HOST);
    for (int i = 0; i < 99; i++)
        n += (size_t)snprintf(big + n, sizeof big - n, "A: x\r\n");
    memcpy(big + n, "\r\n", 3);
    accepted(big);
    assert_int_equal(head.n_fields, HEAD_FIELDS_MAX);
    memcpy(big + n, "A: x\r\n\r\n", 9);
    refused(big, &HTTP_HEADERS_LARGE);
}

static int set_up(void **state)
{
    (void)state;
    head_init(&head, 16384);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    head_release(&head);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_request_line), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_host),         cmocka_unit_test(test_framing),
        cmocka_unit_test(test_keep_alive),   cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("head", tests, set_up, tear_down);
}
