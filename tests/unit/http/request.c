/* What a handler sees of a request, what the client sees of a reply, and what is checked between.
 */
#include "fixture.h"

static struct http_server *server;

static bool authorize(struct request *rq, struct err *e)
{
    if (request_route(rq)->flags & ROUTE_PUBLIC)
        return true;
    const char *token = request_header(rq, "authorization");
    if (!token)
        return fail(e, &HTTP_UNAUTHENTICATED, "no token");
    request_set_actor(rq, "token", "ci");
    return strcmp(token, "Bearer good") == 0 || fail(e, &HTTP_FORBIDDEN, "needs read");
}

static int set_up(void **state)
{
    (void)state;
    server = serve((struct http_config){.authorize = authorize});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end(server);
    return 0;
}

/* Ask with a method and target; the reply must be released. */
static struct client_reply call(const char *method, const char *target, const char *headers,
                                const char *body)
{
    struct client_reply r;
    int fd = dial(server);
    char text[2048];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, target, headers);
    say(fd, text);
    if (body) {
        snprintf(text, sizeof text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
        say(fd, text);
    } else {
        say(fd, "\r\n");
    }
    assert_true(client_read(fd, strcmp(method, "HEAD") == 0, &r));
    close(fd);
    return r;
}

#define JSON "Content-Type: application/json\r\n"

static void status_is(int status, const char *method, const char *target, const char *headers,
                      const char *body)
{
    struct client_reply r = call(method, target, headers, body);
    if (r.status != status)
        fail_msg("%s %s: want %d, got %d %s", method, target, status, r.status, r.body);
    client_reply_release(&r);
}

static void body_is(const char *want, const char *method, const char *target, const char *headers,
                    const char *body)
{
    struct client_reply r = call(method, target, headers, body);
    assert_string_equal(r.body, want);
    client_reply_release(&r);
}

/* A problem whose code is `code` and whose text has `part`. */
static void problem_is(int status, const char *code, const char *part, const char *method,
                       const char *target, const char *headers, const char *body)
{
    struct client_reply r = call(method, target, headers, body);
    char text[128], type[64];
    snprintf(text, sizeof text, "\"status\":%d,\"code\":\"%s\"", status, code);
    if (r.status != status || !strstr(r.body, text) || !strstr(r.body, part))
        fail_msg("%s %s: want %d %s, got %d %s", method, target, status, code, r.status, r.body);
    assert_true(client_header(&r, "Content-Type", type, sizeof type));
    assert_string_equal(type, "application/problem+json");
    client_reply_release(&r);
}

static void test_handler_sees(void **state)
{
    (void)state;
    body_is("{\"id\":\"a/b c\",\"q\":\"-\",\"len\":0,\"body\":\"\"}", "GET", "/things/a%2Fb%20c",
            "", NULL);
    body_is("{\"id\":\"x\",\"q\":\"1 2+\",\"len\":0,\"body\":\"\"}", "GET", "/things/x?q=1+2%2B",
            "", NULL);
    body_is("{\"id\":\"x\",\"q\":\"\",\"len\":0,\"body\":\"\"}", "GET", "/things/x?&q&", "", NULL);
    body_is("{\"id\":\"x\",\"q\":\"-\",\"len\":3,\"body\":\"[1]\"}", "PUT", "/things/x", JSON,
            "[1]");
    body_is("{\"id\":\"abs\",\"q\":\"-\",\"len\":0,\"body\":\"\"}", "GET", "http://h/things/abs",
            "", NULL);
}

