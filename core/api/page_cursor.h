/* page_cursor: where a page ended, as text that only we read. Room: api. Threads: pure, [any].
 *
 * A cursor is base64url of the order it belongs to, a line feed, and the key last seen; so a cursor
 * of another order is refused instead of giving a page of nonsense. */
#ifndef PADDOCK_API_PAGE_CURSOR_H
#define PADDOCK_API_PAGE_CURSOR_H

#include "base/arena.h"
#include "base/err.h"

/* The cursor of `key` in `order` ("model_id", "-seq"), in the arena. */
const char *page_cursor_make(struct arena *a, const char *order, const char *key);
/* The key back, in the arena. NULL `cursor` gives NULL and true. False: not a cursor of this order.
 */
bool page_cursor_read(struct arena *a, const char *cursor, const char *order, const char **key,
                      struct err *e) MUST_CHECK;

#endif
