/* load: sends HTTP requests at a given rate and says how long the answers took.
 *
 * usage: load --port P --seconds S [--warmup S] [--pauses 1 [--backlog R]]
 *             {--stream NAME OPTION VALUE ...}...
 *
 * Each stream has its own keep-alive connections, and options that follow its name:
 *   --method M --path T --type T --body T   the request; T is a template
 *   --header H                              one more header line, a template as well
 *   --lines N          the body is its template N times, each with a newline (NDJSON); such bodies
 *                      are rendered before the start, --variants V of them, sent in turn
 *   --rate R           requests a second, open loop; 0 (default): as fast as answers come
 *   --connections C    (default 1)          --depth D   requests in flight on each (default 1)
 *   --count N          end after N requests --expect S  the status that counts as ok (default 200)
 * Templates are those of support/template.h; <n> is the number of the request (of the line, where
 * there are lines), from 0.
 *
 * --pauses 1 leaves out latencies during which the machine stood still (support/pauses.h), and says
 * how many those were. With --backlog also those until what had piled up then can be answered, R
 * times as long: 1 at half of the greatest rate.
 *
 * Paced requests are timed from the moment they were due, not from the moment they could be sent:
 * a server that stalls is charged for all that had to wait. One thread, one epoll; a line of JSON
 * for each stream at the end. Ends by itself: --seconds or every --count, then at most five more
 * seconds for what is in flight. Exit status 1 if any request failed. */
#include "base/bytes.h"
#include "base/thread.h"
#include "support/latencies.h"
#include "support/pauses.h"
#include "support/template.h"

#include <http_parser.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STREAMS_MAX = 8, DEPTH_MAX = 256, VARIANTS_MAX = 256, CONNECTIONS_MAX = 4096 };

static const int64_t SECOND_NS = 1000000000;
static const size_t TEXT_MAX = 64 << 20; /* one connection's unsent requests, or one body */
/* Sent at once. A kernel that does not preempt itself (PREEMPT_NONE) gives the processor to nobody
 * else for as long as one call lasts; a client on another machine would not do that to a server. */
static const size_t SEND_MAX = 64 << 10;

struct connection {
    struct stream *stream;
    int fd;
    http_parser parser;
    struct bytes out; /* requests not yet written */
    size_t out_sent;
    bool wants_out;
    int64_t due_ns[DEPTH_MAX]; /* of the requests in flight, a ring, oldest at `first` */
    unsigned first;
    unsigned in_flight;
};

struct stream {
    const char *name, *method, *path, *type, *body, *header;
    double rate, lines, variants, connections, depth, count, expect;
    struct connection *conns;
    unsigned next_conn;
    struct bytes bodies[VARIANTS_MAX];
    uint64_t sent, ok, failed;
    unsigned bad_status; /* of the first answer that was not as expected */
    struct latencies latencies;
    size_t left_out;        /* of them: a processor stood still meanwhile */
    double p99_with_all_ms; /* those among them */
    int64_t last_ns;        /* when the last answer came */
};

struct load {
    double port, seconds, warmup, watch_pauses, backlog;
    struct pauses *pauses; /* NULL: not watched */
    struct stream streams[STREAMS_MAX];
    unsigned stream_count;
    int epoll;
    int64_t start_ns, measure_ns, end_ns;
    uint64_t random;
    struct bytes request; /* the body being rendered */
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "load: %s %s%s%s\n", what, which, errno ? ": " : "",
            errno ? strerror(errno) : "");
    exit(2);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Text and templates. */

static void render(struct load *load, struct bytes *out, const char *template, uint64_t n)
{
    if (!template_render(out, template, n, &load->random))
        die("no such placeholder in", template);
}

static void render_variants(struct load *load, struct stream *s)
{
    unsigned lines = (unsigned)s->lines;
    for (unsigned v = 0; lines && v < (unsigned)s->variants; v++) {
        bytes_init(&s->bodies[v], TEXT_MAX);
        for (unsigned i = 0; i < lines; i++) {
            render(load, &s->bodies[v], s->body, (uint64_t)v * lines + i);
            bytes_char(&s->bodies[v], '\n');
        }
    }
}

