/* block: one batch as it stands in a segment file. Room: telemetry. Threads: pure, [any].
 *
 * A segment is a header and blocks, end to end. The header is 64 bytes: magic, the position of its
 * first block, the last position before it that a reader must have seen, checksum. A block is 48
 * bytes of head; the payload (payload.h); the idempotency key with its answer, if any; zeros up to
 * a multiple of 8.
 *
 * Positions number all blocks of a node from 1 without repetition. `group` is the position of the
 * first block that was made durable by the same fdatasync: a block with a later group proves that
 * everything before that group had been durable. That is how a reader tells a torn tail from
 * damage. */
#ifndef PADDOCK_TELEMETRY_BLOCK_H
#define PADDOCK_TELEMETRY_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_HEAD_SIZE 64
#define BLOCK_HEAD_SIZE   48
#define POSITION_MAX      (UINT64_C(1) << 62) /* greater ones are damage: no log gets there */

struct segment_head {
    uint64_t first; /* position of its first block */
    uint64_t after; /* the last position written before it, 0: none */
};

struct block_head {
    uint64_t position, group;
    uint32_t payload_len, payload_checksum;
    uint32_t key_len, key_checksum; /* of the key part; 0 and 0: none */
};

/* An idempotency key with its kept answer. */
struct block_key {
    const char *key; /* NULL: none */
    size_t key_len;
    const void *value;
    size_t value_len;
    int64_t expires_ms;
};

void segment_head_encode(const struct segment_head *h, char out[SEGMENT_HEAD_SIZE]);
bool segment_head_decode(struct segment_head *h, const char in[SEGMENT_HEAD_SIZE]);

void block_head_encode(const struct block_head *h, char out[BLOCK_HEAD_SIZE]);
/* False if this is no head of a block. */
bool block_head_decode(struct block_head *h, const char in[BLOCK_HEAD_SIZE]);
/* Bytes from one block to the next. */
static inline size_t block_size(const struct block_head *h)
{
    return BLOCK_HEAD_SIZE + (((size_t)h->payload_len + h->key_len + 7) & ~(size_t)7);
}
/* Do the payload and the key part that follow the head have their checksums? */
bool block_body_good(const struct block_head *h, const char *body);

/* The key part as a heap block (free()), and back. */
char *block_key_encode(const struct block_key *k, uint32_t *len);
bool block_key_decode(struct block_key *k, const char *data, size_t len);

#endif
