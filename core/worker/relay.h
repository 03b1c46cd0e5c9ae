/* relay: lines from the second stage, checked and passed on to the host. Room: worker.
 * Threads: the first stage's only thread. See extend/worker_protocol.h. */
#ifndef PADDOCK_WORKER_RELAY_H
#define PADDOCK_WORKER_RELAY_H

#include "base/bytes.h"
#include "extend/worker_protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct relay {
    int in, out; /* -1: ended */
    char in_nonce[NONCE_LEN + 1], out_nonce[NONCE_LEN + 1];
    struct bytes line, queue; /* a line that is not whole yet; what the host has not taken yet */
    size_t sent;              /* of the queue */
    bool skipping;            /* within a line that is too long */
    uint64_t foreign;         /* bytes that were not the host's */
    bool running, ended;      /* the lines "run" and "end" came */
};

void relay_init(struct relay *r, int in, int out, const char *in_nonce, const char *out_nonce);
void relay_release(struct relay *r);
/* Read what is there, unless much waits to be written. False at the end of input. */
bool relay_read(struct relay *r);
/* Wants to read (is not choked)? */
bool relay_reads(const struct relay *r);
/* Write what can be written. False if the host is gone. */
bool relay_write(struct relay *r) MUST_CHECK;
/* All has been written? */
bool relay_idle(const struct relay *r);
/* Add a line of our own. */
void relay_own(struct relay *r, const char *kind, const struct bytes *members);
/* The input has ended: a piece without an end is foreign. */
void relay_finish(struct relay *r);

#endif
