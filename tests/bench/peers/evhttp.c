/* evhttp: the bare libevent HTTP server that Paddock is measured against.
 *
 * One loop, the flags that make evhttp fastest, and nothing of a registry: a GET answers the bytes
 * of a file; a POST parses one inference record (or a selection) with jansson, checks it, and
 * answers another file's bytes, with no disk behind it. Both carry the reply headers they are
 * given, so that the two servers write the same answer, and each request is a line in a buffered
 * access log.
 *
 * usage: evhttp --get-body FILE --get-headers FILE --post-body FILE --post-headers FILE --log FILE
 *
 * A headers file holds `Name: value` lines. Listens on 127.0.0.1, prints the port it was given, and
 * ends on SIGTERM. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include <jansson.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FILE_MAX = 64 * 1024, HEADERS_MAX = 32, LOG_BUFFER = 64 * 1024 };

struct header {
    const char *name;
    const char *value;
};

/* What one method is answered with. */
struct answer {
    char *body;
    size_t body_len;
    char *header_text; /* the headers point into it */
    struct header headers[HEADERS_MAX];
    size_t header_count;
};

struct server {
    struct answer get;
    struct answer post;
    FILE *log;
};

static char *read_file(const char *path, size_t *len)
{
    char *text = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    text = calloc(1, FILE_MAX + 1);
    if (text)
        *len = fread(text, 1, FILE_MAX, file);
    (void)fclose(file);
    return text;
}

static bool answer_load(struct answer *answer, const char *body_path, const char *headers_path)
{
    size_t len = 0;
    char *rest = NULL;
    answer->body = read_file(body_path, &answer->body_len);
    answer->header_text = read_file(headers_path, &len);
    if (!answer->body || !answer->header_text)
        return false;
    for (char *line = strtok_r(answer->header_text, "\r\n", &rest); line;
         line = strtok_r(NULL, "\r\n", &rest)) {
        char *colon = strstr(line, ": ");
        if (!colon || answer->header_count == HEADERS_MAX)
            return false;
        *colon = '\0';
        answer->headers[answer->header_count++] = (struct header){.name = line, .value = colon + 2};
    }
    return true;
}

static void answer_release(struct answer *answer)
{
    free(answer->body);
    free(answer->header_text);
}

/* A record as the contract has it: an object with a latency in range; or a question of a selection.
 */
static bool record_valid(const char *text, size_t len)
{
    json_t *record = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *context = json_object_get(record, "context");
    if (json_is_object(context)) {
        bool unit = json_is_string(json_object_get(context, "targetingKey"));
        json_decref(record);
        return unit;
    }
    const json_t *latency = json_object_get(record, "latency_ms");
    const json_t *success = json_object_get(record, "success");
    double latency_ms = json_number_value(latency);
    bool valid = json_is_number(latency) && latency_ms >= 0 && latency_ms <= 86400000 &&
                 (!success || json_is_boolean(success));
    json_decref(record);
    return valid;
}

static void reply(struct evhttp_request *req, const struct answer *answer, int status,
                  const char *reason)
{
    struct evbuffer *body = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    for (size_t i = 0; i < answer->header_count; i++)
        evhttp_add_header(headers, answer->headers[i].name, answer->headers[i].value);
    evbuffer_add(body, answer->body, answer->body_len);
    evhttp_send_reply(req, status, reason, body);
    evbuffer_free(body);
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct server *server = arg;
    struct timespec start, end;
    bool is_post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;
    int status = 200;

    clock_gettime(CLOCK_MONOTONIC, &start);
    if (is_post) {
        struct evbuffer *input = evhttp_request_get_input_buffer(req);
        size_t len = evbuffer_get_length(input);
        const char *text = (const char *)evbuffer_pullup(input, -1);
        status = text && record_valid(text, len) ? 202 : 400;
    }
    reply(req, is_post ? &server->post : &server->get, status, status == 400 ? "Bad" : "OK");
    clock_gettime(CLOCK_MONOTONIC, &end);
    long us = (end.tv_sec - start.tv_sec) * 1000000L + (end.tv_nsec - start.tv_nsec) / 1000;
    fprintf(server->log,
            "{\"time\":%ld.%03ld,\"level\":\"info\",\"method\":\"%s\",\"path\":\"%s\","
            "\"status\":%d,\"duration_us\":%ld}\n",
            (long)end.tv_sec, end.tv_nsec / 1000000, is_post ? "POST" : "GET",
            evhttp_request_get_uri(req), status, us);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    (void)sig;
    (void)what;
    event_base_loopbreak(arg);
}

static bool listen_and_say(struct evhttp *http)
{
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof addr;
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr, &len))
        return false;
    printf("%d\n", ntohs(addr.sin_port));
    return fflush(stdout) == 0;
}

static int serve(struct server *server)
{
    int status = 1;
    struct evhttp *http = NULL;
    struct event *term = NULL;
    struct event_base *base = NULL;
    struct event_config *config = event_config_new();
    if (!config)
        goto out;
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(config);
    http = base ? evhttp_new(base) : NULL;
    term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
    if (!http || !term || event_add(term, NULL) || !listen_and_say(http))
        goto out;
    evhttp_set_gencb(http, on_request, server);
    status = event_base_dispatch(base) < 0;
out:
    if (http)
        evhttp_free(http);
    if (term)
        event_free(term);
    if (base)
        event_base_free(base);
    if (config)
        event_config_free(config);
    return status;
}

/* The value that follows `name` among the arguments, or NULL. */
static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static char log_buffer[LOG_BUFFER];
    struct server server = {0};
    const char *names[] = {"--get-body", "--get-headers", "--post-body", "--post-headers", "--log"};
    const char *values[5];
    int status = 1;

    for (int i = 0; i < 5; i++) {
        values[i] = option(argc, argv, names[i]);
        if (!values[i]) {
            fprintf(stderr, "%s is missing\n", names[i]);
            return 2;
        }
    }
    server.log = fopen(values[4], "w");
    if (!server.log || setvbuf(server.log, log_buffer, _IOFBF, sizeof log_buffer))
        goto out;
    if (!answer_load(&server.get, values[0], values[1]) ||
        !answer_load(&server.post, values[2], values[3])) {
        fprintf(stderr, "an answer's file cannot be read\n");
        goto out;
    }
    status = serve(&server);
out:
    answer_release(&server.get);
    answer_release(&server.post);
    if (server.log)
        (void)fclose(server.log);
    return status;
}
