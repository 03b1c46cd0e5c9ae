/* forks: the second stage, and whoever comes from it, asks the first before a process or thread is
 * made. Room: worker. Threads: forks_announce in the second stage before it starts any, all else in
 * the first stage's only one.
 *
 * A limit of the kernel's (RLIMIT_NPROC) tells nobody that it has been met: those who fork without
 * an end go on asking, and a hundred of them leave the scheduler no time for others, however nice
 * they are. Here whoever asks sleeps until it has its answer, and at the limit there is none. It
 * needs no rights, only a kernel from 5.19 on that lets us filter system calls; where there is none
 * (a container may forbid it) the limit of the kernel's and the first stage's looks remain. */
#ifndef PADDOCK_WORKER_FORKS_H
#define PADDOCK_WORKER_FORKS_H

#include <stdbool.h>
#include <stddef.h>

struct forks {
    int in;         /* where they ask; -1: nobody does */
    unsigned limit; /* processes and threads at once */
    unsigned most;  /* there are no more than that */
    bool met;
};

/* From now on this process asks, and so do all that it makes; `to` is told where. Nothing happens
 * where the kernel does not allow it. */
void forks_announce(int to);

/* Hear where they ask, from the other end of `to`. */
void forks_hear(struct forks *f, int from);
/* The descriptor to wait for; -1: nobody is to be answered. */
int forks_in(const struct forks *f);
/* Answer who asks there. False if the limit is met: nobody has an answer any more. */
bool forks_answer(struct forks *f) __attribute__((warn_unused_result));
/* Whoever asks still is told that there is no such call. */
void forks_close(struct forks *f);

#endif
