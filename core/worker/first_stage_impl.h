/* first_stage, the inside: what its two files share. Room: worker. Threads: its only one. */
#ifndef PADDOCK_WORKER_FIRST_STAGE_IMPL_H
#define PADDOCK_WORKER_FIRST_STAGE_IMPL_H

#include "extend/log_tail.h"
#include "worker/confine.h"
#include "worker/forks.h"
#include "worker/job.h"
#include "worker/relay.h"
#include "worker/scratch.h"
#include "worker/watch.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What came from a test. The next test's second stage is forked from here as well: it gets none of
 * this. */
struct apart {
    struct relay_room relay;
    char log[REPORT_LOG], tail[REPORT_LOG];
};

struct stage {
    int control; /* whence jobs come; -1: this is the only one */
    int signals;
    int mounts; /* of the second stage: kept until the host has heard */
    pid_t self;
    struct apart *apart;
    /* what is made ready ahead of a test */
    struct scratch scratch;
    char nonce[NONCE_LEN + 1]; /* of the hop from the second stage */
    int order;                 /* where that waits for what it shall do, and says where it asks */
    int log_in, report_in;
    pid_t pid; /* 0: there is none */
    /* of one test */
    struct terms terms;
    struct confine confine;
    struct relay relay;
    struct log_tail log;
    struct watch watch;
    struct forks forks;
    int status;                  /* of the second stage */
    struct rusage before, usage; /* of children; of the second stage */
    bool started, ended, orphaned;
};

/* Make ready what a second stage needs, and fork it: it waits for its order. `idle`: nobody waits
 * for it. */
bool stage_prepare(struct stage *s, const char *scratch_dir, bool idle, struct err *e) MUST_CHECK;
/* Undo that. Nothing happens if it has not been done. */
void stage_forget(struct stage *s);

/* Let it do the test of `terms`, with the job on standard input. */
bool stage_start(struct stage *s, struct err *e) MUST_CHECK;

/* Close it unless it is -1, which it is then. */
void stage_close(int *fd);

#endif
