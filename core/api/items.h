/* items: lists as api.md has them: {"items":[...],"total":N,"next_cursor":...}. Room: api.
 * Threads: one owner. */
#ifndef PADDOCK_API_ITEMS_H
#define PADDOCK_API_ITEMS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of items in one page: a page of giants ends early, its cursor goes on. */
#define PAGE_BYTES (16u << 20)

void items_begin(struct bytes *out);
/* One item, which is JSON text. */
void items_add(struct bytes *out, const char *json, size_t len);
/* `next_cursor` NULL: this was the last page. */
void items_end(struct bytes *out, uint64_t total, const char *next_cursor);

/* One page of a list that is walked whole, in the byte order of its keys. A key is what the cursor
 * names; fields of a key are best parted by a tab, which sorts before all that names may hold. */
struct items_page {
    const char *order; /* name of the order: cursors of another one are refused */
    size_t limit;
    const char *after, *last; /* keys; NULL: from the start, none given yet */
    size_t given;
    uint64_t total;
    bool more;
};
bool items_page_open(struct items_page *p, const char *order, int64_t limit, const char *cursor,
                     struct arena *a, struct err *e) MUST_CHECK;
/* The next item is the one of this key, which must live on: is it in the page? */
bool items_page_takes(struct items_page *p, const struct bytes *out, const char *key);
/* items_end() with the page's cursor. */
void items_page_end(struct bytes *out, const struct items_page *p, struct arena *a);

#endif
