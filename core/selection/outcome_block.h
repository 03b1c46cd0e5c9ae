/* outcome_block: how outcomes lie in their log. Room: selection, private to outcomes. Threads:
 * pure.
 *
 * A block is a head (magic, how many, when they were received) and a row for each outcome. */
#ifndef PADDOCK_SELECTION_OUTCOME_BLOCK_H
#define PADDOCK_SELECTION_OUTCOME_BLOCK_H

#include "base/bytes.h"
#include "selection/outcomes.h"
#include "telemetry/segment_log.h"

#define OUTCOME_BLOCK_ROW 192 /* bytes of a row */

/* Begin a block of at most `n` in `b`, which is begun anew; then add, and at the end say how many
 * were added. */
void outcome_block_begin(struct bytes *b, size_t n, int64_t received_ms);
void outcome_block_add(struct bytes *b, const struct outcome *o);
void outcome_block_end(struct bytes *b, uint64_t added);

/* Call `fn` for each outcome of a block. False (ERR_CORRUPT): it has not the form of one. What was
 * written once was verified then: its key may be gone since. */
bool outcome_block_read(const struct block_read *b, int64_t *received_ms,
                        void (*fn)(void *ctx, uint64_t position, int64_t received_ms,
                                   const struct outcome *o),
                        void *ctx, struct err *e) MUST_CHECK;

/* The rows of a block as they lie there; NULL: it has not the form of one. */
const char *outcome_block_rows(const char *payload, size_t len, size_t *n, int64_t *received_ms);
/* One of them, which need not be aligned. False: it names no decision. */
bool outcome_row_read(const void *row, struct outcome *o) MUST_CHECK;

#endif