static void test_reply_headers(void **state)
{
    (void)state;
    struct client_reply r = call("GET", "/things/1", "X-Request-Id: my \"id\"\r\n", NULL);
    char value[128];
    assert_true(client_header(&r, "X-Request-Id", value, sizeof value));
    assert_string_equal(value, "my \"id\"");
    assert_true(client_header(&r, "Content-Type", value, sizeof value));
    assert_string_equal(value, "application/json; charset=utf-8");
    assert_true(client_header(&r, "Date", value, sizeof value));
    struct tm tm;
    assert_non_null(strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm));
    assert_true(llabs((long long)timegm(&tm) - (long long)time(NULL)) < 5);
    assert_false(client_header(&r, "Connection", value, sizeof value));
    client_reply_release(&r);
    r = call("GET", "/things/1", "X-Request-Id: h\xc3\xa4\r\n", NULL);
    assert_true(client_header(&r, "X-Request-Id", value, sizeof value));
    assert_int_equal(strlen(value), 26); /* not printable: a ULID of ours */
    client_reply_release(&r);
}

static void test_head(void **state)
{
    (void)state;
    struct client_reply get = call("GET", "/size/5000", "X-Request-Id: a\r\n", NULL);
    struct client_reply head = call("HEAD", "/size/5000", "X-Request-Id: a\r\n", NULL);
    assert_int_equal(get.status, 200);
    assert_int_equal(get.len, 5000);
    /* The same headers but for the date, which may tick between. */
    assert_string_equal(strstr(get.headers, "Content-Type"), strstr(head.headers, "Content-Type"));
    client_reply_release(&get);
    client_reply_release(&head);
    int fd = dial(server);
    say(fd, "HEAD /size/5000 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /nope HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    struct client_reply r;
    assert_true(client_read(fd, true, &r));
    client_reply_release(&r);
    assert_true(client_read(fd, true, &r)); /* no body came between */
    assert_int_equal(r.status, 404);
    client_reply_release(&r);
    assert_int_equal(hear(fd, NULL), 200);
    assert_true(hangs_up(fd, 2000));
    close(fd);
}

static void test_entity(void **state)
{
    (void)state;
    struct client_reply r = call("GET", "/entity", "", NULL);
    char tag[32];
    assert_true(client_header(&r, "ETag", tag, sizeof tag));
    assert_string_equal(tag, "\"7\"");
    client_reply_release(&r);
    status_is(304, "GET", "/entity", "If-None-Match: \"7\"\r\n", NULL);
    status_is(304, "GET", "/entity", "If-None-Match: \"6\", W/\"7\" ,\"8\"\r\n", NULL);
    status_is(304, "GET", "/entity", "If-None-Match: *\r\n", NULL);
    status_is(304, "GET", "/entity", "If-None-Match: \"1\"\r\nIf-None-Match: \"7\"\r\n", NULL);
    status_is(200, "GET", "/entity", "If-None-Match: \"77\", \"6\"\r\n", NULL);
    status_is(200, "GET", "/entity", "If-None-Match: 7\r\n", NULL);
    status_is(304, "HEAD", "/entity", "If-None-Match: \"7\"\r\n", NULL);
}

static void test_paths_and_methods(void **state)
{
    (void)state;
    problem_is(404, "NOT_FOUND", "\"instance\":\"/nope\"", "GET", "/nope?x=1", "", NULL);
    problem_is(404, "NOT_FOUND", "no such path", "GET", "/things/..", "", NULL);
    problem_is(404, "NOT_FOUND", "no such path", "GET", "/things/%2e%2E", "", NULL);
    problem_is(404, "NOT_FOUND", "no such path", "GET", "/x/../things/1", "", NULL);
    problem_is(400, "MALFORMED_REQUEST", "UTF-8", "GET", "/things/%ff", "", NULL);
    problem_is(405, "METHOD_NOT_ALLOWED", "DELETE", "DELETE", "/things", "", NULL);
    struct client_reply r = call("POST", "/things/1", "", NULL);
    char allow[64];
    assert_int_equal(r.status, 405);
    assert_true(client_header(&r, "Allow", allow, sizeof allow));
    assert_string_equal(allow, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    client_reply_release(&r);
    r = call("OPTIONS", "/things", "", NULL);
    assert_int_equal(r.status, 204);
    assert_true(client_header(&r, "Allow", allow, sizeof allow));
    assert_string_equal(allow, "POST, OPTIONS");
    assert_false(client_header(&r, "Content-Length", allow, sizeof allow));
    client_reply_release(&r);
    status_is(204, "OPTIONS", "*", "", NULL);
    status_is(404, "OPTIONS", "/nope", "", NULL);
    problem_is(501, "NOT_IMPLEMENTED", "BREW", "BREW", "/things", "", NULL);
}

static void test_query(void **state)
{
    (void)state;
    problem_is(400, "UNKNOWN_PARAMETER", "{\"field\":\"x\"", "GET", "/things/1?x=1", "", NULL);
    problem_is(400, "UNKNOWN_PARAMETER", "\"x\"", "PUT", "/things/1?x=1", JSON, "{}");
    problem_is(400, "VALIDATION_FAILED", "limit", "GET", "/things/1?limit=0", "", NULL);
    problem_is(400, "VALIDATION_FAILED", "limit", "GET", "/things/1?limit=1x", "", NULL);
    problem_is(400, "VALIDATION_FAILED", "\"q\"", "GET", "/things/1?q=12345678901", "", NULL);
    problem_is(400, "VALIDATION_FAILED", "limit", "GET", "/things/1?limit=0&x=1", "",
               NULL); /* both kinds */
    problem_is(400, "VALIDATION_FAILED", "only once", "GET", "/things/1?q=1&q=2", "", NULL);
    problem_is(400, "MALFORMED_REQUEST", "query", "GET", "/things/1?q=%zz", "", NULL);
    problem_is(400, "MALFORMED_REQUEST", "query", "GET", "/things/1?q=%00", "", NULL);
    problem_is(400, "VALIDATION_FAILED", "must", "GET", "/strict", "", NULL);
    status_is(200, "GET", "/strict?must=3", "", NULL);
    status_is(200, "GET", "/things/1?label.team=odds&label.a%2Fb=c&limit=5", "", NULL);
    status_is(400, "GET", "/things/1?label.=odds", "", NULL);
    status_is(400, "GET", "/any?%ff=1", "", NULL);
    status_is(200, "GET", "/any?whatever=1", "", NULL);
    char many[1024] = "/any?";
    for (size_t i = 0; i < 101; i++)
        memcpy(many + 5 + 4 * i, "a=1&", 5);
    problem_is(400, "VALIDATION_FAILED", "more than", "GET", many, "", NULL);
}

static void test_media_types(void **state)
{
    (void)state;
    status_is(200, "PUT", "/things/1", JSON, "{}");
    status_is(200, "PUT", "/things/1", "Content-Type: Application/JSON ; Charset=UTF-8\r\n", "{}");
    status_is(200, "PUT", "/things/1", "Content-Type: application/json;charset=\"utf-8\"\r\n",
              "{}");
    status_is(200, "PUT", "/things/1", "Content-Type: application/json; a=b\r\n", "{}");
    status_is(415, "PUT", "/things/1", "Content-Type: application/json; charset=latin1\r\n", "{}");
    status_is(415, "PUT", "/things/1", "Content-Type: application/json; charset=utf-80\r\n", "{}");
    status_is(415, "PUT", "/things/1", "Content-Type: text/plain\r\n", "{}");
    status_is(415, "PUT", "/things/1", "Content-Type: application/jsonx\r\n", "{}");
    status_is(415, "PUT", "/things/1", "Content-Type:\r\n", "{}");
    problem_is(415, "UNSUPPORTED_MEDIA_TYPE", "application/json", "PUT", "/things/1", "", "{}");
    status_is(400, "PUT", "/things/1", JSON JSON, "{}");
    status_is(415, "PUT", "/things/1", "Content-Type: application/merge-patch+json\r\n", "{}");
    status_is(200, "PATCH", "/things/1", "Content-Type: application/merge-patch+json\r\n", "{}");
    status_is(200, "POST", "/big", "Content-Type: application/x-ndjson\r\n", "{}\n");
    status_is(415, "PUT", "/things/1", "Content-Type: application/x-ndjson\r\n", "{}\n");
    status_is(200, "POST", "/script", "Content-Type: text/x-lua; charset=utf-8\r\n", "x = 1");
    status_is(415, "POST", "/script", JSON, "{}");
    status_is(200, "PUT", "/things/1", "", ""); /* no body needs no type */
    problem_is(400, "VALIDATION_FAILED", "no body", "DELETE", "/things/1", JSON, "{}");
    status_is(200, "DELETE", "/things/1", "Content-Length: 0\r\n", NULL);
}

static void test_keys_and_tokens(void **state)
{
    (void)state;
    status_is(200, "POST", "/things", "Idempotency-Key: k\r\n" JSON, "{}");
    problem_is(400, "VALIDATION_FAILED", "Idempotency-Key", "POST", "/things",
               "Idempotency-Key:\r\n" JSON, "{}");
    problem_is(400, "VALIDATION_FAILED", "Idempotency-Key", "POST", "/check",
               "Idempotency-Key: k\r\n" JSON, "{}");
    struct client_reply r = call("GET", "/secret", "", NULL);
    char value[64];
    assert_int_equal(r.status, 401);
    assert_true(client_header(&r, "WWW-Authenticate", value, sizeof value));
    assert_string_equal(value, "Bearer");
    client_reply_release(&r);
    problem_is(403, "FORBIDDEN", "needs read", "GET", "/secret", "Authorization: Bearer bad\r\n",
               NULL);
    status_is(200, "GET", "/secret", "Authorization: Bearer good\r\n", NULL);
    status_is(404, "GET", "/secrets", "", NULL);
}

static void test_problems(void **state)
{
    (void)state;
    body_is(
        "{\"type\":\"/problems/a-kind\",\"title\":\"A kind\",\"status\":409,\"code\":\"A_KIND\","
        "\"detail\":\"with "
        "\\\"quotes\\\"\",\"instance\":\"/fail/409\",\"request_id\":\"r\",\"more\":1}",
        "GET", "/fail/409", "X-Request-Id: r\r\n", NULL);
    char value[64];
    struct client_reply r = call("GET", "/fail/503", "", NULL);
    assert_true(client_header(&r, "Retry-After", value, sizeof value));
    client_reply_release(&r);
    r = call("GET", "/fail/429", "", NULL);
    assert_true(client_header(&r, "Retry-After", value, sizeof value));
    client_reply_release(&r);
    problem_is(500, "INTERNAL_ERROR", "gave no answer", "GET", "/nothing", "", NULL);
}

static void test_expect(void **state)
{
    (void)state;
    problem_is(417, "EXPECTATION_FAILED", "tea", "GET", "/things/1", "Expect: tea\r\n", NULL);
    int fd = dial(server);
    say(fd, "PUT /things/1 HTTP/1.1\r\nHost: x\r\n" JSON
            "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
    char text[64] = "";
    assert_int_equal(recv(fd, text, 25, MSG_WAITALL), 25);
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "{}");
    assert_int_equal(hear(fd, NULL), 200);
    /* Refused before: no 100, and the connection ends, since the body may come or not. */
    say(fd,
        "PUT /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(recv(fd, text, 12, MSG_WAITALL), 12);
    text[12] = '\0';
    assert_string_equal(text, "HTTP/1.1 415");
    shutdown(fd, SHUT_WR);
    assert_true(hangs_up(fd, 2000));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler_sees),
        cmocka_unit_test(test_reply_headers),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_entity),
        cmocka_unit_test(test_paths_and_methods),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_keys_and_tokens),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_expect),
    };
    return cmocka_run_group_tests_name("request", tests, set_up, tear_down);
}
