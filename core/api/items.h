/* items: lists as api.md has them: {"items":[...],"total":N,"next_cursor":...}. Room: api.
 * Threads: one owner. */
#ifndef PADDOCK_API_ITEMS_H
#define PADDOCK_API_ITEMS_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of items in one page: a page of giants ends early, its cursor goes on. */
#define PAGE_BYTES (16u << 20)

void items_begin(struct bytes *out);
/* One item, which is JSON text. */
void items_add(struct bytes *out, const char *json, size_t len);
/* `next_cursor` NULL: this was the last page. */
void items_end(struct bytes *out, uint64_t total, const char *next_cursor);

#endif
