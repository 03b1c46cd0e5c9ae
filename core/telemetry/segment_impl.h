/* segment_impl: what segment_log.c and segment_read.c share. Room: telemetry, private. */
#ifndef PADDOCK_TELEMETRY_SEGMENT_IMPL_H
#define PADDOCK_TELEMETRY_SEGMENT_IMPL_H

#include "telemetry/segment_log.h"

#include <pthread.h>

/* One file. */
struct segment {
    uint64_t first; /* position of its first block, from its name */
    uint64_t bytes; /* used */
};

struct segment_log {
    struct segment_log_config config;
    char *dir;
    pthread_mutex_t
        lock; /* of the list and of `last`: release() and counters come from other threads */
    struct segment *segments; /* oldest first */
    size_t n, cap;
    uint64_t last; /* durable position */
    uint64_t next; /* position of the next block */
    /* The segment being written, the last of the list; -1: the next append makes one. */
    int fd;
    uint64_t at, room; /* where the next block goes, and the file's size */
    uint64_t written;  /* up to here each byte was written, if only with zeros */
};

void segment_path(const struct segment_log *log, uint64_t first, char out[SEGMENT_PATH_SIZE]);
/* Forget (and delete) the last segment of the list. */
void segment_drop_last(struct segment_log *log);

#endif
