/* Runs the cases of the .http files in tests/api against a real server, one server for each file.
 *
 *   ### a sentence that names the case
 *   PUT ~/registry/a:1            `~` is the base path
 *   If-Match: "1"                 headers; a body with none of them gets Content-Type:
 * application/json
 *
 *   {"type":"classifier"}         body, or `@repeat N TEXT` for N times TEXT
 *   => 200                        the status demanded
 *   ETag: "2"                     headers demanded: exact, `*` any, `-` absent, `*text*` contains
 *   {"revision":2}                JSON demanded: a subset; also <any> <time> <number> <string>
 * <absent> <*text*>; anything that is no JSON must be contained as text $id = /items/0/model_id
 * keep a value of the reply (or `header:Name`); used as ${id} later on > --setting value before the
 * first case: arguments of the server
 */
#include "support/client.h"
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
#include <strings.h>

#define BASE          "/api/models/enterprise"
#define TEXT_MAX      (1 << 20)
#define VARIABLES_MAX 64
#define CASES_MAX     4096

struct variable {
    char name[64], value[2048];
};

struct file {
    struct test_server server;
    struct variable variables[VARIABLES_MAX];
    size_t n_variables;
    const char *args[32];
    int users; /* cases still to run */
};

struct test_case {
    struct file *file;
    char *name, *text; /* from the request line to the end of the case */
    size_t len;
};

/* --- substitution --- */

static const char *variable(const struct file *f, const char *name, size_t len)
{
    for (size_t i = f->n_variables; i-- > 0;)
        if (strlen(f->variables[i].name) == len && memcmp(f->variables[i].name, name, len) == 0)
            return f->variables[i].value;
    fail_msg("no variable ${%.*s}", (int)len, name);
    return "";
}

/* Replace ${name} and a leading or space-preceded `~/` in `in`; heap. */
static char *substitute(const struct file *f, const char *in)
{
    char *out = calloc(1, TEXT_MAX);
    size_t n = 0;
    for (const char *p = in; *p && n + 4096 < TEXT_MAX;) {
        if (p[0] == '$' && p[1] == '{' && strchr(p, '}')) {
            const char *end = strchr(p, '}');
            n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s",
                                  variable(f, p + 2, (size_t)(end - p - 2)));
            p = end + 1;
        } else if (p[0] == '~' && p[1] == '/' && (p == in || p[-1] == ' ' || p[-1] == '"')) {
            n += (size_t)snprintf(out + n, TEXT_MAX - n, BASE);
            p++;
        } else {
            out[n++] = *p++;
        }
    }
    return out;
}

/* --- matching --- */

static bool match(const json_t *want, const json_t *got, char *where, size_t at, size_t size);

static bool contains(const char *pattern, const char *text)
{
    char inner[2048];
    size_t len = strlen(pattern);
    if (len < 2 || pattern[0] != '*' || pattern[len - 1] != '*')
        return strcmp(pattern, text) == 0;
    snprintf(inner, sizeof inner, "%.*s", (int)(len - 2), pattern + 1);
    return strstr(text, inner) != NULL;
}

static bool match_string(const char *want, const json_t *got)
{
    size_t len = strlen(want);
    if (len < 3 || want[0] != '<' || want[len - 1] != '>')
        return json_is_string(got) && strcmp(want, json_string_value(got)) == 0;
    if (strcmp(want, "<any>") == 0)
        return got != NULL;
    if (strcmp(want, "<number>") == 0)
        return json_is_number(got);
    if (strcmp(want, "<string>") == 0)
        return json_is_string(got);
    const char *text = json_is_string(got) ? json_string_value(got) : "";
    if (strcmp(want, "<time>") == 0)
        return strlen(text) == 24 && text[10] == 'T' && text[19] == '.' && text[23] == 'Z';
    char pattern[2048];
    snprintf(pattern, sizeof pattern, "%.*s", (int)(len - 2), want + 1);
    return contains(pattern, text);
}

static bool match_object(const json_t *want, const json_t *got, char *where, size_t at, size_t size)
{
    const char *key;
    json_t *value;
    if (!json_is_object(got))
        return false;
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        const json_t *theirs = json_object_get(got, key);
        size_t n = at + (size_t)snprintf(where + at, size - at, "/%s", key);
        if (json_is_string(value) && strcmp(json_string_value(value), "<absent>") == 0) {
            if (theirs)
                return false;
        } else if (!theirs || !match(value, theirs, where, n < size ? n : size - 1, size)) {
            return false;
        }
        where[at] = '\0';
    }
    return true;
}

