/* event_stream: a client that follows the journal by server-sent events, as long as what let it in
 * holds. Room: api. Threads: [loop], its own.
 *
 * Who opens one says what becomes of an entry; the rest (following, ending when a token is revoked,
 * leaving) is the same for all. */
#ifndef PADDOCK_API_EVENT_STREAM_H
#define PADDOCK_API_EVENT_STREAM_H

#include "api/call.h"
#include "api/loop_state.h"
#include "base/bytes.h"

struct event_stream;
struct event_tick;

struct event_stream_kind {
    const char *greeting; /* a comment, ends with an empty line */
    /* An entry came. False, with `follower` set to NULL: follow no more for now (the stream's
     * drained event takes it up again after `last`), or the stream has ended. */
    bool (*entry)(struct event_stream *f, uint64_t seq, const char *action, const char *json,
                  size_t len);
    /* About once a second; NULL: nothing is to do then. The stream may end in it. */
    void (*tick)(struct event_stream *f, struct event_tick *t);
};

/* What one tick of a loop finds out once for all its streams. */
struct event_tick {
    const struct view *view; /* entered */
    int64_t now_ms;
    struct map *looks; /* of refetch streams: what each namespace was found to be; or NULL */
};

struct event_stream {
    struct event_stream *next, **link; /* of the loop's */
    const struct event_stream_kind *kind;
    struct loop_state *state;
    struct access *access; /* that let it in */
    struct api *api;
    struct loop *loop;
    struct stream *stream;
    struct follower *follower; /* NULL: paused */
    const char *ns, *types;
    uint64_t last; /* seq of the entry given last */
    struct bytes event;
    struct refetch { /* of ofrep_events.c */
        int64_t due_ms, told_ms, minute;
        uint64_t policies, models;
    } refetch;
};

struct event_wish {
    const struct event_stream_kind *kind;
    const struct access *access; /* copied; its grants say which entries are given */
    const char *ns, *types;      /* as for feed_follow() */
    uint64_t after_seq;
};
/* Answer the request with a stream. NULL: it was answered with what is wrong, or the client has
 * left already. */
struct event_stream *event_stream_open(struct call *c, const struct event_wish *wish);
/* End it from within: nothing of it may be used afterwards. */
void event_stream_end(struct event_stream *f);
/* Is all that let it in still so? */
bool event_stream_welcome(const struct event_stream *f);
/* The entry to go on after: the header that browsers send when they reconnect wins over the
 * parameter of the first address. UINT64_MAX: none was given. */
bool event_stream_after(struct call *c, uint64_t *after, struct err *e) MUST_CHECK;

/* End the streams whose token was revoked, changed or has expired since; tick the others. */
void event_streams_tick(struct loop_state *s, int64_t now_ms);

#endif
