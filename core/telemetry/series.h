/* series: the rows of telemetry in the store, and blocking access to them. Room: telemetry.
 * Threads: [main] while opening, [roller], readers; never a loop or the log writer.
 *
 *   telemetry/model/<uid>  at 0            what model_row.c writes: position, lifetime, dictionary,
 * ... telemetry/1m/<uid>     at slot start   u32 checksum and the encoded tally; likewise 15m, 1h,
 * 6h
 *
 * All rows of a model are written in one transaction with its model row. */
#ifndef PADDOCK_TELEMETRY_SERIES_H
#define PADDOCK_TELEMETRY_SERIES_H

#include "base/arena.h"
#include "store/store.h"
#include "telemetry/live.h"

#include <stdbool.h>

#define SERIES_KEY_SIZE 64

/* "telemetry/1m/17", or "telemetry.2/1m/17" in the space ".2" (store_space()); tier -1: the model
 * row. */
void series_key(const char *space, int tier, uint64_t uid, char out[SERIES_KEY_SIZE]);
/* The uid that a key ends in; 0 if it has none. */
uint64_t series_key_uid(const char *key);

/* A slot's row: checksum and bytes, in the arena. */
const void *slot_row_make(struct arena *a, const void *bytes, size_t len, size_t *row_len);
/* The bytes of a slot's row, or NULL if it is damaged. */
const void *slot_row_open(const void *row, size_t row_len, size_t *len);

/* The model row, in the arena. [lock] The model must be settled. `fleet` NULL: this node is alone;
 * else held. */
struct fleet;
const void *model_row_make(struct arena *a, const struct live *l, const struct fleet *fleet,
                           size_t *len);
/* The same row for another node: without what the one it is of has sent alone; or (`alone`: its
 * place) for a node that shares its store with no other. In the arena; NULL: it is damaged. */
const void *model_row_recast(struct arena *a, const void *row, size_t len, const size_t *alone,
                             size_t *out_len);
/* Fill a fresh model from its row. False (ERR_CORRUPT) if it is damaged. */
bool model_row_open(struct live *l, const void *row, size_t len, struct err *e) MUST_CHECK;

#endif