static bool match(const json_t *want, const json_t *got, char *where, size_t at, size_t size)
{
    if (json_is_string(want))
        return match_string(json_string_value(want), got);
    if (json_is_object(want))
        return match_object(want, got, where, at, size);
    if (json_is_number(want) && json_is_number(got))
        return json_number_value(want) == json_number_value(got);
    if (!json_is_array(want))
        return json_equal(want, got);
    if (!json_is_array(got) || json_array_size(want) != json_array_size(got))
        return false;
    for (size_t i = 0; i < json_array_size(want); i++) {
        size_t n = at + (size_t)snprintf(where + at, size - at, "/%zu", i);
        if (!match(json_array_get(want, i), json_array_get(got, i), where, n < size ? n : size - 1,
                   size))
            return false;
        where[at] = '\0';
    }
    return true;
}

static const json_t *pointer(const json_t *value, const char *path)
{
    while (value && *path == '/') {
        char token[256];
        size_t len = strcspn(++path, "/");
        snprintf(token, sizeof token, "%.*s", (int)len, path);
        path += len;
        value = json_is_array(value) ? json_array_get(value, strtoul(token, NULL, 10))
                                     : json_object_get(value, token);
    }
    return value;
}

/* --- one case --- */

static char *next_line(char **at)
{
    char *line = *at;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    *at = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

struct request {
    char method[16], *target, *headers, *body;
    size_t body_len;
};

static void parse_body(struct request *rq, const char *text)
{
    unsigned long count;
    int used = 0;
    rq->body = strdup(text);
    rq->body_len = strlen(text);
    if (sscanf(text, "@repeat %lu %n", &count, &used) != 1 || !used)
        return;
    const char *piece = text + used;
    size_t len = strcspn(piece, "\n");
    free(rq->body);
    rq->body = malloc(count * len + 1);
    rq->body_len = count * len;
    for (size_t i = 0; i < count; i++)
        memcpy(rq->body + i * len, piece, len);
}

/* Reads up to the `=>` line, whose status it returns. */
static int parse_request(char **at, struct request *rq)
{
    char *line = next_line(at), headers[16384] = "", *body = calloc(1, TEXT_MAX);
    size_t header_len = 0, body_len = 0;
    bool in_body = false;
    int status = 0;
    line[strcspn(line, "\r")] = '\0';
    size_t method_len = strcspn(line, " ");
    snprintf(rq->method, sizeof rq->method, "%.*s", (int)method_len, line);
    rq->target = line + method_len + 1;
    while ((line = next_line(at))) {
        if (strncmp(line, "=> ", 3) == 0) {
            status = (int)strtol(line + 3, NULL, 10);
            break;
        }
        if (!in_body && !*line)
            in_body = true;
        else if (!in_body)
            header_len +=
                (size_t)snprintf(headers + header_len, sizeof headers - header_len, "%s\r\n", line);
        else
            body_len += (size_t)snprintf(body + body_len, TEXT_MAX - body_len, "%s%s",
                                         body_len ? "\n" : "", line);
    }
    while (body_len && body[body_len - 1] == '\n')
        body[--body_len] = '\0';
    if (body_len && !strcasestr(headers, "content-type:"))
        snprintf(headers + header_len, sizeof headers - header_len,
                 "Content-Type: application/json\r\n");
    parse_body(rq, body);
    rq->headers = strdup(headers);
    free(body);
    return status;
}

static void keep(struct file *f, char *line, const struct client_reply *reply, const json_t *json)
{
    struct variable *v = &f->variables[f->n_variables];
    char source[256];
    if (sscanf(line, "$%63[A-Za-z0-9_] = %255s", v->name, source) != 2 ||
        f->n_variables + 1 >= VARIABLES_MAX)
        fail_msg("cannot read '%s'", line);
    if (strncmp(source, "header:", 7) == 0) {
        if (!client_header(reply, source + 7, v->value, sizeof v->value))
            fail_msg("no header %s to keep", source + 7);
    } else {
        const json_t *value = pointer(json, source);
        if (json_is_string(value))
            snprintf(v->value, sizeof v->value, "%s", json_string_value(value));
        else if (json_is_integer(value))
            snprintf(v->value, sizeof v->value, "%lld", (long long)json_integer_value(value));
        else
            fail_msg("no %s to keep in %s", source, reply->body);
    }
    f->n_variables++;
}

static void check_header(const char *line, const struct client_reply *reply)
{
    char name[128], value[4096] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ":"), line);
    const char *want = line + strlen(name) + 1;
    want += strspn(want, " ");
    bool there = client_header(reply, name, value, sizeof value);
    if (strcmp(want, "-") == 0 ? there
                               : !there || (strcmp(want, "*") != 0 && !contains(want, value)))
        fail_msg("header %s: wanted '%s', got '%s'\n%s", name, want, there ? value : "(absent)",
                 reply->headers);
}

