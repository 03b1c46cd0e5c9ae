#include "telemetry/words.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SLOTS 16

/* Against crafted words that all fall on one slot: the seed is this process's own address layout.
 */
static uint32_t hash_of(const char *text, size_t len)
{
    return (uint32_t)hash64(text, len, (uint64_t)(uintptr_t)&words_init);
}

void words_init(struct words *w, uint32_t limit)
{
    *w = (struct words){.limit = limit};
}

void words_release(struct words *w)
{
    free(w->ends);
    free(w->text);
    free(w->slots);
    words_init(w, w->limit);
}

void words_clear(struct words *w)
{
    if (w->n && w->slots)
        memset(w->slots, 0, ((size_t)w->slot_mask + 1) * sizeof *w->slots);
    w->n = 0;
}

const char *words_get(const struct words *w, uint32_t word, size_t *len)
{
    uint32_t start = word ? w->ends[word - 1] : 0;
    *len = w->ends[word] - start;
    return w->text + start;
}

/* The slot that holds the word, or the free one where it belongs. */
static uint32_t *slot_of(const struct words *w, const char *text, size_t len)
{
    for (uint32_t at = hash_of(text, len);; at++) {
        uint32_t *slot = &w->slots[at & w->slot_mask];
        if (*slot == 0)
            return slot;
        size_t have;
        const char *word = words_get(w, *slot - 1, &have);
        if (have == len && memcmp(word, text, len) == 0)
            return slot;
    }
}

uint32_t words_find(const struct words *w, const char *text, size_t len)
{
    return w->n ? *slot_of(w, text, len) - 1 : WORD_NONE;
}

static void grow_slots(struct words *w)
{
    size_t count = w->slots ? ((size_t)w->slot_mask + 1) * 2 : LEAST_SLOTS;
    free(w->slots);
    w->slots = mem_zero(count, sizeof *w->slots);
    w->slot_mask = (uint32_t)count - 1;
    for (uint32_t i = 0; i < w->n; i++) {
        size_t len;
        const char *text = words_get(w, i, &len);
        *slot_of(w, text, len) = i + 1;
    }
}

static void append(struct words *w, const char *text, size_t len)
{
    uint32_t start = w->n ? w->ends[w->n - 1] : 0;
    if (w->n == w->ends_cap) {
        w->ends_cap = w->ends_cap ? w->ends_cap * 2 : 4;
        w->ends = mem_resize(w->ends, w->ends_cap, sizeof *w->ends);
    }
    if (start + len >= w->text_cap) { /* also for an empty first word: never NULL */
        while (w->text_cap <= start + len)
            w->text_cap = w->text_cap ? w->text_cap * 2 : 32;
        w->text = mem_resize(w->text, w->text_cap, 1);
    }
    if (len)
        memcpy(w->text + start, text, len);
    w->ends[w->n++] = start + (uint32_t)len;
}

uint32_t words_put(struct words *w, const char *text, size_t len)
{
    if (w->slots) {
        uint32_t *slot = slot_of(w, text, len);
        if (*slot)
            return *slot - 1;
    }
    uint32_t total = w->n ? w->ends[w->n - 1] : 0;
    if (w->n == w->limit || len > UINT32_MAX / 2 - total)
        return WORD_NONE;
    /* At most half full, so that a search ends soon. */
    if (!w->slots || w->n * 2 >= w->slot_mask)
        grow_slots(w);
    uint32_t *slot = slot_of(w, text, len);
    append(w, text, len);
    *slot = w->n;
    return w->n - 1;
}

size_t words_memory(const struct words *w)
{
    size_t slots = w->slots ? (size_t)w->slot_mask + 1 : 0;
    return w->ends_cap * sizeof *w->ends + w->text_cap + slots * sizeof *w->slots;
}
