/* loop_impl: the insides of a loop, for the files of this room. Room: http. Threads: [loop] unless
 * marked. */
#ifndef PADDOCK_HTTP_LOOP_IMPL_H
#define PADDOCK_HTTP_LOOP_IMPL_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/fair.h"
#include "http/loop.h"
#include "http/server.h"
#include "http/stats.h"

#include <pthread.h>
#include <sys/types.h>

#define SCRATCH_BYTES 65536
#define PARCELS_MAX   8 /* more together gained nothing, and a record's answer waits for them */

/* What goes to one connection: the bytes of `out` from `from` to the next one's. */
struct parcel {
    struct connection *to; /* NULL: it died meanwhile */
    size_t from;
};

struct connection;
struct event;
struct request;

struct loop {
    struct http_server *server;
    const struct http_config *config; /* defaults filled in */
    const struct router *router;
    unsigned index;
    pthread_t thread;
    struct event_base *base;
    struct mailbox *mailbox;
    struct event *mail_event, *sweep_event, *tick_event;
    int listen_fd;
    struct event *listen_event;
    void *state; /* the application's */

    /* Time, read when first asked for in a turn. */
    bool time_read;
    int64_t wall_ms, mono_ns;
    int64_t date_second; /* that `date` was made for */
    char date[40];       /* "Date: Mon, 23 Nov 2026 02:00:00 GMT\r\n" */
    int64_t text_ms;     /* that `time_text` was made for */
    char time_text[TIME_TEXT_SIZE];
    int64_t tick_due_ns;
    struct thread_place place;

    struct log_buffer log;
    struct bytes problem; /* where problem documents are made */
    struct bytes out;     /* replies not yet handed to the kernel, by their parcels */
    struct parcel parcels[PARCELS_MAX];
    size_t n_parcels;
    struct bytes cipher;                             /* TLS on its way out, within one call */
    struct connection *handshakes, *handshakes_last; /* newest first */
    size_t n_handshakes;
    char *scratch; /* SCRATCH_BYTES, for reads that go nowhere else */

    struct connection *connections, *doomed; /* open ones; dead ones, freed when the turn ends */
    size_t n_connections, n_refused;
    struct request *live, *spare; /* requests in use; kept for reuse */
    size_t n_spare;
    struct request *orphans;         /* streams to be closed when the turn ends */
    size_t body_held, body_reserved; /* bytes of bodies; of them taken out of the server's budget */
    size_t unsent;                   /* bytes in the output buffers of all connections */

    struct fair fair;
    struct mail *mails; /* taken from the mailbox and not run yet */

    bool draining, stopping, drained;
    struct mail drain_mail, kill_mail;
    struct loop_stats stats;
};

/* Make a loop that listens on `listen_fd` (-1: none, for tests). It owns the descriptor. [main] */
struct loop *loop_new(struct http_server *s, const struct http_config *config,
                      const struct router *router, unsigned index, int listen_fd, struct err *e)
    MUST_CHECK;
void loop_free(struct loop *l); /* NULL is allowed */
/* Run until the mailbox is closed. */
void loop_run(struct loop *l);
/* End of a turn: free what died, write the log, forget the time. */
void loop_turn_end(struct loop *l);
/* Hand to the kernel what was gathered. (wire.c) */
void loop_send(struct loop *l);
/* Stop listening and let connections end. */
void loop_drain(struct loop *l);
void loop_kill_all(struct loop *l);

/* Would `len` bytes more be too much, as slowly as clients read at this time? Small pieces never
 * are. */
bool loop_overloaded(const struct loop *l, size_t len);

void loop_read_time(struct loop *l);
static inline int64_t loop_mono_ns(struct loop *l)
{
    if (!l->time_read)
        loop_read_time(l);
    return l->mono_ns;
}
static inline int64_t loop_mono_ms(struct loop *l)
{
    return loop_mono_ns(l) / 1000000;
}
/* RFC 3339 time of this turn. */
const char *loop_time_text(struct loop *l);

#endif