static void check_body(const char *text, const struct client_reply *reply, const json_t *json)
{
    char where[1024] = "";
    json_error_t error;
    json_t *want = json_loads(text, JSON_DECODE_ANY, &error);
    if (!want && !strstr(reply->body, text))
        fail_msg("'%s' is not in the reply:\n%.2000s", text, reply->body);
    if (want && !match(want, json, where, 0, sizeof where))
        fail_msg("reply differs at '%s'\nwanted %s\ngot    %.4000s", where, text, reply->body);
    json_decref(want);
}

static bool is_header(const char *line)
{
    size_t len = strcspn(line, ":");
    return line[len] == ':' && len &&
           strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == len;
}

static void check_reply(struct file *f, char *rest, const struct client_reply *reply)
{
    char *line, *body = calloc(1, TEXT_MAX);
    size_t n = 0;
    json_t *json = json_loads(reply->body, JSON_DECODE_ANY, NULL);
    while ((line = next_line(&rest))) {
        if (line[0] == '$')
            keep(f, line, reply, json);
        else if (!n && is_header(line))
            check_header(line, reply);
        else if (n || *line)
            n += (size_t)snprintf(body + n, TEXT_MAX - n, "%s\n", line);
    }
    while (n && body[n - 1] == '\n')
        body[--n] = '\0';
    if (n)
        check_body(body, reply, json);
    json_decref(json);
    free(body);
}

static void run_case(void **state)
{
    const struct test_case *c = *state;
    struct client_reply reply;
    struct request rq = {0};
    if (!c->file->server.pid) {
        if (!c->file->server.dir[0])
            test_server_init(&c->file->server);
        c->file->server.args = c->file->args;
        assert_true(test_server_start(&c->file->server));
    }
    char *text = substitute(c->file, c->text), *at = text;
    int status = parse_request(&at, &rq);
    bool called = client_call(c->file->server.port, rq.method, rq.target, rq.headers, rq.body,
                              rq.body_len, &reply);
    free(rq.headers);
    free(rq.body);
    if (!called)
        fail_msg("%s: no reply", rq.target);
    if (reply.status != status)
        fail_msg("%s %s: wanted %d, got %d\n%.4000s", rq.method, rq.target, status, reply.status,
                 reply.body);
    check_reply(c->file, at ? at : text + strlen(text), &reply);
    client_reply_release(&reply);
    free(text);
}

static int end_case(void **state)
{
    struct test_case *c = *state;
    int status = 0;
    if (--c->file->users == 0) {
        status = test_server_end(&c->file->server, SIGTERM);
        test_server_release(&c->file->server);
        free(c->file);
    }
    free(c->text);
    free(c);
    return status; /* a server that does not end well (sanitizers!) fails its last case */
}

/* --- reading the files --- */

static char *read_file(const char *path)
{
    char *text = calloc(1, TEXT_MAX);
    FILE *f = fopen(path, "re");
    if (!f || fread(text, 1, TEXT_MAX - 1, f) == 0)
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

static size_t load(const char *path, struct CMUnitTest *tests, size_t n)
{
    struct file *file = calloc(1, sizeof *file);
    struct test_case *c = NULL;
    char *all = read_file(path), *at = all, *line;
    size_t n_args = 0;
    while ((line = next_line(&at)) && n < CASES_MAX) {
        if (strncmp(line, "### ", 4) == 0) {
            c = calloc(1, sizeof *c);
            c->file = file;
            c->text = calloc(1, strlen(at ? at : "") + 2);
            if (asprintf(&c->name, "%s: %s", strrchr(path, '/') + 1, line + 4) < 0)
                exit(1);
            file->users++;
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
        free(file);
    return n;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[CASES_MAX];
    char pattern[4096];
    glob_t files;
    size_t n = 0;
    const char *source = getenv("PADDOCK_SOURCE");
    if (!source || !getenv("PADDOCK_BIN")) {
        fputs("PADDOCK_SOURCE and PADDOCK_BIN must be set\n", stderr);
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
    return _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
}
