/* How long a refusal takes must not tell what it hides: whether a thing is there that one may not
 * see, whether a token's key is known. Both kinds are asked in turn on one connection, and of each
 * pair it is counted which took longer. If nothing but chance decides, that is half of them,
 * however busy the machine; a difference that a client could use shows as nearly all or nearly
 * none. */
#include "base/sanitizer.h"
#include "support/client.h"
#include "support/server.h"
#include "support/unit.h"

#include "registry/token_secret.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BASE  "/api/models/enterprise"
#define PAIRS 600
/* Chance alone stays within 0.35 and 0.65 but once in a million million times. On a busy machine
 * 100 us more are seen for certain, 30 us sometimes. */
#define LEAST 0.35

/* How long instrumented code takes is nobody's business; that it answers right is. */
#define INSTRUMENTED (BUILT_WITH_ASAN || BUILT_WITH_TSAN)

static struct test_server server;
static char root[128], confined[128];

static json_t *post(const char *path, const char *ns, const char *secret, const char *body)
{
    struct client_reply r = {0};
    char headers[512];
    snprintf(headers, sizeof headers,
             "Paddock-Namespace: %s\r\nContent-Type: application/json\r\n%s%s%s", ns,
             *secret ? "Authorization: Bearer " : "", secret, *secret ? "\r\n" : "");
    assert_true(client_call(server.port, "POST", path, headers, body, strlen(body), &r));
    if (r.status != 201)
        fail_msg("POST %s: %d %s", path, r.status, r.body);
    json_t *json = json_loads(r.body, 0, NULL);
    client_reply_release(&r);
    return json;
}

static void make_token(const char *by, const char *body, char secret[128])
{
    json_t *made = post(BASE "/tokens", "default", by, body);
    snprintf(secret, 128, "%s", json_string_value(json_object_get(made, "token")));
    json_decref(made);
}

static int set_up(void **state)
{
    static const char *const ARGS[] = {"--wrong-tokens-per-minute", "1000000", "--access-log",
                                       "false", NULL};
    (void)state;
    test_server_init(&server);
    server.args = ARGS;
    if (!test_server_start(&server))
        return 1;
    json_decref(post(BASE "/registry", "news", "", "{\"name\":\"there\",\"type\":\"other\"}"));
    json_decref(post(BASE "/registry", "odds", "", "{\"name\":\"there\",\"type\":\"other\"}"));
    make_token("", "{\"token_id\":\"root\",\"role\":\"admin\"}", root);
    make_token(
        root,
        "{\"token_id\":\"confined\",\"grants\":[{\"namespace\":\"odds\",\"names\":[\"mine-*\"]"
        ",\"actions\":[\"read\",\"model.write\",\"route.write\",\"model.rollback\"]}]}",
        confined);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t took(int fd, const char *text, int status)
{
    struct client_reply r = {0};
    int64_t begin = now_ns();
    assert_true(client_send(fd, text, strlen(text)) && client_read(fd, false, &r));
    int64_t end = now_ns();
    if (r.status != status)
        fail_msg("wanted %d, got %d %s for %s", status, r.status, r.body, text);
    client_reply_release(&r);
    return end - begin;
}

/* The share of pairs in which the first took longer; `make(i, first, text)` writes a request. */
static double share(void (*make)(int i, bool first, const void *ctx, char text[1024]),
                    const void *ctx, int status)
{
    char text[2][1024];
    int64_t time[2];
    int longer = 0;
    int fd = client_connect(server.port);
    assert_true(fd >= 0);
    for (int i = -20; i < PAIRS; i++) { /* the first ones warm up */
        for (int k = 0; k < 2; k++)
            make(i + 20, k == 0, ctx, text[k]);
        int begin = i & 1; /* neither is always the second */
        time[begin] = took(fd, text[begin], status);
        time[!begin] = took(fd, text[!begin], status);
        longer += i >= 0 && time[0] > time[1];
    }
    close(fd);
    return (double)longer / PAIRS;
}

static void alike(const char *what, double part)
{
    print_message("%-40s %.2f of %d pairs took longer\n", what, part, PAIRS);
    if (!INSTRUMENTED && (part < LEAST || part > 1 - LEAST))
        fail_msg("%s: how long it takes tells", what);
}

struct question {
    const char *method, *path, *ns; /* path: %s is what is asked for */
};

/* Hidden, and not there: names of one length. */
static void ask_for(int i, bool first, const void *ctx, char text[1024])
{
    const struct question *q = ctx;
    char path[256];
    bool body = strcmp(q->method, "PATCH") == 0;
    (void)i;
    snprintf(path, sizeof path, "%s", q->path);
    char *at = strstr(path, "WHICH");
    assert_non_null(at);
    memcpy(at, first ? "there" : "other", 5);
    snprintf(text, 1024,
             "%s " BASE "%s HTTP/1.1\r\nHost: x\r\nPaddock-Namespace: %s\r\n"
             "Authorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s",
             q->method, path, q->ns, confined, body ? "Content-Type: application/json\r\n" : "",
             body ? 2 : 0, body ? "{}" : "");
}

static void what_is_hidden(void **state)
{
    static const struct question QUESTIONS[] = {
        {"GET", "/registry/WHICH:1", "odds"},
        {"GET", "/registry/WHICH:1", "news"},
        {"PATCH", "/registry/WHICH:1", "odds"},
        {"DELETE", "/registry/WHICH:1", "news"},
        {"GET", "/registry/WHICH:1/metrics", "odds"},
        {"GET", "/registered-models/WHICH", "odds"},
        {"GET", "/routes/WHICH", "odds"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof *QUESTIONS; i++) {
        char what[128];
        const struct question *q = &QUESTIONS[i];
        snprintf(what, sizeof what, "%s %s, %s", q->method, q->path, q->ns);
        alike(what, share(ask_for, q, 404));
    }
}

/* A well-formed secret that nobody has, with the key of a token and with another: each a new one.
 */
static void guess(int i, bool first, const void *ctx, char text[1024])
{
    static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct token_secret made;
    uint8_t chance[TOKEN_CHANCE];
    (void)ctx;
    for (size_t k = 0; k < sizeof chance; k++)
        chance[k] = (uint8_t)(((size_t)i * 31 + (size_t)i / 62 * k + k * 7 + !first) % 62);
    for (size_t k = 0; first && k < TOKEN_KEY_LEN; k++) /* the key is what follows pdk_ */
        chance[k] = (uint8_t)(strchr(DIGITS, confined[4 + k]) - DIGITS);
    assert_true(token_secret_make(chance, &made));
    snprintf(text, 1024,
             "GET " BASE "/registry HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
             made.text);
}

static void whose_key_is_known(void **state)
{
    (void)state;
    alike("a wrong secret of a known key", share(guess, NULL, 401));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_hidden),
        cmocka_unit_test(whose_key_is_known),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
