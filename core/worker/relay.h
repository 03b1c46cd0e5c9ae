/* relay: lines from the second stage, checked and passed on to the host. Room: worker.
 * Threads: the first stage's only thread. See extend/worker_protocol.h. */
#ifndef PADDOCK_WORKER_RELAY_H
#define PADDOCK_WORKER_RELAY_H

#include "base/bytes.h"
#include "extend/worker_protocol.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_QUEUE (8u << 20)
#define RELAY_CHUNK 65536u

/* Where it keeps what it passes on. Pages that are not needed are not touched. */
struct relay_room {
    char chunk[RELAY_CHUNK], line[REPORT_LINE + 1], queue[RELAY_QUEUE + 1];
};

struct relay {
    int in, out; /* -1: ended */
    char in_nonce[NONCE_LEN + 1], out_nonce[NONCE_LEN + 1];
    char *chunk;              /* of the room */
    struct bytes line, queue; /* a line that is not whole yet; what the host has not taken yet */
    size_t sent;              /* of the queue */
    bool skipping;            /* within a line that is too long */
    uint64_t foreign;         /* bytes that were not the host's */
    bool running, ended;      /* the lines "run" and "end" came */
    bool swollen;             /* much waited at once, or a line was long */
};

/* `room` is borrowed: nothing that is passed on is kept anywhere else. */
void relay_init(struct relay *r, struct relay_room *room, int in, int out, const char *in_nonce,
                const char *out_nonce);
/* Read what is there, unless much waits to be written. False at the end of input. */
bool relay_read(struct relay *r);
/* Wants to read (is not choked)? */
bool relay_reads(const struct relay *r);
/* Write what can be written. False if the host is gone. */
bool relay_write(struct relay *r) MUST_CHECK;
/* Enough waits to be written at once? */
bool relay_is_full(const struct relay *r);
/* All has been written? */
bool relay_idle(const struct relay *r);
/* Add a line of our own. */
void relay_own(struct relay *r, const char *kind, const struct bytes *members);
/* The input has ended: a piece without an end is foreign. */
void relay_finish(struct relay *r);

#endif
