/* outcome_window: which outcomes have been seen lately. Room: selection, private to outcomes.
 * Threads: one owner.
 *
 * Two sets of 64-bit hashes, the present one and the one before: each is filled for a window's
 * time, so whatever is seen is known for at least one window after. Memory is bounded: a full set
 * makes way early, and decisions so old that their outcomes may be forgotten are late from then on.
 */
#ifndef PADDOCK_SELECTION_OUTCOME_WINDOW_H
#define PADDOCK_SELECTION_OUTCOME_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outcome_set {
    uint64_t *places; /* 0: free; a power of two of them */
    size_t room, count;
};

struct outcome_window {
    int64_t window_ms;
    size_t max; /* of each set */
    struct outcome_set now, before;
    int64_t since_ms; /* that `now` is filled */
    int64_t floor_ms; /* decisions from before are late */
};

void outcome_window_init(struct outcome_window *w, int64_t window_ms, size_t max, int64_t now_ms);
void outcome_window_release(struct outcome_window *w);
/* Is a decision of this time too old to be known? */
bool outcome_window_late(struct outcome_window *w, int64_t decided_ms, int64_t now_ms);
/* Remember; false: it was known. */
bool outcome_window_add(struct outcome_window *w, uint64_t hash, int64_t now_ms);
/* Forget what was added last but did not come to be. */
void outcome_window_remove(struct outcome_window *w, uint64_t hash);

#endif
