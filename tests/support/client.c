#include "support/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int client_connect(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct timeval limit = {.tv_sec = 30};
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

bool client_send(int fd, const void *data, size_t len)
{
    for (const char *at = data; len;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* How much of it came. */
static size_t take(int fd, char *out, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = recv(fd, out + got, len - got, 0);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return got;
}

/* Read up to and including `until` into `out`, and no byte behind it; false at the end of the
 * connection or of the room. What has come is looked at before it is taken: byte by byte, most of
 * the time of many tests went into system calls. */
static bool read_until(int fd, const char *until, char *out, size_t size)
{
    size_t len = 0, n = strlen(until);
    while (len + 1 < size) {
        ssize_t come = recv(fd, out + len, size - 1 - len, MSG_PEEK);
        if (come <= 0)
            break;
        const size_t from = len >= n ? len - (n - 1) : 0, all = len + (size_t)come;
        const char *at = memmem(out + from, all - from, until, n);
        const size_t end = at ? (size_t)(at - out) + n : all;
        len += take(fd, out + len, end - len);
        if (len < end)
            break;
        if (at) {
            out[len] = '\0';
            return true;
        }
    }
    out[len] = '\0';
    return false;
}

/* Append `len` bytes from the connection to the body. */
static bool read_exactly(int fd, struct client_reply *r, size_t len)
{
    r->body = realloc(r->body, r->len + len + 1);
    const size_t got = take(fd, r->body + r->len, len);
    r->len += got;
    r->body[r->len] = '\0';
    return got == len;
}

static bool read_chunks(int fd, struct client_reply *r)
{
    for (;;) {
        char line[256];
        if (!read_until(fd, "\r\n", line, sizeof line))
            return false;
        size_t len = strtoul(line, NULL, 16);
        if (len && !read_exactly(fd, r, len))
            return false;
        if (!read_until(fd, "\r\n", line, sizeof line) || !len)
            return !len;
    }
}

static void read_to_end(int fd, struct client_reply *r)
{
    char piece[4096];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0) {
        r->body = realloc(r->body, r->len + (size_t)n + 1);
        memcpy(r->body + r->len, piece, (size_t)n);
        r->len += (size_t)n;
        r->body[r->len] = '\0';
    }
    r->closed = true;
}

bool client_header(const struct client_reply *r, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    for (const char *line = r->headers; *line; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1 + strspn(line + len + 1, " ");
            snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
            return true;
        }
        if (!strstr(line, "\r\n"))
            break;
    }
    return false;
}

bool client_read(int fd, bool head, struct client_reply *out)
{
    static _Thread_local char text[CLIENT_HEADERS_MAX + 256];
    char value[256];
    memset(out, 0, sizeof *out);
    out->body = calloc(1, 1);
    do {
        bool whole = read_until(fd, "\r\n\r\n", text, sizeof text);
        const char *rest = strstr(text, "\r\n");
        if (!rest || strncmp(text, "HTTP/1.1 ", 9) != 0)
            return false;
        out->status = (int)strtol(text + 9, NULL, 10);
        /* Lines that are whole, without the empty one. */
        snprintf(out->headers, sizeof out->headers, "%.*s",
                 (int)(strlen(rest + 2) - (whole ? 2 : 0)), rest + 2);
    } while (out->status == 100);
    out->closed =
        client_header(out, "Connection", value, sizeof value) && strcasecmp(value, "close") == 0;
    if (head || out->status == 204 || out->status == 304)
        return true;
    if (client_header(out, "Transfer-Encoding", value, sizeof value))
        return read_chunks(fd, out);
    if (client_header(out, "Content-Length", value, sizeof value))
        return read_exactly(fd, out, strtoul(value, NULL, 10));
    read_to_end(fd, out);
    return true;
}

void client_reply_release(struct client_reply *r)
{
    free(r->body);
    r->body = NULL;
}

bool client_ask(struct client *c, const char *method, const char *target, const char *headers,
                const char *body, size_t len, struct client_reply *out)
{
    const bool sized = len || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0);
    char *head = NULL, length[64] = "";
    bool ok = false, kept;
    if (sized)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", len);
    int n = asprintf(&head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s\r\n", method, target,
                     c->port, length, headers);
    memset(out, 0, sizeof *out);
    do {
        kept = c->fd >= 0;
        c->fd = kept ? c->fd : client_connect(c->port);
        if (n <= 0 || c->fd < 0)
            break;
        client_reply_release(out);
        ok = client_send(c->fd, head, (size_t)n) && client_send(c->fd, body, len);
        /* A refusal may come before the body was sent whole: read it all the same. */
        ok = (client_read(c->fd, strcmp(method, "HEAD") == 0, out) || ok) && out->status;
        if (!ok || out->closed)
            client_close(c);
    } while (!ok && kept);
    free(head);
    return ok;
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

bool client_call(unsigned port, const char *method, const char *target, const char *headers,
                 const char *body, size_t len, struct client_reply *out)
{
    struct client c = {port, -1};
    char *all = NULL;
    bool ok = asprintf(&all, "Connection: close\r\n%s", headers) > 0 &&
              client_ask(&c, method, target, all, body, len, out);
    free(all);
    client_close(&c);
    return ok;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double client_longest_wait(int fd, struct client *other, const void *request, size_t len)
{
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    double longest = 0;
    if (!client_send(fd, request, len))
        return -1;
    const double sent = seconds_now();
    do {
        struct client_reply reply;
        const double asked = seconds_now();
        if (!client_ask(other, "GET", "/healthz", "", NULL, 0, &reply))
            return -1;
        const double took = seconds_now() - asked;
        longest = took > longest ? took : longest;
        client_reply_release(&reply);
    } while (poll(&answer, 1, 0) == 0);
    return longest / (seconds_now() - sent);
}