/* Append request number `n` of the stream to `out`. */
static void render_request(struct load *load, struct stream *s, struct bytes *out, uint64_t n)
{
    const struct bytes *body = &load->request;
    bytes_clear(&load->request);
    if (s->lines > 0)
        body = &s->bodies[n % (unsigned)s->variants];
    else if (s->body)
        render(load, &load->request, s->body, n);
    bytes_text(out, s->method);
    bytes_char(out, ' ');
    render(load, out, s->path, n);
    bytes_text(out, " HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if (s->header) {
        render(load, out, s->header, n);
        bytes_text(out, "\r\n");
    }
    if (s->body)
        bytes_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", s->type, body->len);
    bytes_text(out, "\r\n");
    if (s->body)
        bytes_add(out, body->data, body->len);
    if (out->full || body->full)
        die("too long: a request of", s->name);
}

/* Connections. */

static void conn_watch(struct load *load, struct connection *c, int op, bool out)
{
    struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c};
    if (epoll_ctl(load->epoll, op, c->fd, &event))
        die("cannot watch", "a connection");
    c->wants_out = out;
}

static void conn_open(struct load *load, struct connection *c)
{
    int one = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)load->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof addr))
        die("cannot connect", c->stream->name);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
        die("cannot set up", "a connection");
    http_parser_init(&c->parser, HTTP_RESPONSE);
    c->parser.data = c;
    bytes_clear(&c->out);
    c->out_sent = 0;
    c->first = c->in_flight = 0;
    conn_watch(load, c, EPOLL_CTL_ADD, false);
}

/* The server hung up: what was in flight has failed. */
static void conn_lost(struct load *load, struct connection *c)
{
    c->stream->failed += c->in_flight;
    close(c->fd);
    conn_open(load, c);
}

static void conn_write(struct load *load, struct connection *c)
{
    while (c->out_sent < c->out.len) {
        size_t left = c->out.len - c->out_sent;
        ssize_t n =
            send(c->fd, c->out.data + c->out_sent, left < SEND_MAX ? left : SEND_MAX, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            conn_lost(load, c);
            return;
        }
        c->out_sent += (size_t)n;
    }
    bool more = c->out_sent < c->out.len;
    if (!more) {
        bytes_clear(&c->out);
        c->out_sent = 0;
    }
    if (more != c->wants_out)
        conn_watch(load, c, EPOLL_CTL_MOD, more);
}

static struct load the_load; /* http_parser callbacks have one pointer, and it is the connection */

static int on_answer(http_parser *parser)
{
    struct connection *c = parser->data;
    struct stream *s = c->stream;
    int64_t due_ns = c->due_ns[c->first];
    if (c->in_flight == 0)
        return 1; /* an answer to nothing */
    c->first = (c->first + 1) % DEPTH_MAX;
    c->in_flight--;
    s->last_ns = now_ns();
    if (parser->status_code == (unsigned)s->expect) {
        s->ok++;
    } else {
        s->failed++;
        s->bad_status = s->bad_status ? s->bad_status : parser->status_code;
    }
    if (due_ns >= the_load.measure_ns)
        latencies_add(&s->latencies, s->last_ns - due_ns, s->last_ns);
    return 0;
}

static void conn_read(struct load *load, struct connection *c)
{
    static const http_parser_settings settings = {.on_message_complete = on_answer};
    static char data[256 * 1024];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || http_parser_execute(&c->parser, &settings, data, (size_t)n) != (size_t)n)
        conn_lost(load, c);
}

/* Streams. */

/* When the stream's next request is due; INT64_MAX: never again. */
static int64_t stream_due(const struct load *load, const struct stream *s, int64_t now)
{
    if (s->count > 0 && (double)s->sent >= s->count)
        return INT64_MAX;
    int64_t due = s->rate > 0 ? load->start_ns + (int64_t)((double)s->sent / s->rate * 1e9) : now;
    return due < load->end_ns && now < load->end_ns ? due : INT64_MAX;
}

