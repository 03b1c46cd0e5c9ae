/* items: lists as api.md has them: {"items":[...],"total":N,"next_cursor":...}. Room: api.
 * Threads: one owner. */
#ifndef PADDOCK_API_ITEMS_H
#define PADDOCK_API_ITEMS_H

#include "api/parameters.h"
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

/* One page of a list that is walked whole, in the byte order of its keys or against it. A key is
 * what the cursor names; fields of a key are best parted by a tab, which sorts before all that
 * names may hold, and numbers of it written by items_number(). */
struct items_page {
    const char *order; /* "name", "-name" */
    const char *tag;   /* the list and its order: cursors of another one are refused */
    bool descending;   /* the last key comes first */
    size_t limit;
    const char *after, *last; /* keys; NULL: from the start, none given yet */
    size_t given;
    uint64_t total;
    bool more;
};
/* What the request asks of the list of this name: ?sort=, whose choices its table names, or
 * `usual`; ?limit= and ?cursor=. ?from= and ?to= are seen to be in their order. */
bool items_page_open(struct items_page *p, const struct parameters *q, const char *list,
                     const char *usual, struct arena *a, struct err *e) MUST_CHECK;
/* Is it sorted by this field? */
bool items_page_by(const struct items_page *p, const char *field);
/* Does the page's cursor leave this key behind? */
bool items_page_passed(const struct items_page *p, const char *key);
/* The next item is the one of this key, which must live on: is it in the page? */
bool items_page_takes(struct items_page *p, const struct bytes *out, const char *key);
/* items_end() with the page's cursor. */
void items_page_end(struct bytes *out, const struct items_page *p, struct arena *a);

/* A number from 0 up as part of a key, in the arena. */
const char *items_number(struct arena *a, int64_t number);

/* A list that is gathered in any order and then given in the page's. */
struct items_heap {
    struct item {
        const char *key;
        const void *of;
    } * list;
    size_t n, cap;
};
/* Key and item must live on; the list lies in the arena. */
void items_note(struct items_heap *h, struct arena *a, const char *key, const void *of);
/* Sort, and call `put` for each item of the page. */
void items_give(struct items_heap *h, struct items_page *p, struct bytes *out,
                void (*put)(struct bytes *out, const void *of, void *ctx), void *ctx);

#endif
