/* outcomes_impl: what the files of outcomes share. Room: selection, private. */
#ifndef PADDOCK_SELECTION_OUTCOMES_IMPL_H
#define PADDOCK_SELECTION_OUTCOMES_IMPL_H

#include "base/bytes.h"
#include "selection/facts.h"
#include "selection/outcome_block.h"
#include "selection/outcome_counts.h"
#include "selection/outcome_window.h"
#include "selection/outcomes.h"
#include "telemetry/segment_log.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTCOMES_IDLE_MS (INT64_C(90) * 86400 * 1000) /* counters without any are forgotten */
#define OUTCOME_MARKS    256

/* A block of the log on its way to all nodes, and for some time after that. */
struct held_block {
    struct held_block *next;
    uint64_t position;
    char *payload;
    size_t len, n;
    int64_t received_ms;
    const char *rows; /* in the payload */
};

/* Where several nodes share the store. */
struct outcomes_shared {
    pthread_mutex_t lock; /* of the window of outcomes, and of these up to the next empty line */
    struct held_block *first, *last, *at; /* at: the first that is not told as a whole; NULL: all */
    size_t held_bytes;
    uint64_t sought; /* `at` is right for this */

    atomic_size_t untold_bytes;
    atomic_uint_fast64_t told; /* positions of the log that all know */
    struct bytes counters;     /* of before nodes shared: told once */
    uint64_t reached;          /* the last block of the log that was told of before this start */
    uint64_t counters_until;   /* they are complete up to this position of the log; 0: none */
    /* [facts] What the counters, and the followers, have; the last: the counters. */
    uint64_t after[OUTCOME_FOLLOWERS_MAX + 1];
    uint64_t heard, put_away; /* entries that are counted; and in the store */
};

struct outcomes {
    struct outcomes_config config;
    char *dir, *counts_file;
    struct segment_log *log;
    struct mailbox *mailbox;
    pthread_t writer;
    /* [writer], and [main] while it opens */
    struct outcome_window window;
    uint64_t counted, saved; /* positions that the counters, and their file, are complete up to */
    int64_t saved_ms;
    struct mark {
        uint64_t position;
        int64_t at_ms;
    } marks[OUTCOME_MARKS]; /* where the log was, minute by minute; the oldest first */
    size_t mark_count;
    struct outcomes_shared *shared; /* NULL: this node is alone */
    pthread_mutex_t lock;           /* guards what follows */
    struct outcome_counts counts;
    struct outcomes_stats stats;
    atomic_size_t log_bytes;
    atomic_size_t waiting; /* outcomes of all writes that are not answered */
};

uint64_t outcome_hash(const struct outcome *o);
/* It is in the log: count it, tell it. `after`: only who does not have it yet; the last is of the
 * counters. */
void outcomes_take_in(struct outcomes *o, uint64_t position, const struct outcome *out,
                      int64_t now_ms, const uint64_t *after);

/* outcomes_shared.c. [main] Before the log is read: what was told already? */
bool outcomes_share(struct outcomes *o, struct err *e) MUST_CHECK;
void outcomes_shared_free(struct outcomes_shared *s); /* NULL is allowed */
/* [writer], and [main] while it opens: a block is in the log. */
void outcomes_hold(struct outcomes *o, uint64_t position, const char *payload, size_t len);

#endif
