#include "base/map.h"

#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Linear probing over a power of two, at most three quarters full. Removing shifts the followers
 * back instead of leaving a mark, so that a map that lives for months never slows down. */

#define LEAST_SLOTS 8

struct slot {
    uint64_t hash;
    char *key; /* NULL: free */
    size_t len;
    void *value;
};

struct map {
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t count;
    uint64_t seed;
};

struct map *map_new(void)
{
    struct map *m = mem_zero(1, sizeof *m);
    m->slots = mem_zero(LEAST_SLOTS, sizeof *m->slots);
    m->mask = LEAST_SLOTS - 1;
    random_bytes(&m->seed, sizeof m->seed);
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i <= m->mask; i++)
        free(m->slots[i].key);
    free(m->slots);
    free(m);
}

/* The slot that holds the key, or the free one where it belongs. */
static struct slot *find(const struct map *m, const void *key, size_t len, uint64_t hash)
{
    for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
        struct slot *s = &m->slots[i];
        if (!s->key || (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0))
            return s;
    }
}

void *map_get(const struct map *m, const void *key, size_t len)
{
    return find(m, key, len, hash64(key, len, m->seed))->value;
}

static void resize(struct map *m, size_t slots)
{
    struct slot *old = m->slots;
    size_t old_mask = m->mask;
    m->slots = mem_zero(slots, sizeof *m->slots);
    m->mask = slots - 1;
    for (size_t i = 0; i <= old_mask; i++) {
        if (!old[i].key)
            continue;
        size_t at = old[i].hash & m->mask;
        while (m->slots[at].key)
            at = (at + 1) & m->mask;
        m->slots[at] = old[i];
    }
    free(old);
}

void *map_set(struct map *m, const void *key, size_t len, void *value)
{
    uint64_t hash = hash64(key, len, m->seed);
    struct slot *s = find(m, key, len, hash);
    void *before = s->value;
    if (s->key) {
        s->value = value;
        return before;
    }
    if (m->count >= (m->mask + 1) / 4 * 3) {
        resize(m, (m->mask + 1) * 2);
        s = find(m, key, len, hash);
    }
    *s = (struct slot){hash, mem_copy(key, len), len, value};
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, const void *key, size_t len)
{
    struct slot *s = find(m, key, len, hash64(key, len, m->seed));
    if (!s->key)
        return NULL;
    void *value = s->value;
    free(s->key);
    m->count--;
    /* Close the gap: move back each follower that the gap would hide from its home. */
    size_t gap = (size_t)(s - m->slots);
    for (size_t i = (gap + 1) & m->mask; m->slots[i].key; i = (i + 1) & m->mask) {
        size_t home = m->slots[i].hash & m->mask;
        if (((i - home) & m->mask) >= ((i - gap) & m->mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct slot){0};
    if (m->mask >= LEAST_SLOTS && m->count < (m->mask + 1) / 8)
        resize(m, (m->mask + 1) / 2);
    return value;
}

size_t map_count(const struct map *m)
{
    return m->count;
}

bool map_next(const struct map *m, size_t *at, const void **key, size_t *len, void **value)
{
    while (*at <= m->mask) {
        const struct slot *s = &m->slots[(*at)++];
        if (!s->key)
            continue;
        if (key)
            *key = s->key;
        if (len)
            *len = s->len;
        if (value)
            *value = s->value;
        return true;
    }
    return false;
}
