/* first_stage, the inside: what its two files share. Room: worker. Threads: its only one. */
#ifndef PADDOCK_WORKER_FIRST_STAGE_IMPL_H
#define PADDOCK_WORKER_FIRST_STAGE_IMPL_H

#include "extend/log_tail.h"
#include "worker/confine.h"
#include "worker/job.h"
#include "worker/relay.h"
#include "worker/watch.h"

#include <limits.h>
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
    struct terms terms;
    struct confine confine;
    char scratch[PATH_MAX];
    char nonce[NONCE_LEN + 1]; /* of the hop from the second stage */
    int control;               /* whence jobs come; -1: this is the only one */
    int log_in, signals;
    int report_in, report_out, log_out; /* the outs are the second stage's ends */
    struct apart *apart;
    struct relay relay;
    struct log_tail log;
    struct watch watch;
    pid_t pid, self;
    int status;                  /* of the second stage */
    struct rusage before, usage; /* of children; of the second stage */
    bool ended, orphaned;
};

/* Make what a second stage needs, and fork it. What was made before a failure is in `s`. */
bool stage_start(struct stage *s, struct err *e) MUST_CHECK;

/* Close it unless it is -1, which it is then. */
void stage_close(int *fd);

#endif
