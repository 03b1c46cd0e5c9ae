/* Rates by address and tenant, and wrong tokens, as an authorize hook uses them. */
#include "fixture.h"

#include "http/guard.h"

/* "Authorization: <token>"; those that begin with 'g' are good. Tenant "slow" has a rate. */
static bool authorize(struct request *rq, struct err *e)
{
    const char *token = request_header(rq, "Authorization"), *slow = request_header(rq, "Slow");
    if (token && !request_may_present(rq, token, strlen(token), e))
        return false;
    if (token)
        request_presented(rq, token, strlen(token), *token == 'g');
    if (token && *token != 'g')
        return fail(e, &HTTP_UNAUTHENTICATED, "no such token");
    if (request_client_certificate(rq))
        return fail(e, &HTTP_FORBIDDEN, "a certificate without TLS");
    return request_rate(rq, slow ? slow : "else", slow ? 0.001 : 0, 2, e);
}

static int get(const struct http_server *s, const char *headers)
{
    char text[256];
    snprintf(text, sizeof text, "GET /things/1 HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    return ask(s, text, NULL);
}

static void test_address_rate(void **state)
{
    (void)state;
    struct client_reply r;
    char after[32];
    struct http_server *s =
        serve((struct http_config){.address_rate = 0.001, .address_burst = 4, .threads = 3});
    for (int i = 0; i < 4; i++)
        assert_int_equal(get(s, ""), 200);
    int fd = dial(s);
    say(fd, "GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_read(fd, false, &r));
    assert_int_equal(r.status, 429);
    assert_non_null(strstr(r.body, "\"code\":\"RATE_LIMITED\""));
    assert_true(client_header(&r, "Retry-After", after, sizeof after));
    assert_in_range(strtoul(after, NULL, 10), 900, 1000);
    assert_false(r.closed);
    client_reply_release(&r);
    close(fd);
    end(s);
}

static void test_tenant_rate(void **state)
{
    (void)state;
    struct http_server *s = serve((struct http_config){.authorize = authorize, .threads = 2});
    assert_int_equal(get(s, "Slow: a\r\n"), 200);
    assert_int_equal(get(s, "Slow: a\r\n"), 200);
    assert_int_equal(get(s, "Slow: a\r\n"), 429);
    assert_int_equal(get(s, "Slow: b\r\n"), 200);
    for (int i = 0; i < 50; i++)
        assert_int_equal(get(s, ""), 200);
    end(s);
}

static void test_wrong_tokens(void **state)
{
    (void)state;
    char header[64];
    struct http_server *s = serve((struct http_config){
        .authorize = authorize, .threads = 2, .wrong_tokens_per_minute = 0.01});
    assert_int_equal(get(s, "Authorization: good\r\n"), 200);
    for (int i = 0; i < 50; i++) /* the same wrong one again and again is no guessing */
        assert_int_equal(get(s, "Authorization: old\r\n"), 401);
    int looked_at = 0;
    for (int i = 0; i < 50; i++) {
        snprintf(header, sizeof header, "Authorization: wrong%d\r\n", i);
        int status = get(s, header);
        assert_true(status == 401 || status == 429);
        looked_at += status == 401;
    }
    assert_int_equal(looked_at, 9);                            /* and "old" makes ten */
    assert_int_equal(get(s, "Authorization: good2\r\n"), 429); /* could be a guess */
    assert_int_equal(get(s, "Authorization: good\r\n"), 200);  /* a known one */
    assert_int_equal(get(s, "Authorization: old\r\n"), 401);   /* known to be wrong */
    assert_int_equal(get(s, ""), 200);                         /* none at all */
    end(s);
}

static void test_connections_of_an_address(void **state)
{
    (void)state;
    int fds[4];
    char body[512];
    struct http_server *s = serve((struct http_config){.threads = 2, .connections_per_address = 4});
    for (int i = 0; i < 4; i++) {
        fds[i] = dial(s);
        say(fds[i], "GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(hear(fds[i], NULL), 200);
    }
    int more = dial(s);
    assert_int_equal(hear(more, body), 429); /* before it has said anything */
    assert_non_null(strstr(body, "RATE_LIMITED"));
    assert_true(hangs_up(more, 5000));
    close(more);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    struct http_stats stats;
    UNTIL((http_stats(s, &stats), stats.open_connections) == 0);
    assert_serves(s);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_rate),
        cmocka_unit_test(test_tenant_rate),
        cmocka_unit_test(test_wrong_tokens),
        cmocka_unit_test(test_connections_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
