/* token_usage: when tokens were last used, and flags last asked; both by their uid. Room: api.
 * Threads: see each function.
 *
 * Use is no change: it is neither journalled nor part of the token's revision. Each loop notes it
 * in a few places of its own and tells the table about once a second; the table is written to the
 * store once a minute, at most 256 tokens at a time, so a crash may forget the last minute of it.
 */
#ifndef PADDOCK_API_TOKEN_USAGE_H
#define PADDOCK_API_TOKEN_USAGE_H

#include "base/clock.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct token_usage;

/* Reads what the store has. [main] NULL and `e` if it cannot. */
struct token_usage *token_usage_open(struct store *s, const struct clock *clock, struct err *e)
    MUST_CHECK;
/* Waits for what is being written. [main] */
void token_usage_close(struct token_usage *u);
/* When the token was last used, ms; 0: never, or more than 400 days ago. [any] */
int64_t token_usage_last(struct token_usage *u, uint64_t uid);

/* The places of one loop. [loop] */
#define USAGE_PLACES 64
struct usage_places {
    struct {
        uint64_t uid;
        int64_t at, told;
    } list[USAGE_PLACES];
};
void token_usage_note(struct token_usage *u, struct usage_places *places, uint64_t uid,
                      int64_t now_ms);
/* A use that somebody else has noted. It is written to the store only if the one written is older
 * than `coarse_ms`, and at the end. [any] */
void token_usage_tell(struct token_usage *u, uint64_t uid, int64_t at_ms, int64_t coarse_ms);
/* Once in a while: tell the table what was noted, and have it written when it is time. */
void token_usage_tick(struct token_usage *u, struct usage_places *places, int64_t now_ms);

#endif
