/* delta: what a node has counted since it last told, as the others are told. Room: telemetry,
 * private. Threads: one owner.
 *
 * One telling is an entry of the node's stream, in parts of some 64 KiB that come together:
 *
 *   struct delta_head
 *   for each model: u64 uid, u8 words, u16 pieces
 *     for each word: u8 kind (+ 0x80: a score's name, else an error type), u16 length, text
 *     for each piece: u8 tier, i64 start, u32 length, an encoded tally (telemetry/tally.h)
 *
 * Little-endian, nothing aligned. The kinds of the tallies are those of the words, so the
 * dictionaries of two nodes need not agree. Sketches add up to the same bytes in any order. */
#ifndef PADDOCK_TELEMETRY_DELTA_H
#define PADDOCK_TELEMETRY_DELTA_H

#include "telemetry/live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct delta_head {
    uint32_t magic, checksum; /* of all that follows */
    uint64_t from, until;     /* positions of the log: counted after `from`, up to `until` */
    uint32_t parts, models;
};

struct delta_writer {
    struct bytes *parts;
    size_t n, cap; /* parts in use, and parts with memory */
    struct tally used;
};

void delta_init(struct delta_writer *w);
void delta_release(struct delta_writer *w);
/* Empty it, keep the memory. */
void delta_clear(struct delta_writer *w);
/* [lock] Add what was cut off of a model. False: ERR_CORRUPT, ERR_MEMORY, and nothing of it that is
 * not in a part already full was added. */
bool delta_add(struct delta_writer *w, const struct live *l, struct err *e) MUST_CHECK;
/* Everything is there: fill the heads. There is at least one part then. */
void delta_end(struct delta_writer *w, uint64_t from, uint64_t until);

/* Reading one part, whose bytes stay where they are. */
struct delta_reader {
    struct delta_head head;
    const char *at, *end;
    uint32_t left; /* models */
};
struct delta_model {
    uint64_t uid;
    unsigned n_words, n_pieces; /* read before the next model: first the words, then the pieces */
};
struct delta_word {
    bool is_name;
    uint8_t kind;
    const char *text;
    size_t len;
};
struct delta_piece {
    enum tier tier;
    int64_t start;
    const char *bytes;
    size_t len;
};
/* False: ERR_CORRUPT. */
bool delta_open(struct delta_reader *r, const void *data, size_t len, struct err *e) MUST_CHECK;
/* False at the end, or where the part is none of ours (`at` is NULL then). */
bool delta_next_model(struct delta_reader *r, struct delta_model *out);
bool delta_next_word(struct delta_reader *r, struct delta_word *out) MUST_CHECK;
bool delta_next_piece(struct delta_reader *r, struct delta_piece *out) MUST_CHECK;

#endif