static struct connection *stream_free_conn(struct stream *s)
{
    unsigned count = (unsigned)s->connections;
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &s->conns[(s->next_conn + i) % count];
        if (c->in_flight < (unsigned)s->depth) {
            s->next_conn = (s->next_conn + i + 1) % count;
            return c;
        }
    }
    return NULL;
}

/* Send all that is due and has a connection; the nanoseconds until more will be. */
static int64_t stream_pump(struct load *load, struct stream *s)
{
    int64_t now = now_ns();
    int64_t due;
    struct connection *c;
    while ((due = stream_due(load, s, now)) <= now) {
        c = stream_free_conn(s);
        if (!c)
            return SECOND_NS / 100; /* an answer will wake us */
        c->due_ns[(c->first + c->in_flight++) % DEPTH_MAX] = due;
        render_request(load, s, &c->out, s->sent++);
        conn_write(load, c);
        if (s->rate > 0)
            now = now_ns();
    }
    return due == INT64_MAX ? SECOND_NS / 100 : due - now;
}

static bool stream_finished(const struct load *load, const struct stream *s)
{
    return stream_due(load, s, now_ns()) == INT64_MAX && s->ok + s->failed >= s->sent;
}

static void run(struct load *load)
{
    struct epoll_event events[256];
    load->start_ns = now_ns();
    load->measure_ns = load->start_ns + (int64_t)(load->warmup * 1e9);
    load->end_ns = load->start_ns + (int64_t)(load->seconds * 1e9);
    for (bool busy = true; busy && now_ns() < load->end_ns + 5 * SECOND_NS;) {
        int64_t wait = SECOND_NS / 100;
        busy = false;
        for (unsigned i = 0; i < load->stream_count; i++) {
            int64_t next = stream_pump(load, &load->streams[i]);
            wait = next < wait ? next : wait;
            busy = busy || !stream_finished(load, &load->streams[i]);
        }
        struct timespec pause = {.tv_nsec = busy ? (wait > 0 ? wait : 0) : 0};
        int n = epoll_pwait2(load->epoll, events, 256, &pause, NULL);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                conn_write(load, c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                conn_read(load, c);
        }
    }
}

/* The report. */

static bool report(const struct load *load, struct stream *s)
{
    double seconds = (double)(s->last_ns - load->start_ns) / 1e9;
    double rate = seconds > 0 ? (double)s->ok / seconds : 0;
    uint64_t unanswered = s->sent - s->ok - s->failed;
    latencies_sort(&s->latencies);
    s->p99_with_all_ms = latencies_ms(&s->latencies, 0.99);
    if (load->pauses)
        s->left_out = latencies_leave_out(&s->latencies, load->pauses);
    printf("{\"stream\":\"%s\",\"sent\":%llu,\"ok\":%llu,\"failed\":%llu,\"unanswered\":%llu,"
           "\"bad_status\":%u,\"seconds\":%.3f,\"per_second\":%.1f,\"lines_per_second\":%.0f,"
           "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,"
           "\"left_out\":%zu,\"p99_with_all_ms\":%.3f}\n",
           s->name, (unsigned long long)s->sent, (unsigned long long)s->ok,
           (unsigned long long)s->failed, (unsigned long long)unanswered, s->bad_status, seconds,
           rate, rate * (s->lines > 0 ? s->lines : 1), latencies_ms(&s->latencies, 0.5),
           latencies_ms(&s->latencies, 0.9), latencies_ms(&s->latencies, 0.99),
           latencies_ms(&s->latencies, 0.999), latencies_ms(&s->latencies, 1), s->left_out,
           s->p99_with_all_ms);
    return s->failed + unanswered == 0;
}

/* The command line. */

