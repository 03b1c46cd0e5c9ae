/* fleet: figures of all nodes that share a store, on each of them. Room: telemetry, private.
 *
 * Threads: one of its own ("fleet"), which may wait for the store; [main] before it starts and
 * after it ended. See the essay in fleet.c. */
#ifndef PADDOCK_TELEMETRY_FLEET_H
#define PADDOCK_TELEMETRY_FLEET_H

#include "telemetry/delta.h"
#include "telemetry/internal.h"

#include "base/latch.h"

#define PLACES_MAX 4096 /* nodes that ever shared the store */

/* How far the stream of a place is in the windows here. */
struct taken {
    struct delta_at at; /* the last part */
    uint64_t whole;     /* all parts of the entries up to this position */
    uint64_t reaches;   /* as the store said last */
    bool gap;           /* what comes next has left the stream: fleet_again.c brings it */
};

struct fleet {
    struct telemetry *telemetry;
    struct workshop workshop;
    size_t place; /* of this node */

    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of the two after it */
    pthread_cond_t wake;
    bool stopping;

    /* [writer] Models with records that are not cut off yet, retained. */
    struct live **listed;
    size_t n_listed, listed_cap;

    /* What is on its way: the same from the cut until the store has said that it is there. */
    bool under_way;
    struct live **cut; /* retained */
    size_t n_cut, cut_cap;
    uint64_t until;
    struct delta_writer delta;

    /* What was told last, to be told again (fleet_told.c). */
    struct told *told, *told_last;
    size_t told_bytes, told_max;
    int note;       /* descriptor of DIR/told; -1: not open */
    uint64_t noted; /* what it says */

    /* Held while a delta is counted, and while a model's rows are made: so rows have whole deltas
     * and `taken` says which. */
    pthread_mutex_t taking;
    struct taken *taken; /* by place */
    size_t n_taken;

    struct bytes came; /* parts, one after the other */
    struct came {
        size_t place, at, len;
        struct delta_at id;
    } * parts;
    size_t n_parts, parts_cap;
    bool cut_short;    /* not all that was answered has been taken */
    uint64_t *reaches; /* by place, as the same answer said */
    size_t n_reaches, reaches_cap;
    bool well; /* the last round went well: to tell a failure once */

    int64_t gap_ns, again_ns, pause_ns; /* there is a gap since (0: none), try next, and so often */
    bool half;                          /* some windows are those of another node already */

    atomic_uint_fast64_t shipped_bytes, shipped_entries, taken_bytes, missed;
};

struct fleet *fleet_new(struct telemetry *t) __attribute__((returns_nonnull));
/* After fleet_stop(). NULL is allowed. */
void fleet_free(struct fleet *f);
bool fleet_start(struct fleet *f, struct err *e) MUST_CHECK;
void fleet_stop(struct fleet *f);

/* [main] Before the rows: if the streams have no longer all that is not in them (or there are none,
 * and others have), take those of another node. */
bool fleet_prepare(struct fleet *f, struct err *e) MUST_CHECK;
/* [main] After the rows, before the log: count what the streams have beyond the rows, also of this
 * node. */
bool fleet_restore(struct fleet *f, struct err *e) MUST_CHECK;
/* Blocks of the log up to here are in the stream. */
uint64_t fleet_shipped(struct fleet *f);

/* [main] While the log is replayed, before the block at this position is counted, and once more at
 * the end (UINT64_MAX): if a delta was on its way when this node died, it is again, the same. */
void fleet_replay(struct fleet *f, uint64_t next);

/* [writer] A model's records were counted: the next cut takes it. */
void fleet_list(struct fleet *f, struct live *l);
/* Tell what was counted, hear what others tell. Blocking. What failed is done in the next. */
bool fleet_round(struct fleet *f, struct err *e) MUST_CHECK;
/* Make what was cut off known in this node's stream; nothing if it is. */
bool fleet_ship(struct fleet *f, struct err *e) MUST_CHECK;
/* Count what came since. */
bool fleet_take(struct fleet *f, bool own_too, struct err *e) MUST_CHECK;

/* If what comes next has left a stream, take what another node has instead, all of it, and go on
 * from there. Nothing may be under way. True also if that has to wait. */
bool fleet_catch_up(struct fleet *f, struct err *e) MUST_CHECK;

/* For the other parts of it. Where a place stands; [fleet], and under `taking` once it runs. */
struct taken *fleet_taken(struct fleet *f, size_t place);
/* Have something done on the log writer's thread, or here if there is none. */
void fleet_on_writer(struct fleet *f, struct mail *m, struct latch *done);
bool fleet_ask(struct fleet *f, struct delta_ship *d, struct err *e) MUST_CHECK;
/* The next parts of all streams, copied. */
bool fleet_read(struct fleet *f, bool *more, struct err *e) MUST_CHECK;
/* Does a part go on where the last one of its stream ended? It may say that it does so earlier, if
 * Redis has lost what came between; what it counts comes after that all the same. */
bool fleet_goes_on(const struct taken *t, const struct came *p, const struct delta_head *h);

/* Up to which position the rows of a space have each stream, in `taken`; `*sum` 0: it has none. */
bool fleet_read_marks(struct fleet *f, const char *space, uint64_t *sum, struct err *e) MUST_CHECK;
/* The other node whose rows have the most, if possible of those behind which the streams lack
 * nothing (`*whole`); this one's place if nobody's have anything. Then `taken` is what they have,
 * and what comes behind it stays in the streams, for this node's marks say no more. */
bool fleet_find(struct fleet *f, size_t *best, bool *whole, struct err *e) MUST_CHECK;
/* What the rows of models had when they were loaded is of no use any more: all is counted on. */
void fleet_forget_rows(struct fleet *f);
/* What a place has lost is lost: go on with what comes next. */
void fleet_go_on(struct fleet *f, size_t place);

/* What was told: hold it (a copy), all of it goes; send again what comes behind a position, which
 * becomes how far that went (it stays if that is held no more). */
void fleet_told_keep(struct fleet *f, const struct delta_ship *d);
void fleet_told_drop(struct fleet *f);
bool fleet_told_again(struct fleet *f, uint64_t *reaches, struct err *e) MUST_CHECK;
/* The end of what is under way, `until`, on the disk; and of what was, `noted`. */
bool fleet_note_open(struct fleet *f, struct err *e) MUST_CHECK;
bool fleet_note(struct fleet *f, struct err *e) MUST_CHECK;

/* For roll-ups: rows of a model are made between these. */
void fleet_hold(struct fleet *f);
void fleet_let_go(struct fleet *f);
/* As fleet_shipped(), between these. */
uint64_t fleet_held_shipped(const struct fleet *f);
/* All streams as far as every model has them, as marks in the arena. */
struct series_mark *fleet_marks(struct fleet *f, const char *space, struct arena *a, size_t *n);
/* The marks are in the store: what nobody needs any more may leave the streams. */
void fleet_tidy(struct fleet *f);

#endif
