/* scratch: the private directory of a run. Room: worker. */
#ifndef PADDOCK_WORKER_SCRATCH_H
#define PADDOCK_WORKER_SCRATCH_H

#include "base/err.h"

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* Make an empty directory of mode 0700 below `parent` for the user; its path goes to `out`. */
bool scratch_make(const char *parent, uid_t uid, gid_t gid, char *out, size_t size, struct err *e)
    MUST_CHECK;
/* Remove it with all that is in it, following no link. */
void scratch_remove(const char *path);

/* One that serves run after run for as long as none has touched it, which is the case where each
 * has a memory disk on it: making and removing it cost more than a fifth of an empty process. */
struct scratch {
    char parent[PATH_MAX], path[PATH_MAX]; /* path empty: there is none */
    struct timespec changed;               /* as it was handed over */
};

/* Have one below `parent`. */
bool scratch_need(struct scratch *s, const char *parent, struct err *e) MUST_CHECK;
/* Give it to the user of a run. */
bool scratch_hand(struct scratch *s, uid_t uid, gid_t gid, struct err *e) MUST_CHECK;
/* The run is over: it is kept as it was handed over, or removed. */
void scratch_settle(struct scratch *s);
void scratch_end(struct scratch *s);

#endif
