/* slots: the encoded tallies of one tier, by time. Room: telemetry. Threads: the model's lock. */
#ifndef PADDOCK_TELEMETRY_SLOTS_H
#define PADDOCK_TELEMETRY_SLOTS_H

#include "telemetry/tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slot {
    int64_t start; /* ms */
    char *bytes;   /* tally_encode()d; NULL: empty */
    uint32_t len;
    bool dirty; /* differs from what the store has */
};

struct slots {
    struct slot *list; /* ascending */
    uint32_t n, cap;
};

/* Scratch of one thread: a tally of each scale and a buffer, so that absorbing allocates next to
 * nothing. */
struct workshop {
    struct tally of_scale[SKETCH_SCALE + 1];
    struct bytes bytes;
};
void workshop_init(struct workshop *w);
void workshop_release(struct workshop *w);

void slots_release(struct slots *s);
/* Index of the first slot that starts at `start` or later. */
uint32_t slots_from(const struct slots *s, int64_t start);
struct slot *slots_find(const struct slots *s, int64_t start);
/* The slot, made empty if it is not there. Valid until the next change. */
struct slot *slots_at(struct slots *s, int64_t start);
/* Drop those that start before `start`. */
void slots_expire(struct slots *s, int64_t start);
size_t slots_memory(const struct slots *s);

/* Add a tally to a slot of `scale`. False (ERR_CORRUPT) if the slot's bytes are damaged. */
bool slot_absorb(struct slot *s, const struct tally *t, int scale, struct workshop *w,
                 struct err *e) MUST_CHECK;
/* The same with an encoded tally of the same or a finer scale. */
bool slot_absorb_bytes(struct slot *s, const void *data, size_t len, int scale, struct workshop *w,
                       struct err *e) MUST_CHECK;
void slot_release(struct slot *s);
/* Records in it; 0 also if it is damaged. */
uint64_t slot_count(const struct slot *s, struct workshop *w);

#endif
