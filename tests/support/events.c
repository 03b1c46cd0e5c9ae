#include "support/events.h"

#include "support/client.h"
#include "support/unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* False: the stream has ended. */
static bool read_byte(struct events *e, char *c)
{
    if (e->at == e->len) {
        ssize_t n = recv(e->fd, e->buffer, sizeof e->buffer, 0);
        if (n <= 0)
            return false;
        e->len = (size_t)n;
        e->at = 0;
    }
    *c = e->buffer[e->at++];
    return true;
}

/* A line of text: the chunks' own lines (a size before, an empty one behind) are read over, since
 * each write of the server is one chunk of whole lines. */
static bool read_line(struct events *e, char *out, size_t size)
{
    size_t n = 0;
    char c;
    while (read_byte(e, &c)) {
        if (c == '\n') {
            bool of_chunk = n && out[n - 1] == '\r';
            out[n] = '\0';
            if (!of_chunk)
                return true;
            if (strcmp(out, "0\r") == 0)
                return false; /* the last chunk */
            n = 0;
        } else if (n + 1 < size) {
            out[n++] = c;
        }
    }
    return false;
}

bool events_open(struct events *e, unsigned port, const char *target, const char *headers,
                 int rcvbuf)
{
    char text[2048];
    memset(e, 0, sizeof *e);
    e->fd = client_connect(port);
    if (rcvbuf)
        setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, headers);
    assert_in_range(n, 1, sizeof text - 1);
    assert_true(client_send(e->fd, text, (size_t)n));
    char c;
    size_t used = 0;
    while (used < sizeof e->head - 1 && !strstr(e->head, "\r\n\r\n") && read_byte(e, &c))
        e->head[used++] = c;
    bool good = strncmp(e->head, "HTTP/1.1 200 ", 13) == 0 &&
                strcasestr(e->head, "\nContent-Type: text/event-stream");
    char line[128] = "-";
    while (good && *line) /* the comment that it begins with */
        good = read_line(e, line, sizeof line);
    return good;
}

void events_close(struct events *e)
{
    close(e->fd);
    free(e->data);
    e->data = NULL;
}

/* The next event; comments are passed over and counted. */
bool events_next(struct events *e, unsigned *comments)
{
    static char line[1 << 20];
    bool any = false;
    while (read_line(e, line, sizeof line)) {
        if (line[0] == ':' && comments)
            ++*comments;
        if (strncmp(line, "id: ", 4) == 0)
            e->id = strtoul(line + 4, NULL, 10);
        if (strncmp(line, "event: ", 7) == 0)
            snprintf(e->type, sizeof e->type, "%.63s", line + 7);
        if (strncmp(line, "data: ", 6) == 0) {
            free(e->data);
            e->data = strdup(line + 6);
            any = true;
        }
        if (line[0] == '\0' && any)
            return true;
    }
    return false;
}

void events_silent(struct events *e)
{
    struct pollfd p = {.fd = e->fd, .events = POLLIN};
    char c;
    while (e->at < e->len || poll(&p, 1, 150) > 0) {
        assert_true(read_byte(e, &c));
        assert_true(c == '\r' || c == '\n');
    }
}
