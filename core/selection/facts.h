/* facts: what all nodes that share a store must know once, and in the same order. Room: selection.
 * Threads: one of its own ("facts"), which may wait for the store; [main] before it starts and
 * after it ended.
 *
 * Outcomes and the evidence of experiments go into one stream of the store (struct fact_ship in
 * store/store.h), and every node counts what comes out of it, its own as well: so all have counted
 * the same, in the same order, up to a number. That number is the offset of what was learned, and
 * the watermark of what was looked at, whichever node it was: one that takes over goes on from it.
 *
 * Who tells has positions of its own. What is told again, after an answer that was lost, is refused
 * by them; if the stream has lost some of it, the teller is asked for that again. Who hears says up
 * to where it needs none of it any more; what nobody needs leaves the stream. */
#ifndef PADDOCK_SELECTION_FACTS_H
#define PADDOCK_SELECTION_FACTS_H

#include "base/clock.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fact_kind { FACT_OUTCOMES = 1, FACT_COUNTERS, FACT_EVIDENCE, FACT_KINDS };

/* One entry. */
struct fact {
    uint64_t seq; /* from 1, without a gap */
    enum fact_kind kind;
    int64_t at_ms;
    const char *data;
    size_t len;
};

#define FACT_PARTS 1000 /* of one entry, at most */

/* What is told at a time. The parts are the teller's until told(). */
struct fact_batch {
    uint64_t until; /* position, behind the one asked for */
    enum fact_kind kind;
    int64_t at_ms;
    size_t n;
    const void *parts[FACT_PARTS];
    size_t lens[FACT_PARTS];
    uint64_t hashes[FACT_PARTS]; /* 0: it may come again */
};

struct fact_teller {
    const char *name; /* of its positions in the store */
    /* What comes after a position; it may be one that was told already. False: nothing. */
    bool (*next)(void *self, uint64_t after, struct fact_batch *b);
    /* It is in the stream, but for `left_out` parts that were known. What came before `floor_ms`
     * may be known no more. */
    void (*told)(void *self, const struct fact_batch *b, size_t left_out, int64_t floor_ms);
    int64_t window_ms; /* of hashes; 0: there are none */
    size_t window_max;
    void *self;
};

struct fact_hearer {
    /* Begin anew with what the store has; the stream reaches `*head`. If that was brought from
     * another store it may be further: then it says so there. False: try it again. */
    bool (*begin)(void *self, uint64_t *head, struct err *e);
    /* Entries up to this one are needed no more. */
    uint64_t (*saved)(void *self);
    /* Each entry behind the least of what is saved, in order. */
    void (*fact)(void *self, const struct fact *f);
    /* Once a minute, at one node at a time: put away what was heard. NULL is allowed. */
    void (*put_away)(void *self);
    bool lenient; /* what has left the stream before it said so held nothing for it */
    void *self;
};
#define FACT_TELLERS 2
#define FACT_HEARERS 2

struct facts_config {
    struct store *store; /* that is shared */
    const struct clock *clock;
    bool no_thread; /* rounds are made by facts_round(): tests */
};

struct facts;
struct facts *facts_new(const struct facts_config *config) __attribute__((returns_nonnull));
void facts_free(struct facts *f); /* after facts_stop(); NULL is allowed */
void facts_add_teller(struct facts *f, const struct fact_teller *t);
void facts_add_hearer(struct facts *f, const struct fact_hearer *h);
/* How far the store says that this node has told; blocking. */
bool facts_reaches(struct facts *f, const char *teller, uint64_t *position, struct err *e)
    MUST_CHECK;
/* Hear all that there is, then go on by itself. */
bool facts_start(struct facts *f, struct err *e) MUST_CHECK;
void facts_stop(struct facts *f); /* NULL is allowed */

/* Tell what there is, hear what came. Blocking. What failed is done in the next. */
bool facts_round(struct facts *f, struct err *e) MUST_CHECK;
/* What is put away is put away, what nobody needs leaves the stream. */
bool facts_put_away(struct facts *f, struct err *e) MUST_CHECK;

struct facts_stats {
    uint64_t heard; /* number of the last entry */
    uint64_t told_entries, told_bytes, lost;
};
void facts_stats(struct facts *f, struct facts_stats *out); /* [any] */

#endif
