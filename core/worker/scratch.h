/* scratch: the private directory of a run. Room: worker. */
#ifndef PADDOCK_WORKER_SCRATCH_H
#define PADDOCK_WORKER_SCRATCH_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Make an empty directory of mode 0700 below `parent` for the user; its path goes to `out`. */
bool scratch_make(const char *parent, uid_t uid, gid_t gid, char *out, size_t size, struct err *e)
    MUST_CHECK;
/* Remove it with all that is in it, following no link. */
void scratch_remove(const char *path);

#endif
