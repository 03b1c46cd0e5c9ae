#include "http/listener.h"

#include "http/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG      4096
#define ACCEPT_BATCH 16 /* then the connections get their turn */

/* --- binding --- */

/* Cut "host:port" in two. */
static bool split(const char *listen, char *host, size_t size, unsigned *port, struct err *e)
{
    const char *colon = strrchr(listen, ':'), *start = listen;
    if (!colon)
        return fail(e, &ERR_CONFIG, "listen address '%s' must be host:port", listen);
    size_t len = (size_t)(colon - listen);
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        start++;
        len -= 2;
    }
    char *end;
    errno = 0;
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end || errno || n > 65535)
        return fail(e, &ERR_CONFIG, "listen address '%s': the port must be 0 to 65535", listen);
    if (len == 0 || len >= size)
        return fail(e, &ERR_CONFIG, "listen address '%s' has no host", listen);
    memcpy(host, start, len);
    host[len] = '\0';
    *port = (unsigned)n;
    return true;
}

/* SO_REUSEPORT gives each loop a queue of its own; it must be set before bind. Accepted sockets
 * inherit TCP_NODELAY. */
static bool prepare(int fd, const struct addrinfo *ai, const char *listen_text, struct err *e)
{
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        return fail_errno(e, &ERR_CONFIG, "cannot set up a socket for %s", listen_text);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return fail_errno(e, &ERR_CONFIG, "cannot listen on %s", listen_text);
    return true;
}

/* SO_REUSEPORT would let a second server take half of the connections of the first. A socket
 * without it is refused where another one listens. */
static bool is_free(const struct addrinfo *ai, const char *listen_text, struct err *e)
{
    const int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, ai->ai_addr, ai->ai_addrlen) == 0;
    if (!ok)
        fail_errno(e, &ERR_CONFIG, "cannot listen on %s", listen_text);
    if (fd >= 0)
        close(fd);
    return ok;
}

static void set_port(struct sockaddr *sa, unsigned port)
{
    if (sa->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)sa)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)sa)->sin_port = htons((uint16_t)port);
}

/* What the kernel made of it. */
static bool bound(int fd, unsigned *port, char *address, size_t size, struct err *e)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char service[8];
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return fail_errno(e, &ERR_INTERNAL, "cannot read the bound address");
    if (getnameinfo((struct sockaddr *)&sa, len, address, (socklen_t)size, service, sizeof service,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return fail(e, &ERR_INTERNAL, "cannot read the bound address");
    *port = (unsigned)strtoul(service, NULL, 10);
    return true;
}

static struct addrinfo *look_up(const char *listen_text, const char *host, struct err *e)
{
    struct addrinfo *ai = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int bad = getaddrinfo(host, NULL, &hints, &ai);
    if (bad)
        fail(e, &ERR_CONFIG, "listen address '%s': %s", listen_text, gai_strerror(bad));
    return bad ? NULL : ai;
}

/* 127.0.0.0/8 and ::1: what is neither is taken for one that others reach. */
static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

bool listener_look(const char *listen_text, bool *loopback, struct err *e)
{
    char host[256];
    unsigned port;
    struct addrinfo *ai =
        split(listen_text, host, sizeof host, &port, e) ? look_up(listen_text, host, e) : NULL;
    if (!ai)
        return false;
    *loopback = is_loopback(ai->ai_addr);
    set_port(ai->ai_addr, port);
    bool good = port == 0 || is_free(ai, listen_text, e);
    freeaddrinfo(ai);
    return good;
}

int listener_bind(const char *listen_text, unsigned *port, char *address, size_t address_size,
                  struct err *e)
{
    char host[256];
    unsigned wanted = 0;
    int fd = -1;
    if (!split(listen_text, host, sizeof host, &wanted, e))
        return -1;
    struct addrinfo *ai = look_up(listen_text, host, e);
    if (!ai)
        return -1;
    set_port(ai->ai_addr, *port ? *port : wanted);
    bool first = *port == 0 && wanted;
    if (first && !is_free(ai, listen_text, e)) {
        freeaddrinfo(ai);
        return -1;
    }
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail_errno(e, &ERR_CONFIG, "cannot make a socket for %s", listen_text);
    else if (!prepare(fd, ai, listen_text, e) || !bound(fd, port, address, address_size, e)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(ai);
    return fd;
}

/* --- accepting --- */

/* One connection; false when there is none (now). */
static bool accept_one(struct loop *l)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int fd = accept4(l->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        connection_open(l, fd, (struct sockaddr *)&peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        /* The client stays in the queue; asking again at once would spin. */
        log_text(LOG_WARN, "accept_paused", strerror(errno));
        event_del(l->listen_event);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(arg); i++)
        ;
    fair_look(arg);
}

bool listener_start(struct loop *l, struct err *e)
{
    l->listen_event = event_new(l->base, l->listen_fd, EV_READ | EV_PERSIST, on_accept, l);
    if (!l->listen_event || event_priority_set(l->listen_event, FAIR_LATER) != 0 ||
        event_add(l->listen_event, NULL) != 0)
        return fail(e, &ERR_INTERNAL, "cannot watch the listening socket");
    return true;
}

void listener_resume(struct loop *l)
{
    if (l->listen_event && !event_pending(l->listen_event, EV_READ, NULL))
        event_add(l->listen_event, NULL);
}

void listener_close(struct loop *l)
{
    if (l->listen_event) {
        for (int i = 0; i < BACKLOG && accept_one(l); i++)
            ;
        event_free(l->listen_event);
        l->listen_event = NULL;
    }
    if (l->listen_fd >= 0)
        close(l->listen_fd);
    l->listen_fd = -1;
}
