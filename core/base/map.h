/* map: hash table from byte strings to pointers. Room: base. Threads: one owner (or an outer lock).
 * Open addressing, XXH3 with a random seed per map against crafted keys. Keys are copied. */
#ifndef PADDOCK_BASE_MAP_H
#define PADDOCK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void) __attribute__((returns_nonnull));
void map_free(struct map *m); /* frees keys, not values; NULL is allowed */
void *map_get(const struct map *m, const void *key, size_t len);
/* Set or replace; returns the value that was there, or NULL. `value` must not be NULL. */
void *map_set(struct map *m, const void *key, size_t len, void *value);
/* Remove; returns the value that was there, or NULL. */
void *map_remove(struct map *m, const void *key, size_t len);
size_t map_count(const struct map *m);
/* Walk in no particular order: start with `*at = 0`; false at the end. The map must not change. */
bool map_next(const struct map *m, size_t *at, const void **key, size_t *len, void **value);

#endif
