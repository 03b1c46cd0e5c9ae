/* connection: one client's connection: bytes to requests, replies to bytes, and every way it can
 * end. Room: http. Threads: [loop], its own.
 *
 * 1. One request at a time: while one is being served, what the client sends on waits in a bounded
 *    input buffer, so answers leave in order. Reading stays on, so that a client that leaves is
 * noticed.
 * 2. A connection never dies under its caller's hands: connection_kill() marks it; its request is
 * told and its memory freed when the loop's turn ends.
 * 3. Whatever the client may do slowly has a deadline, looked at by a sweep, not by a timer each.
 */
#ifndef PADDOCK_HTTP_CONNECTION_H
#define PADDOCK_HTTP_CONNECTION_H

#include "http/chunked.h"
#include "http/loop_impl.h"
#include "http/request_impl.h"

#include <sys/socket.h>

struct bufferevent;
struct event;
struct evbuffer;
struct tls_session;

#define BACKLOG_MAX \
    (256 * 1024) /* unsent bytes past which nothing new is begun, and streams are cut */
#define BACKLOG_LOW      (64 * 1024)
#define FIRST_REQUEST_MS 200 /* a new connection is given to the server's end */

#define INPUT_MAX (16 * 1024) /* kept of what a client sends ahead; then no read is begun */

enum connection_state {
    CONN_HANDSHAKE, /* TLS: before the first request */
    CONN_IDLE,      /* between requests */
    CONN_HEAD,      /* a head is coming */
    CONN_BODY,      /* a body is coming */
    CONN_SERVE,     /* the request is with its handler, or its reply is streamed */
    CONN_DROP,      /* replied early: the rest of the body is read and dropped */
    CONN_FLUSH,     /* the last reply is going out */
    CONN_LINGER,    /* it is out; what still comes is dropped, so that the client can read it */
    CONN_DEAD
};

struct connection {
    struct loop *loop;
    struct connection *prev, *next, *next_doomed;
    struct bufferevent *bev;
    struct tls_session *tls;          /* NULL: plain HTTP, or nothing has come yet */
    struct evbuffer *plain;           /* what came, with TLS decrypted */
    struct event *readable;           /* without TLS: the socket is read by it, not by `bev` */
    struct connection *newer, *older; /* in the handshake */
    struct request *request;          /* coming, served or streamed; NULL between requests */
    enum connection_state state;
    int fd;
    bool direct;     /* the socket may be read past the bufferevent (no TLS) */
    bool processing; /* within connection_process(): replies are gathered, not sent one by one */
    bool refused;    /* over the cap: has an answer to carry out, nothing more */
    bool linger;     /* when flushed, wait for the client instead of closing at once */
    bool last;       /* no request follows this one: framing is lost, or time is up */
    bool continued;  /* 100 Continue was sent, or was not asked for */
    bool held;       /* the handler wants no more of the body now */
    bool served;     /* a request has begun to arrive */
    bool queued_up;  /* in the loop's queue of those with more to do */
    bool full;       /* INPUT_MAX is there: nothing more is read */
    bool ended;      /* the client has ended its side while requests of it waited for their turn */
    unsigned char priority; /* enum fair_priority; FAIR_PRIORITIES: not that of all its events */

    unsigned begun; /* requests in this visit */
    struct usage used;
    uint64_t tenant; /* of its last request; 0: nobody known */
    struct connection *prev_ready, *next_ready;

    enum head_framing framing; /* of the body that is coming */
    struct chunked chunked;
    uint64_t body_left; /* FRAMING_LENGTH */
    uint64_t body_seen; /* decoded bytes so far */
    uint64_t body_max;

    int64_t deadline_ms; /* 0: none */
    int64_t body_from_ms, held_from_ms;
    uint64_t queued;     /* bytes ever put into the output buffer */
    uint64_t progress;   /* how many of them were sent when last seen */
    int64_t progress_ms; /* and when that changed */
    size_t lingered;
    uint64_t address;                             /* address_number() of the client */
    const struct client_certificate *certificate; /* NULL: none */
    char peer[PEER_SIZE];
};

/* Take over an accepted socket. Closes it when that fails. */
void connection_open(struct loop *l, int fd, const struct sockaddr *peer);
/* End it: nothing more is read or sent. */
void connection_kill(struct connection *c);
/* Tell its request, free its memory. For the end of a turn. */
void connection_free(struct connection *c);
/* Deadlines, stalled writes, heartbeats. */
void connection_sweep(struct connection *c);
/* The server stops: end what is idle or has no natural end. */
void connection_drain(struct connection *c);
/* Go on with what is in the input buffer. */
void connection_process(struct connection *c);
/* Read on, or not: by how much is there and not looked at. */
void connection_pace(struct connection *c);

/* Wait for the next request. */
void connection_idle(struct connection *c);
/* Answer the request with a problem before its handler saw it. */
void connection_refuse(struct connection *c, const struct err *e);
/* The body is in, or cannot be taken (`e`). */
void connection_body_done(struct connection *c);
void connection_body_bad(struct connection *c, const struct err *e);

/* What has come and is not looked at yet, without TLS. */
struct evbuffer *connection_input(const struct connection *c);
/* The client has ended its side. */
void connection_ended(struct connection *c);
/* Say to a client that it is refused, and end. */
void connection_turn_away(struct connection *c, const struct err_kind *kind, const char *why);

/* --- TLS (tls_wire.c) --- */

/* The connection is new, and has to prove itself to be TLS. */
void connection_expect_handshake(struct connection *c);
/* Go on with the handshake; false: nothing to do now. */
bool connection_handshake(struct connection *c);
/* Its handshake is over, one way or the other. Harmless when there is none. */
void connection_leave_handshake(struct connection *c);
/* Decrypt what came; false: nothing more now. */
bool connection_unseal(struct connection *c);
/* Encrypt, and pass on what that gives. */
void connection_seal(struct connection *c, const char *data, size_t len,
                     void (*pass)(struct connection *c, const char *data, size_t len));
/* Nothing more will be sent: tell the client. */
void connection_say_end(struct connection *c);

/* --- for replies (wire.c, serve.c) --- */

/* Send bytes as they are, TLS or not: at once as far as the socket takes them. */
void connection_send_raw(struct connection *c, const char *data, size_t len);

/* Gather `len` bytes for sending. Large ones are sent at once. */
void connection_put(struct connection *c, const void *data, size_t len);
/* Read what the socket has past the bufferevent, into a body that is coming. */
void connection_read_direct(struct connection *c);
/* A buffer to write small replies to, with what was gathered so far. */
struct bytes *connection_out(struct connection *c);
/* Queue bytes without trying to send them at once. */
void connection_queue(struct connection *c, const void *data, size_t len);
/* Hand to the kernel what was gathered, for whomever. The end of a turn does so by itself: clients
 * that are answered together are woken once, and so come back together. */
void connection_flush(struct connection *c);
/* What was gathered for it is for nobody any more. */
void connection_forget_parcels(struct connection *c);
/* Unsent bytes, gathered ones excepted. */
size_t connection_backlog(const struct connection *c);
/* Must the connection end after the reply to its request? */
bool connection_ends(const struct connection *c);
/* The reply to `request` has been put: go on to the next, or end. */
void connection_replied(struct connection *c, bool close);
/* Send 100 Continue if the client waits for it. */
void connection_continue(struct connection *c);

#endif
