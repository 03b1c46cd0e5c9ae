/* inner: what the files of the room share. Room: validation (its own use). */
#ifndef PADDOCK_VALIDATION_INNER_H
#define PADDOCK_VALIDATION_INNER_H

#include "base/arena.h"
#include "base/map.h"
#include "base/pool.h"
#include "extend/policy_set.h"
#include "store/nodes.h"
#include "validation/regression.h"
#include "validation/result.h"
#include "validation/validation.h"
#include "base/hash.h"

#include <pthread.h>

struct event;
struct event_base;

/* Runs to be carried out: those that somebody asked for, and a night's; and, where several share
 * the store, those that were carried out: of a node (its space follows), and a night's. */
#define QUEUE_RUNS       "validation"
#define QUEUE_NIGHT      "validation-night"
#define QUEUE_BACK       "validation-back"
#define QUEUE_NIGHT_BACK "validation-night-back"
enum source { FROM_BACK, FROM_NIGHT_BACK, FROM_RUNS, FROM_NIGHT, SOURCES };
#define CLAIM_MS       15000 /* preset: a node that is silent for so long has lost its runs */
#define POLL_MS        2000  /* how often a queue is looked at unasked */
#define POLL_SHARED_MS 250   /* that others fill */
#define POLL_BACK_MS   100   /* while something is with others */
#define LOST_MAX       5     /* attempts of a run, where several share the store */
#define AHEAD_BACK     16    /* that came back, at a time */
#define DECLINED_MAX   4     /* runs that were left lately */
#define DECLINED_MS    10000 /* after which it is told no more */
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
    enum source from;
    uint64_t number; /* of the job */
    /* Where several share the store (handing.c). */
    const char *owner;          /* the space of the node that was asked */
    const char *plugins_wanted; /* JSON: kind -> id -> digest, of that node; NULL: not told */
    json_t *plugins_parsed;
    uint64_t seq;     /* the journal as that node had it */
    bool returned;    /* it was carried out, by whomever, and is to be judged */
    bool begun;       /* no run, but the word that one has begun */
    bool seized;      /* called off: taken back from whoever has it */
    bool taken;       /* somebody else has it by now: let it go */
    bool may_decline; /* it is not this node's to say what is missing */
    const char *declined;
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

/* A run that was left to others, for want of something here. */
struct declined {
    char run_id[RUN_ID_SIZE], reason[256];
    int64_t at; /* ms */
};

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
    char space[STORE_SPACE_SIZE];
    bool shared; /* several nodes and workers share the store */
    char queues[SOURCES][48];

    pthread_mutex_t lock; /* guards the table, what execution->run points to, the nights' counts */
    struct map *runs;     /* run_id -> live_run */
    struct map *pending;  /* uid -> live_run: the newest that may become evidence */
    size_t waiting;       /* of the table, nights apart, not claimed */
    struct night *nights;
    bool stopped;  /* no request is taken any more */
    bool draining; /* no run is begun any more */
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
    bool claiming, stopping, pumping, pump_again;
    int64_t dry_until_ns[SOURCES], heartbeat_ns, tell_ns;
    uint64_t after[SOURCES]; /* jobs up to this number were left to others, until: */
    int64_t after_until_ns[SOURCES];
    struct declined declined[DECLINED_MAX];
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
/* The same with all runs of a night. */
void live_end_night(struct validation *v, const char *ns, const char *batch_id);
/* Tell those whose time has passed. [supervisor] */
void live_tick(struct validation *v, int64_t now_ns);

/* run_job.c [any]: a run as it lies in a queue. */
enum job_state { JOB_WAITS, JOB_BEGUN, JOB_CARRIED_OUT };
void run_job_write(const struct execution *x, enum job_state state, struct bytes *b);
bool run_job_read(struct execution *x, const char *text, size_t len);
/* The digests of all plugins that runs may need. */
const char *run_job_plugins(struct catalog *c, struct arena *a);

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
void supervisor_claim(struct validation *v, enum source from);
/* Take a run that is called off from whoever has it. */
void supervisor_seize(struct validation *v, const char *run_id, bool of_night);
void supervisor_unlink(struct execution *x); /* from those that are active */
/* The one with that id that is active, or NULL: there is at most one. */
struct execution *supervisor_find(const struct validation *v, const char *id);
/* All tests are over: judge it, store it, tell. */
void supervisor_judge(struct execution *x);
void execution_free(struct execution *x);
/* Something that will come back as a mail went out, or came. */
void supervisor_errand_goes(struct validation *v);
void supervisor_errand_comes(struct validation *v);
/* Tell the queue that the run is over, or that it is still ours for claim_ms. */
void supervisor_queue_say(struct execution *x, enum queue_op op, int64_t claim_ms);
/* Give the claim up, the job being this from now on. */
void supervisor_queue_put(struct execution *x, const void *job, size_t len);

/* handing.c: runs that others carry out */
/* The queue it goes into when it was carried out. */
const char *handing_home(const struct execution *x, struct arena *a);
bool handing_is_mine(const struct execution *x);
void handing_begin(struct execution *x);                 /* [verdicts] tell that it has begun */
void handing_in(struct execution *x);                    /* [supervisor] it was carried out */
void handing_drop(struct execution *x);                  /* [supervisor] and say nothing */
void handing_lost(struct validation *v, const char *id); /* [supervisor] the claim is another's */
void handing_give_back(struct execution *x);             /* [supervisor] */
void handing_decline(struct execution *x); /* [supervisor] leave it to others, and drop it */
void handing_tell(struct validation *v, int64_t now_ns); /* [supervisor] what is done here */

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
