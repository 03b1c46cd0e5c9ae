/* experiments_impl: what the files of experiments share. Room: selection, private. */
#ifndef PADDOCK_SELECTION_EXPERIMENTS_IMPL_H
#define PADDOCK_SELECTION_EXPERIMENTS_IMPL_H

#include "registry/experiment.h"
#include "selection/experiments.h"

#include <pthread.h>

/* What one round sees of a document; texts are the round's. */
struct seen_experiment {
    const char *ns, *key, *route, *control;
    uint64_t uid, route_uid;
    int64_t revision, started_at, step, attempt;
    int64_t step_min_ms, max_ms, warmup_ms, min_samples;
    double alpha;
    const char *paused_by;
    bool ready, moved; /* moved: an arm leads to another model, or to none */
    uint64_t models[EVIDENCE_ARMS];
    const char *cut[EVIDENCE_ARMS]; /* why selections pass the arm over; NULL: they do not */
    struct experiment_spec spec;
    const struct weights_set *base; /* the route's own ranges; NULL: none */
};

/* One that runs. */
struct live_experiment {
    struct live_experiment *next;
    uint64_t uid;
    int64_t started_at; /* another one: it was begun anew */
    uint64_t round;
    struct experiment_spec spec; /* names of guardrails point into it */
    struct experiment_rules rules[EXPERIMENT_TREATMENTS_MAX];
    size_t outs; /* of its treatments, that the rest knows of */
    struct evidence_slot slot;
    char *ns, *route;
    int64_t slot_ms, slot_start;
    size_t published;  /* of the shares that it has had in turn */
    int64_t retry_ms;  /* the gate refused: not before */
    int64_t looked_at; /* the newest look that was read or kept */
    uint64_t upto;     /* facts up to this one are in looks that are kept */
    bool decided;      /* here, at the last look; else another node does */
};

struct experiments {
    struct experiments_config config;
    struct view_reader *reader;
    pthread_t thread;
    pthread_mutex_t lock; /* the list and the rules and specs in it */
    pthread_cond_t call;
    bool stopping;
    struct live_experiment *first;
    uint64_t round;
    struct arena *arena; /* of one round */
};

/* experiments_seen.c: all that run, in the arena. [experiments] */
const struct seen_experiment *experiments_seen(struct experiments *x, size_t *n);

/* experiments_shares.c: bring what is published to where the document is. [experiments] */
void experiment_shares_follow(struct experiments *x, struct live_experiment *l,
                              const struct seen_experiment *s);

/* experiments_keep.c: the looks in the store. [experiments] */
/* `looks`: one for each treatment; of those that were taken out nothing is kept. `upto`: with the
 * facts up to this one. False: another node decides, or (where nodes share the store) it may not be
 * kept: then it counts for nothing, unless it is found there. */
bool experiment_look_keep(struct experiments *x, struct live_experiment *l,
                          const struct experiment_look *looks, uint64_t upto) MUST_CHECK;
/* Take the looks of this attempt that are not known here, all of them at first. False: they could
 * not be read. */
bool experiment_looks_replay(struct experiments *x, struct live_experiment *l);
/* It has ended: let its looks go. */
void experiment_looks_forget(struct experiments *x, uint64_t uid, int64_t before_ms);

/* What a look has shown of each treatment, and the one by which the experiment is moved. */
struct experiment_shown {
    struct experiment_decision list[EXPERIMENT_TREATMENTS_MAX];
    size_t which;
};
/* experiments_decide.c: under the lock, or [experiments] */
void experiment_show(const struct live_experiment *l, int64_t now_ms, bool waiting,
                     struct experiment_shown *out);

/* experiments_carry_out.c [experiments] */
/* Does it wait for a person? */
bool experiment_waits(const struct seen_experiment *s);
/* Have it written down; refused is only what was overtaken, or is logged. */
void experiment_report_news(struct experiments *x, const struct seen_experiment *s,
                            const struct experiment_news *news);
/* Do what was decided. */
void experiment_carry_out(struct experiments *x, struct live_experiment *l,
                          const struct seen_experiment *s, const struct experiment_shown *shown);

/* experiments_json.c */
void experiment_evidence_json(const struct live_experiment *l, const struct experiment_shown *shown,
                              bool intervals, struct bytes *out);

#endif
