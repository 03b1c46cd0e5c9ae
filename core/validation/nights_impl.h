/* nights_impl: a night, for the files that begin it and carry it through. Room: validation,
 * private. Threads: [supervisor]; the list of nights and their counts are read by others under the
 * lock. */
#ifndef PADDOCK_VALIDATION_NIGHTS_IMPL_H
#define PADDOCK_VALIDATION_NIGHTS_IMPL_H

#include "validation/inner.h"

struct target {
    char *model_id;
    uint64_t uid;
    int64_t end_hour_utc;
    bool over; /* before a restart */
};

struct night {
    struct mail mail;
    struct validation *v;
    char *ns;
    char batch_id[RUN_ID_SIZE];
    int64_t hour_utc, scheduled_for, started_at; /* hour INT64_MIN: all models */
    struct target *targets;
    size_t n, cap, next, ahead; /* ahead: in the queue, or going there */
    struct nightly_counts counts;
    bool begun, again; /* again: taken up after a restart */
    bool looking;      /* into what of it is over */
    bool reviewed;     /* its runs are over, what they say is looked at */
    bool left;         /* another node goes on with it */
    size_t errands;    /* that will come back to it */
    struct night_wish *wish;
    struct night *following;
};

/* nights.c */
/* The one under way in the namespace, or about to begin; NULL. */
struct night *night_of(struct validation *v, const char *ns);
/* On the list from now on, with an id of its own. hour_utc INT64_MIN: all models, whatever their
 * hours; scheduled_for 0: somebody asked for it. */
struct night *night_new(struct validation *v, const char *ns, int64_t hour_utc,
                        int64_t scheduled_for);
/* Collect the models that it tests. */
void night_gather(struct night *n);
/* Have it journalled; when that went well its runs go into the queue. It may be gone then. */
void night_begin(struct night *n);
/* Put runs into the queue, as many as may wait there. Ends the night, and frees it, when none are
 * left. */
void night_queue_more(struct night *n);
/* Something that will come back to the night went out, or came: false if another node goes on with
 * it; then it may be gone. */
void night_errand_goes(struct night *n);
bool night_errand_comes(struct night *n) MUST_CHECK;
/* Another node decides: forget it, and its runs. */
void night_leave_to_others(struct night *n);
/* Count a run that is over. */
void night_count(struct validation *v, struct nightly_counts *c, const char *status);
int64_t night_counted(const struct nightly_counts *c);

#endif
