/* outcomes: what came of decisions: taken in once, durably, counted per arm, and handed on in the
 * order of their log. Room: selection.
 *
 * An outcome is one named score of one decision. The same again within the window is a duplicate;
 * one for a decision older than the window is late: neither is counted. What is accepted is in
 * DIR/outcomes, a log of its own of the kind that inference records have, before it is answered,
 * and counted once over any crash. Counters are written to a file beside it, and a part of the log
 * goes when they are, the window has passed over it, and every follower has it.
 *
 * Where several nodes share the store, what lies in the log is told to all (facts.h), and each node
 * counts what comes from there, in the order of all: once, wherever and however often it was sent.
 * Then counters and followers are of all nodes, and positions those of the common stream. */
#ifndef PADDOCK_SELECTION_OUTCOMES_H
#define PADDOCK_SELECTION_OUTCOMES_H

#include "base/clock.h"
#include "base/mailbox.h"
#include "selection/decision_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct facts;
struct store;

#define OUTCOME_NAME_MAX 64 /* bytes of a score's name */

struct outcome {
    char decision_id[DECISION_ID_SIZE];
    struct decision_facts decision;
    uint64_t model_uid; /* who is scored: who served, or a shadow */
    bool shadow;
    char name[OUTCOME_NAME_MAX + 1];
    double value; /* finite */
    int64_t at_ms;
};

/* Who reads every outcome, in the order of the log. Called on the writer's thread (and while
 * opening): must not block. */
struct outcome_follower {
    /* Several outcomes may have one position; all of a position come together. Where nodes share
     * the store it is called on the thread of facts. */
    void (*outcome)(void *self, uint64_t position, const struct outcome *o);
    /* What it has put away for good: the log is kept behind this, and read from there at the next
     * start. NULL: it wants none of what was before. */
    uint64_t (*saved)(void *self);
    /* What has not been put away is void: the store has lost some of it, and tells it anew. NULL is
     * allowed. */
    void (*anew)(void *self);
    void *self;
};
#define OUTCOME_FOLLOWERS_MAX 4

struct outcomes_config {
    const char *dir; /* DIR/outcomes, made if absent */
    const struct clock *clock;
    int64_t window_ms; /* in which a second sending is known [1 h] */
    size_t window_max; /* outcomes that are remembered for it [2,000,000]; past it some are late */
    size_t log_max_bytes; /* past it outcomes are refused [1 GiB] */
    size_t segment_bytes; /* [16 MiB] */
    size_t waiting_max;   /* outcomes that wait for the disk; past it refused, but for one write */
    bool accept_damage;
    struct facts *facts; /* several nodes share the store: by these; else NULL. It is not started */
    struct store *store; /* goes with it */
    struct outcome_follower followers[OUTCOME_FOLLOWERS_MAX];
    size_t follower_count;
};

struct outcomes;

/* Read what there is, start the writer. */
struct outcomes *outcomes_open(const struct outcomes_config *config, struct err *e) MUST_CHECK;
/* Write what waits, put the counters away, end the writer. NULL is allowed. */
void outcomes_close(struct outcomes *o);

/* Outcomes on their way; `list` is the sender's until done(). */
struct outcomes_write {
    struct mail mail; /* first */
    const struct outcome *list;
    size_t n; /* at least 1 */
    uint64_t accepted, duplicate, late;
    bool ok;
    struct err err;
    void (*done)(struct outcomes_write *w); /* [writer] hands over and returns */
    void *owner;
};
#define OUTCOMES_WRITE_MAX 200000 /* outcomes of one write */
/* [any] False (ERR_BUSY): still the sender's. */
bool outcomes_append(struct outcomes *o, struct outcomes_write *w, struct err *e) MUST_CHECK;

/* [any] Count scores that came to nothing: of no decision, of one that was made up, of a model that
 * the decision did not name. */
void outcomes_refused(struct outcomes *o, uint64_t unknown, uint64_t forged, uint64_t mismatched);

/* What has been counted for a route, a model, an arm and a score. */
struct outcome_count {
    uint64_t route_uid, model_uid;
    uint32_t arm; /* decision_mark() of its name */
    bool shadow;
    const char *name;
    uint64_t count;
    double sum, sum_squares;
    /* Weighted by 1 / propensity, so that arms compare whatever their shares were: of ones, of
     * values. */
    double weight, weighted_sum;
    int64_t first_ms, last_ms; /* of receipt */
};
/* [any] Call `fn` for each counter of a route (0: of all); under a lock, so be quick. */
void outcomes_each(struct outcomes *o, uint64_t route_uid,
                   void (*fn)(void *ctx, const struct outcome_count *c), void *ctx);

struct outcomes_stats {
    uint64_t accepted, duplicate, late;   /* since the start */
    uint64_t unknown, forged, mismatched; /* likewise, as was told */
    uint64_t counters, log_bytes, position;
    uint64_t untold_bytes; /* that wait to be told to other nodes */
    bool available;
};
void outcomes_stats(struct outcomes *o, struct outcomes_stats *out); /* [any] */

#endif
