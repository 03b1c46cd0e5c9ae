/* live_log: the segments of a log that a server writes to, held fast by their descriptors. Room:
 * moving. Threads: one owner. */
#ifndef PADDOCK_MOVING_LIVE_LOG_H
#define PADDOCK_MOVING_LIVE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live_log {
    const char *dir, *folder; /* the data directory; "records" */
    struct live_file {
        char name[64];
        int fd;
        bool segment;
        uint64_t end; /* of its whole blocks, as far as they were looked at; 0: all of it */
    } * files;        /* in the order of their names */
    size_t n, cap;
    unsigned unsettled; /* how often in a row a block was seen half-written */
};

void live_log_init(struct live_log *l, const char *dir, const char *folder);
void live_log_release(struct live_log *l);
/* Open what is there and is not open yet: segments, or all else. */
bool live_log_open(struct live_log *l, bool segments, struct err *e) MUST_CHECK;
/* Where does the log end now? `again`: a block is being written; ask again. */
bool live_log_measure(struct live_log *l, bool *again, struct err *e) MUST_CHECK;
/* Copy all that is open, up to the end that was measured, into a folder of `to`. */
bool live_log_copy(const struct live_log *l, const char *to, struct err *e) MUST_CHECK;
/* Copy one file of the data directory itself, if it is there. */
bool live_log_copy_one(const char *dir, const char *to, const char *name, struct err *e) MUST_CHECK;

#endif
