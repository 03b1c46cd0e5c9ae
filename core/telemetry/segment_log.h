/* segment_log: the durable sequence of blocks in DIR/<first position>.seg. Room: telemetry.
 * Threads: one owner (the log writer); release() and the counters from [any]. */
#ifndef PADDOCK_TELEMETRY_SEGMENT_LOG_H
#define PADDOCK_TELEMETRY_SEGMENT_LOG_H

#include "base/err.h"
#include "telemetry/block.h"
#include "telemetry/files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_PATH_SIZE 4096 /* of any path in the log's directory */

struct segment_log;

struct segment_log_config {
    const char *dir; /* made if absent */
    const struct files *files;
    size_t segment_bytes;
    bool accept_damage; /* go on past damaged blocks, logging each, instead of refusing to start */
};

/* Look at the directory; writes nothing. */
struct segment_log *segment_log_open(const struct segment_log_config *config, struct err *e)
    MUST_CHECK;
void segment_log_close(struct segment_log *log);

/* One block that was read. Valid during the call. */
struct block_read {
    uint64_t position;
    const char *payload; /* 8-byte aligned */
    size_t payload_len;
    struct block_key key; /* key NULL: none */
};
struct log_reader {
    /* False (with `e`) ends the reading. */
    bool (*block)(void *ctx, const struct block_read *b, struct err *e);
    void *ctx;
    uint64_t needed_after; /* blocks up to here may be missing or damaged: they are in the store */
};
/* Read everything there is, in order; once, before the first append. A torn tail, which nobody was
 * told of, is cut off. False with ERR_CORRUPT if blocks that had been durable are damaged or
 * missing. */
bool segment_log_read(struct segment_log *log, const struct log_reader *reader, struct err *e)
    MUST_CHECK;

/* Number the next block at least `position` + 1. Before the first append, after reading. */
void segment_log_continue_after(struct segment_log *log, uint64_t position);

/* A block to be written: from the caller, but for `position`. */
struct block_write {
    const void *payload;
    uint32_t payload_len, payload_checksum;
    const char *key_part; /* block_key_encode(), or NULL */
    uint32_t key_len;
    uint64_t position; /* out */
};
/* Write all and make them durable with one fdatasync (one for each segment they fall in). On
 * failure those from `*written` on are not in the log: the file is cut before them, and should even
 * that fail, the next segment's head says where to leave it. */
bool segment_log_append(struct segment_log *log, struct block_write *blocks, size_t n,
                        size_t *written, struct err *e) MUST_CHECK;

/* After a failure: can it be written again? Makes the next segment if there is none to write to. */
bool segment_log_probe(struct segment_log *log, struct err *e) MUST_CHECK;

/* Delete the segments that hold only blocks up to `position`. */
void segment_log_release(struct segment_log *log, uint64_t position);

uint64_t segment_log_last(struct segment_log *log); /* the last durable position, 0: none */
uint64_t segment_log_bytes(struct segment_log *log);
uint64_t segment_log_segments(struct segment_log *log);
uint64_t segment_log_first(struct segment_log *log); /* the first position still there */

#endif
