/* lanes: what waits to be delivered, and what is next. Room: feed. Threads: one owner; pure, no
 * clock.
 *
 * A lane is one webhook's events about one subject (a registered model, or an object that belongs
 * to none): they go out one after the other. Lanes do not wait for one another. A lane keeps the
 * oldest LANE_KEPT deliveries; what is behind them is in the store (`more`). A webhook has at most
 * TARGET_BUSY lanes under way, so that one slow receiver does not take all places; webhooks take
 * turns. */
#ifndef PADDOCK_FEED_LANES_H
#define PADDOCK_FEED_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_KEPT   16
#define TARGET_BUSY 8

struct delivery {
    uint64_t seq;       /* of the journal's entry */
    int64_t created_ms; /* when the entry was written: its place in the log */
    int64_t late_ms;    /* so much later its time begins: before, nobody looked at the journal */
    unsigned attempts;  /* so far */
};

struct target { /* a webhook */
    uint64_t uid;
    char *ns, *id;
    size_t lanes, busy;
    uint64_t pending;  /* deliveries of all its lanes, those in the store included */
    uint64_t failures; /* attempts since the last that went well */
    size_t failing;    /* lanes whose head has failed too often; the owner counts */
    struct lane *ready, **ready_end;
    struct target *next, **link; /* among those with a ready lane */
    bool listed;
};

struct lane {
    struct target *target;
    char *subject;
    struct delivery list[LANE_KEPT]; /* list[0] is the head */
    size_t n;
    uint64_t last_seq; /* of the last that was kept: what is behind it is in the store */
    bool more;         /* the store has deliveries behind these */
    bool grew;         /* it got some while it was read */
    bool busy;         /* handed out by lanes_next() */
    bool dead;         /* its webhook is gone: it ends when it is given back */
    unsigned failures; /* attempts of the head since the start */
    int64_t due_ms;
    size_t place;      /* in the heap, plus 1; 0: not there */
    struct lane *next; /* among the ready ones of its target */
};

struct lanes;

struct lanes *lanes_new(void) __attribute__((returns_nonnull));
void lanes_free(struct lanes *l);
size_t lanes_count(const struct lanes *l);

/* A delivery that is in the store by now; one that waits here already is not added again. The first
 * of a lane is due at `due_ms`. */
void lanes_add(struct lanes *l, uint64_t uid, const char *ns, const char *id, const char *subject,
               const struct delivery *d, int64_t due_ms);
/* A lane whose head is due, marked busy; NULL: none, or no webhook may have a further one. */
struct lane *lanes_next(struct lanes *l, int64_t now_ms);
/* When the next one becomes due; INT64_MAX: none waits for its time. */
int64_t lanes_due(const struct lanes *l);

/* What becomes of a busy lane. A dead lane is gone after either of the first two. */
/* Not now: again at `due_ms`. */
void lane_later(struct lanes *l, struct lane *lane, int64_t due_ms);
/* Its head is done with. The lane goes on at `due_ms`, or is gone if nothing is behind. True: its
 * memory is empty, but `more` is in the store: it stays busy; read it, lane_keep() what comes, and
 * call lane_read(). */
bool lane_done(struct lanes *l, struct lane *lane, int64_t due_ms);
/* One that was read from the store, in order; false: no room. */
bool lane_keep(struct lane *lane, const struct delivery *d);
/* All was read: `more`, are there further ones? */
void lane_read(struct lanes *l, struct lane *lane, bool more, int64_t due_ms);

/* The webhook is no more: its lanes are gone, the busy ones when they are given back. */
void lanes_drop(struct lanes *l, uint64_t uid);
/* Every webhook that has lanes. */
void lanes_targets(const struct lanes *l, void (*each)(void *ctx, const struct target *t),
                   void *ctx);

#endif