static const struct {
    const char *name;
    bool is_number;
    size_t offset;
    double max;
} OPTIONS[] = {
    {"--method", false, offsetof(struct stream, method), 0},
    {"--path", false, offsetof(struct stream, path), 0},
    {"--type", false, offsetof(struct stream, type), 0},
    {"--body", false, offsetof(struct stream, body), 0},
    {"--header", false, offsetof(struct stream, header), 0},
    {"--lines", true, offsetof(struct stream, lines), 200000},
    {"--variants", true, offsetof(struct stream, variants), VARIANTS_MAX},
    {"--rate", true, offsetof(struct stream, rate), 1e7},
    {"--connections", true, offsetof(struct stream, connections), CONNECTIONS_MAX},
    {"--depth", true, offsetof(struct stream, depth), DEPTH_MAX},
    {"--count", true, offsetof(struct stream, count), 1e9},
    {"--expect", true, offsetof(struct stream, expect), 599},
};

static double number(const char *text, double max)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= max))
        die("not a number in range:", text);
    return value;
}

static bool stream_option(struct stream *s, const char *name, const char *value)
{
    for (size_t i = 0; s && i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        char *field = (char *)s + OPTIONS[i].offset;
        if (strcmp(name, OPTIONS[i].name) != 0)
            continue;
        if (OPTIONS[i].is_number)
            *(double *)(void *)field = number(value, OPTIONS[i].max);
        else
            *(const char **)(void *)field = value;
        return true;
    }
    return false;
}

static void parse(struct load *load, int argc, char **argv)
{
    struct stream *s = NULL;
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value)
            die("no value for", name);
        if (strcmp(name, "--port") == 0) {
            load->port = number(value, 65535);
        } else if (strcmp(name, "--seconds") == 0) {
            load->seconds = number(value, 3600);
        } else if (strcmp(name, "--warmup") == 0) {
            load->warmup = number(value, 3600);
        } else if (strcmp(name, "--pauses") == 0) {
            load->watch_pauses = number(value, 1);
        } else if (strcmp(name, "--backlog") == 0) {
            load->backlog = number(value, 100);
        } else if (strcmp(name, "--stream") == 0 && load->stream_count < STREAMS_MAX) {
            s = &load->streams[load->stream_count++];
            *s = (struct stream){.name = value,
                                 .method = "GET",
                                 .path = "/",
                                 .depth = 1,
                                 .type = "application/json",
                                 .variants = 16,
                                 .connections = 1,
                                 .expect = 200};
        } else if (!stream_option(s, name, value)) {
            die("unknown option", name);
        }
    }
    if (load->port < 1 || load->seconds <= 0 || !s)
        die("needs", "--port, --seconds and a --stream");
}

int main(int argc, char **argv)
{
    struct load *load = &the_load;
    bool ok = true;
    thread_rank(THREAD_LOOP); /* the server is measured, not when this process gets its turn */
    load->random = 88172645463325252ULL;
    bytes_init(&load->request, TEXT_MAX);
    parse(load, argc, argv);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < load->stream_count; i++) {
        struct stream *s = &load->streams[i];
        render_variants(load, s);
        s->conns = calloc((size_t)s->connections, sizeof *s->conns);
        if (!s->conns || s->connections < 1 || s->depth < 1 || s->variants < 1)
            die("no connections for", s->name);
        for (unsigned c = 0; c < (unsigned)s->connections; c++) {
            s->conns[c].stream = s;
            bytes_init(&s->conns[c].out, TEXT_MAX);
            conn_open(load, &s->conns[c]);
        }
    }
    if (load->watch_pauses > 0 && !(load->pauses = pauses_watch()))
        die("cannot watch for pauses:", "real-time priority is refused");
    run(load);
    if (load->pauses) {
        pauses_end(load->pauses);
        pauses_widen(load->pauses, load->backlog);
    }
    for (unsigned i = 0; i < load->stream_count; i++) {
        struct stream *s = &load->streams[i];
        ok = report(load, s) && ok;
        for (unsigned c = 0; c < (unsigned)s->connections; c++) {
            close(s->conns[c].fd);
            bytes_release(&s->conns[c].out);
        }
        for (unsigned v = 0; v < VARIANTS_MAX; v++)
            bytes_release(&s->bodies[v]);
        free(s->conns);
        latencies_free(&s->latencies);
    }
    pauses_free(load->pauses);
    bytes_release(&load->request);
    close(load->epoll);
    return ok ? 0 : 1;
}
