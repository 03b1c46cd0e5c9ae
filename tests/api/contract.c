/* Runs the cases of the .http files in tests/api against a real server, one server for each file.
 * The README beside this file describes their format. `api-contract NAME` runs NAME.http only. With
 * CONTRACT_STORE=redis the servers keep everything in a real Redis, each in its own database; with
 * CONTRACT_STORE=cluster in a Redis Cluster, which is emptied before each of them starts. */
#include "support/client.h"
#include "support/http_case.h"
#include "support/json_match.h"
#include "support/openapi_check.h"
#include "support/redis.h"
#include "support/redis_cluster.h"
#include "support/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CASES_MAX 4096
#define WHY_MAX   16384

struct file {
    struct test_server server;
    struct case_variables variables;
    const char *args[32];
    int users; /* cases still to run */
};

struct test_case {
    struct file *file;
    char *name, *text; /* from the request line to the end of the case */
    size_t len;
};

static json_t *openapi;
static struct test_redis redis; /* runs if the tests are on it */
static struct test_cluster cluster;
static bool on_cluster;

/* --- demands: each returns false with `why` --- */

#define DIFFERS(...) (snprintf(why, WHY_MAX, __VA_ARGS__), false)

static bool check_header(const char *line, const struct client_reply *reply, char *why)
{
    char name[128], value[4096] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ":"), line);
    const char *want = line + strlen(name) + 1;
    want += strspn(want, " ");
    bool there = client_header(reply, name, value, sizeof value);
    bool good = strcmp(want, "-") == 0
                    ? !there
                    : there && (strcmp(want, "*") == 0 || text_match(want, value));
    return good || DIFFERS("header %s: wanted '%s', got '%s'\n%.4000s", name, want,
                           there ? value : "(absent)", reply->headers);
}

static bool check_lines(char *lines, const struct client_reply *reply, char *why)
{
    for (char *line; (line = case_line(&lines));) {
        bool unwanted = line[0] == '!';
        if (!strstr(reply->body, line + unwanted) != unwanted)
            return DIFFERS("'%s' is %s the reply:\n%.8000s", line + unwanted,
                           unwanted ? "in" : "not in", reply->body);
    }
    return true;
}

static bool check_body(const struct http_case *c, const struct client_reply *reply,
                       const json_t *json, char *why)
{
    char where[1024] = "";
    json_t *want = json_loads(c->body_in, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!want) {
        char *lines = strdup(c->body_in);
        bool good = check_lines(lines, reply, why);
        free(lines);
        return good;
    }
    bool good =
        json_match(want, json, where, sizeof where) ||
        DIFFERS("reply differs at '%s'\nwanted %s\ngot    %.8000s", where, c->body_in, reply->body);
    json_decref(want);
    return good;
}

static bool check_headers(const struct http_case *c, const struct client_reply *reply, char *why)
{
    char *lines = strdup(c->headers_in), *rest = lines;
    bool good = true;
    for (char *line; good && (line = case_line(&rest));)
        good = check_header(line, reply, why);
    free(lines);
    return good;
}

/* "$name = /pointer" or "$name = header:Name" */
static bool keep_one(struct file *f, const char *line, const struct client_reply *reply,
                     const json_t *json, char *why)
{
    char name[64], source[256], value[16384] = "";
    if (sscanf(line, "$%63[A-Za-z0-9_] = %255s", name, source) != 2)
        return DIFFERS("cannot read '%s'", line);
    const json_t *at = json_at(json, strcmp(source, "/") == 0 ? "" : source);
    if (strncmp(source, "header:", 7) == 0) {
        if (!client_header(reply, source + 7, value, sizeof value))
            return DIFFERS("no header %s to keep", source + 7);
    } else if (json_is_string(at)) {
        snprintf(value, sizeof value, "%s", json_string_value(at));
    } else if (at) {
        char *text = json_dumps(at, JSON_COMPACT | JSON_ENCODE_ANY);
        snprintf(value, sizeof value, "%s", text);
        free(text);
    } else {
        return DIFFERS("no %s to keep in %.8000s", source, reply->body);
    }
    return case_variable_set(&f->variables, name, value) || DIFFERS("no room to keep %s", name);
}

