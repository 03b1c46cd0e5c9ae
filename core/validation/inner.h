/* inner: what the files of the room share. Room: validation (its own use). */
#ifndef PADDOCK_VALIDATION_INNER_H
#define PADDOCK_VALIDATION_INNER_H

#include "base/arena.h"
#include "base/map.h"
#include "base/pool.h"
#include "extend/policy_set.h"
#include "validation/regression.h"
#include "validation/result.h"
#include "validation/validation.h"
#include "base/hash.h"

#include <pthread.h>

struct event;
struct event_base;

#define QUEUE_RUNS     "validation"
#define QUEUE_NIGHT    "validation-night"
#define CLAIM_MS       15000 /* a node that is silent for so long has lost its runs */
#define HEARTBEAT_MS   4000
#define POLL_MS        2000 /* how often the queue is looked at unasked */
#define WORKER_NICE    10
#define NIGHT_AHEAD    256 /* runs of a night that are in the queue at once */
#define RUN_ID_SIZE    129
#define BASE_LOOKED_AT 50 /* runs of the baseline's model that may not have passed */
#define RUN_ARENA_MAX  ((size_t)512 << 20)
#define RESULTS_MAX    ((size_t)256 << 20) /* of a run's results, logs included */

/* ---- live.c: the runs that wait or are under way here ---- */

struct execution;

struct live_run {
    char *run_id, *ns, *model_id, *batch_id; /* one block with the struct */
    uint64_t uid;
    bool trial, whole; /* whole: no filter, so it may become evidence */
    bool cancelled;
    char fingerprint[SHA256_HEX_SIZE];
    char *json; /* as it was queued; what GET shows until it is claimed */
    size_t json_len;
    struct execution *execution; /* NULL: it waits */
    struct run_wait *waits;
};

/* ---- plan.c: what a run does ---- */

struct planned_test {
    struct execution *execution;
    struct test_result result; /* its identity; all of it once it is over */
    struct test_job job;
    const struct plugin *plugin; /* NULL: it cannot be carried out, result says why */
    bool gate, alone, over, started;
    struct worker *worker;
    struct event *report, *log, *wake;
};

/* A claimed run. [supervisor], but while it is being planned or judged: [verdicts]. Its `run` is
 * read by others under the table's lock. */
struct execution {
    struct mail mail;
    struct validation *v;
    struct live_run *live;
    struct arena *arena;
    const char *queue, *id, *ns; /* id: of the job, which is the run's */
    uint64_t uid;
    int64_t until; /* ms; a night's end, 0: none */
    bool again;    /* it was claimed before */
    bool lost;     /* it was under way on a node that is gone, and may not be tried again */
    bool stored;   /* the store has it finished already */
    struct run run;
    const char *types, *test_ids, *baseline_model_id; /* the filters, as JSON */
    const struct plugin_set *plugins;
    struct planned_test *tests;
    size_t n, running, done;
    size_t results_bytes;
    /* What it is compared with: a model, and a run of it if one is pinned (else its newest passed
     * one). NULL: nothing. */
    const char *base_model_id, *base_run_id, *base_name, *base_version, *base_status;
    uint64_t base_uid;
    /* Of the model, for the policy. */
    const char *name, *version, *status, *labels, *policy;
    bool covers_gate; /* every enabled gate test is among them */
    char tests_digest[SHA256_HEX_SIZE];
    bool gone;       /* the model is no more */
    const void *job; /* as it was claimed */
    size_t job_len;
    bool planned, cancelled, judging;
    bool told; /* judged, stored, told */
    struct execution *next;
};

/* ---- the whole ---- */

/* The mail that ends the supervisor's loop. */
struct ending {
    struct mail mail;
    struct validation *v;
};

struct night; /* nights_impl.h */

struct validation {
    struct validation_config config;
    struct engine *engine;
    struct gate_source gate;
    struct test_types types;
    char node[80], claimant[160];
    char queues[2][48]; /* of this node: runs that somebody asked for, and a night's */

    pthread_mutex_t lock; /* guards the table, what execution->run points to, the nights' counts */
    struct map *runs;     /* run_id -> live_run */
    struct map *pending;  /* uid -> live_run: the newest that may become evidence */
    size_t waiting;       /* of the table, nights apart, not claimed */
    struct night *nights;
    bool stopped; /* no request is taken any more */
    uint64_t runs_total, tests_total;

