/* words: a small set of byte strings numbered 0, 1, 2 ... in the order they came. Room: telemetry.
 * Threads: one owner (or an outer lock).
 *
 * Error types and score names travel and are stored as numbers; this is their dictionary. */
#ifndef PADDOCK_TELEMETRY_WORDS_H
#define PADDOCK_TELEMETRY_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORD_NONE UINT32_MAX

struct words {
    uint32_t n, limit; /* words held, and how many may be */
    uint32_t *ends;    /* word i is text[ends[i - 1] .. ends[i]) */
    char *text;
    uint32_t *slots;    /* open addressing: word + 1, 0 is free */
    uint32_t slot_mask; /* slots - 1; 0 while there are none */
    uint32_t ends_cap;
    uint32_t text_cap;
};

/* Holds at most `limit` words of together less than 4 GiB. Allocates nothing yet. */
void words_init(struct words *w, uint32_t limit);
void words_release(struct words *w);
/* Empty it and keep the memory. */
void words_clear(struct words *w);

/* The number of a word, or WORD_NONE. */
uint32_t words_find(const struct words *w, const char *text, size_t len);
/* The same, adding it if it is new; WORD_NONE when the limit is reached. */
uint32_t words_put(struct words *w, const char *text, size_t len);
/* A word's text (not NUL-terminated), valid until the next put. */
const char *words_get(const struct words *w, uint32_t word, size_t *len);
/* Bytes of memory held. */
size_t words_memory(const struct words *w);

#endif