static bool keep(struct file *f, const struct http_case *c, const struct client_reply *reply,
                 const json_t *json, char *why)
{
    char *lines = strdup(c->keep), *rest = lines;
    bool good = true;
    for (char *line; good && (line = case_line(&rest));)
        good = keep_one(f, line, reply, json, why);
    free(lines);
    return good;
}

/* --- one case --- */

static bool send_case(const struct file *f, const struct http_case *c, struct client_reply *reply)
{
    if (strcmp(c->method, "@raw") != 0)
        return client_call(f->server.port, c->method, c->target,
                           c->headers.len ? c->headers.data : "", c->body.data, c->body.len, reply);
    int fd = client_connect(f->server.port);
    bool called =
        fd >= 0 && client_send(fd, c->body.data, c->body.len) && client_read(fd, false, reply);
    if (fd >= 0)
        close(fd);
    return called;
}

/* What the server answers must be in its description. */
static bool check_announced(const struct http_case *c, const struct client_reply *reply,
                            const json_t *json, char *why)
{
    const char *code = json_string_value(json_object_get(json, "code"));
    code = reply->status >= 400 ? code : NULL;
    return strcmp(c->method, "@raw") == 0 ||
           openapi_announces(openapi, c->method, c->target, reply->status, code) ||
           DIFFERS("docs/openapi.json does not announce %d %s of %s %.200s", reply->status,
                   code ? code : "", c->method, c->target);
}

