/* confine: what the second stage gives up before it loads other people's code. Room: worker.
 * Threads: before any is started.
 *
 * As root, a user number that nobody else has, so that limits count for this run alone and nothing
 * but this run can be signalled; a mount namespace in which everything is read-only but a memory
 * disk of limited size. Without root a user namespace gives the same where the kernel allows it;
 * where not, the first stage watches the directory's size. Always: limits for memory, processor
 * time, files, processes; no new privileges; Landlock where the kernel has it. This contains
 * accidents, not malice. */
#ifndef PADDOCK_WORKER_CONFINE_H
#define PADDOCK_WORKER_CONFINE_H

#include "base/err.h"
#include "worker/job.h"

#include <stdbool.h>
#include <sys/types.h>

struct confine {
    uid_t uid; /* 0: stay who we are */
    gid_t gid;
    bool own;            /* nobody else has this uid */
    const char *scratch; /* an existing, empty directory; NULL: nothing may be written */
    uint64_t memory_bytes, scratch_bytes, cpu_seconds;
    unsigned processes, open_files;
};

/* Whom to become when we are root: the named user, or if the name is NULL a number of those that
 * belong to the process `pid`, another each time. In a container where no such numbers exist,
 * nobody else. */
bool confine_user(const char *name, pid_t pid, struct confine *out, struct err *e) MUST_CHECK;

/* Do it, in this process, for ever. What the kernel does not allow is left out, except the user and
 * the limits, without which it fails. */
bool confine_self(const struct confine *c, struct err *e) MUST_CHECK;

/* Limit what this process may write to, heap above all, where nobody watches it from beside. */
bool confine_heap(uint64_t bytes, struct err *e) MUST_CHECK;

#endif