    /* [supervisor] */
    struct mailbox *mailbox;
    pthread_t thread;
    bool threads;
    struct event_base *base;
    struct event *mail_event, *tick_event;
    struct execution *active; /* oldest first */
    size_t n_active, workers_running, workers_max;
    bool alone; /* a test that must be alone runs */
    bool claiming, dry[2], stopping, pumping, pump_again;
    int64_t dry_until_ns, heartbeat_ns;
    size_t errands; /* requests to the store or the other thread that will come back */
    int64_t hour_seen;
    bool nights_blocked, leading, leasing;
    int64_t lease_ns, taken_up_ms;
    int64_t sweep_at; /* ms: the next sweep of old runs */

    struct pool *verdicts;
    struct policy_set *policies;      /* [verdicts] */
    struct view_reader *reader;       /* [supervisor] */
    struct view_reader *judge_reader; /* [verdicts] */
};

/* live.c, [any] */
struct live_run *live_find(struct validation *v, const char *ns, const char *run_id); /* locked */
struct live_run *live_add(struct validation *v, const struct run *r, const char *ns, uint64_t uid,
                          bool whole); /* locked */
/* Take it off the table, tell who waits, free it. */
void live_end(struct validation *v, struct live_run *l);
void live_free(struct live_run *l);
/* Tell those whose time has passed. [supervisor] */
void live_tick(struct validation *v, int64_t now_ns);

/* plan.c [verdicts]: read the job, find out what is to be done. */
void plan(struct execution *x, const void *job, size_t len);
/* verdict.c [verdicts]: compare, grade, store, tell. False: the store refused; try again. */
bool judge(struct execution *x);
/* May others be compared with it? The newest such run of a model is its baseline. */
bool run_may_be_baseline(const struct run *r);
/* Have a command decided, and wait. False if it is worth another try. */
bool decide_and_wait(struct validation *v, const char *ns, const char *model_id, struct arena *a,
                     void *args,
                     bool (*decide)(struct command *c, struct head *h, struct changes *out,
                                    struct err *e));

/* request.c: a run's way into the queue. */
struct run_order {
    const char *ns, *model_id, *batch_id, *run_id, *trigger;
    const char *types, *test_ids, *baseline_model_id, *labels;
    bool trial;
    int64_t until;
    const struct model *model; /* of a view that is held */
    const struct view *view;
};
/* Put it on the table (under the lock) and return the errand that queues it; NULL and `e` when too
 * many wait. post_errand() sends it on its way. */
struct queueing;
struct queueing *run_order(struct validation *v, const struct run_order *o, struct err *e);
void queueing_post(struct queueing *q, void (*done)(struct queueing *q, const struct err *why),
                   void *owner);
void *queueing_owner(const struct queueing *q);
const char *queueing_run_id(const struct queueing *q);

/* execution.c [supervisor] */
/* Start what may be started of `x`. False: nothing after it may start either (a test waits to be
 * alone). */
bool execution_advance(struct execution *x);
/* End its workers now, without results. */
void execution_abandon(struct execution *x);
void execution_cancel(struct execution *x); /* end them with what they have */
bool execution_is_over(const struct execution *x);

/* claims.c [supervisor]: a run's way from the queue to its end */
void supervisor_claim(struct validation *v);
/* All tests are over: judge it, store it, tell. */
void supervisor_judge(struct execution *x);
void execution_free(struct execution *x);
/* Something that will come back as a mail went out, or came. */
void supervisor_errand_goes(struct validation *v);
void supervisor_errand_comes(struct validation *v);
/* Tell the queue that the run is over, or that it is still ours for claim_ms. */
void supervisor_queue_say(struct execution *x, enum queue_op op, int64_t claim_ms);

/* supervisor.c */
void supervisor_post(struct validation *v, struct mail *m); /* [any] an answer: always taken */
/* [any] A request: refused once the server is being stopped. */
bool supervisor_ask(struct validation *v, struct mail *m, struct err *e) MUST_CHECK;
bool supervisor_start(struct validation *v, struct err *e) MUST_CHECK;
void supervisor_stop(struct validation *v);
void supervisor_pump(struct validation *v); /* [supervisor] start and claim what may be */

/* nights.c, nights_due.c [supervisor] */
void nights_tick(struct validation *v, int64_t now_ms);
void nights_run_over(struct validation *v, const char *ns, const char *batch_id,
                     const char *status);
void nights_resume(struct validation *v);
/* The server is being stopped and nothing more begins: another node need not wait until the lease
 * runs out. Its answer is an errand. */
void nights_leave(struct validation *v);
void nights_free(struct validation *v);
/* False while it is not known yet what of a night was over before a restart: until then none of its
 * runs may be claimed. */
bool nights_ready(const struct validation *v);

#endif
