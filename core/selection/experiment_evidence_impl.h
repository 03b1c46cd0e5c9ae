/* experiment_evidence_impl: what the files of evidence share. Room: selection, private.
 * Threads: under the lock. */
#ifndef PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_IMPL_H
#define PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_IMPL_H

#include "selection/experiment_evidence.h"

#include <pthread.h>
#include <stdatomic.h>

/* A fact, as far as it is about an experiment that nobody has looked at. */
struct evidence_chunk {
    struct evidence_chunk *next;
    uint64_t seq;
    /* One score of an outcome; or (`len`) what a node has told, encoded. */
    int arm, metric;
    double value;
    size_t len;
    char bytes[];
};

struct listener {
    struct listener *next;
    struct evidence_watch watch;
    struct evidence_slot slot; /* what came in here; where facts are shared: and was not told yet */
    struct evidence_chunk *chunks, *last;
};

struct evidence_shared;

/* Experiments that run are few: one list. */
struct experiment_evidence {
    pthread_mutex_t lock;
    struct listener *first;
    atomic_size_t count;
    struct evidence_shared *shared; /* NULL: facts are not shared */
};

struct listener *evidence_listener(const struct experiment_evidence *e, uint64_t uid);
/* Whose arm a decision was, or -1; which metric a score is, or -1. */
int evidence_arm_of(const struct evidence_watch *w, const struct decision_facts *d);
int evidence_metric_of(const struct evidence_watch *w, const char *name, size_t len);
/* The sketches keep their memory. */
void evidence_slot_clear(struct evidence_slot *s);

/* experiment_evidence_shared.c */
void evidence_share(struct experiment_evidence *e, struct facts *facts);
void evidence_shared_free(struct evidence_shared *s); /* NULL is allowed */
/* Facts that came before it listened. */
void evidence_catch_up(struct experiment_evidence *e, struct listener *l);
/* Add all its chunks to `slot`; the last fact that was heard. */
uint64_t evidence_sum(const struct experiment_evidence *e, const struct listener *l,
                      struct evidence_slot *slot);
/* Those up to a fact. */
void evidence_chunks_free(struct listener *l, uint64_t upto);

#endif