static bool try_case(struct file *f, const struct http_case *c, char *why)
{
    struct client_reply reply = {0};
    if (!send_case(f, c, &reply)) {
        client_reply_release(&reply);
        return DIFFERS("%s: no reply", c->target);
    }
    json_t *json = json_loads(reply.body, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    bool good =
        (reply.status == c->status || DIFFERS("%s %.200s: wanted %d, got %d\n%.8000s", c->method,
                                              c->target, c->status, reply.status, reply.body)) &&
        check_announced(c, &reply, json, why) && check_headers(c, &reply, why) &&
        (!*c->body_in || check_body(c, &reply, json, why)) && keep(f, c, &reply, json, why);
    json_decref(json);
    client_reply_release(&reply);
    return good;
}

static void restart(struct file *f, int number)
{
    int status = test_server_end(&f->server, number);
    assert_int_equal(status, number == SIGKILL ? -SIGKILL : 0);
    assert_true(test_server_start(&f->server));
}

/* Its last arguments become the next database, or the Cluster, emptied. */
static void put_on_redis(struct file *f)
{
    static int database;
    char url[256];
    size_t n = 0;
    while (f->args[n])
        n++;
    assert_true(n + 2 < sizeof f->args / sizeof *f->args);
    if (on_cluster) {
        assert_true(test_cluster_flush(&cluster));
        test_cluster_url(&cluster, url, sizeof url);
    } else {
        snprintf(url, sizeof url, "redis://127.0.0.1:%u/%d", redis.port, database++);
    }
    f->args[n] = strdup("--redis-url");
    f->args[n + 1] = strdup(url);
}

static void first_start(struct file *f)
{
    if (f->server.pid)
        return;
    if (!f->server.dir[0]) {
        test_server_init(&f->server);
        if (redis.pid || on_cluster)
            put_on_redis(f);
    }
    f->server.args = f->args;
    assert_true(test_server_start(&f->server));
}

static void run_request(struct test_case *t)
{
    static char why[WHY_MAX];
    const struct timespec pause = {.tv_nsec = 50000000};
    time_t end = 0;
    for (bool good = false; !good;) {
        struct http_case c;
        if (!http_case_read(&c, t->text, &t->file->variables, why, sizeof why))
            fail_msg("%s", why);
        end = end ? end : time(NULL) + c.within_s;
        bool last = time(NULL) >= end;
        good = try_case(t->file, &c, why);
        http_case_release(&c);
        if (!good && last)
            fail_msg("%s", why);
        if (!good)
            nanosleep(&pause, NULL);
    }
}

static void run_case(void **state)
{
    struct test_case *t = *state;
    /* No two cases change something within one millisecond, so lists by time have one order. */
    nanosleep(&(const struct timespec){.tv_nsec = 1500000}, NULL);
    first_start(t->file);
    if (strncmp(t->text, "@restart", 8) == 0)
        restart(t->file, SIGTERM);
    else if (strncmp(t->text, "@kill", 5) == 0)
        restart(t->file, SIGKILL);
    else
        run_request(t);
}

static void file_free(struct file *file)
{
    for (size_t i = 0; file->args[i]; i++)
        free((char *)file->args[i]);
    free(file);
}

static int end_case(void **state)
{
    struct test_case *t = *state;
    int status = 0;
    if (--t->file->users == 0) {
        status = test_server_end(&t->file->server, SIGTERM);
        test_server_release(&t->file->server);
        file_free(t->file);
    }
    free(t->text);
    free(t);
    return status; /* a server that does not end well (sanitizers!) fails its last case */
}

/* --- reading the files --- */

static char *read_file(const char *path)
{
    char *text = calloc(1, CASE_TEXT_MAX);
    FILE *f = fopen(path, "re");
    if (!f || fread(text, 1, CASE_TEXT_MAX - 1, f) == 0)
        exit(1);
    fclose(f);
    return text;
}

/* `text` was allocated for all that follows the case's name. */
static void append_line(struct test_case *c, const char *line)
{
    size_t len = strlen(line);
    memcpy(c->text + c->len, line, len);
    c->text[c->len + len] = '\n';
    c->len += len + 1;
}

static struct test_case *case_new(struct file *file, const char *path, const char *name,
                                  const char *rest)
{
    struct test_case *c = calloc(1, sizeof *c);
    c->file = file;
    c->text = calloc(1, strlen(rest) + 2);
    if (asprintf(&c->name, "%s: %s", strrchr(path, '/') + 1, name) < 0)
        exit(1);
    file->users++;
    return c;
}

static size_t load(const char *path, struct CMUnitTest *tests, size_t n)
{
    struct file *file = calloc(1, sizeof *file);
    struct test_case *c = NULL;
    char *all = read_file(path), *at = all, *line;
    size_t n_args = 0;
    while ((line = case_line(&at)) && n < CASES_MAX) {
        if (strncmp(line, "### ", 4) == 0) {
            c = case_new(file, path, line + 4, at ? at : "");
            tests[n++] = (struct CMUnitTest){c->name, run_case, NULL, end_case, c};
        } else if (c) {
            append_line(c, line);
        } else if (line[0] == '>') {
            for (char *save = NULL, *word = strtok_r(line + 1, " ", &save); word;
                 word = strtok_r(NULL, " ", &save))
                file->args[n_args++] = strdup(word);
        }
    }
    free(all);
    if (!file->users)
        file_free(file);
    return n;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[CASES_MAX + 1];
    char pattern[4096];
    glob_t files;
    size_t n = 0;
    const char *source = getenv("PADDOCK_SOURCE");
    if (!source || !getenv("PADDOCK_BIN")) {
        fputs("PADDOCK_SOURCE and PADDOCK_BIN must be set\n", stderr);
        return 1;
    }
    const char *store = getenv("CONTRACT_STORE");
    on_cluster = store && strcmp(store, "cluster") == 0;
    if (store && !test_redis_there())
        return 77;
    if (on_cluster && !test_cluster_start(&cluster)) {
        test_cluster_release(&cluster);
        return 1;
    }
    if (store && !on_cluster) {
        test_redis_init(&redis);
        if (!test_redis_start(&redis))
            return 1;
    }
    openapi = openapi_read();
    if (!openapi) {
        fputs("docs/openapi.json cannot be read\n", stderr);
        return 1;
    }
    snprintf(pattern, sizeof pattern, "%s/tests/api/%s.http", source, argc > 1 ? argv[1] : "*");
    if (glob(pattern, 0, NULL, &files) != 0) {
        fprintf(stderr, "no files match %s\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        n = load(files.gl_pathv[i], tests, n);
    globfree(&files);
    int failed = _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
    json_decref(openapi);
    if (on_cluster)
        test_cluster_release(&cluster);
    if (redis.pid)
        test_redis_release(&redis);
    return failed;
}
