/* entries: copies of journal entries, and the page of a journal_read. Room: store (its own use).
 * Threads: pure. */
#ifndef PADDOCK_STORE_ENTRIES_H
#define PADDOCK_STORE_ENTRIES_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_PAGE_MAX 1000

/* An entry with its texts, in one heap block. free() it. */
struct journal_entry *entry_copy(const struct journal_entry *from) __attribute__((returns_nonnull));

/* Empty results, an array for a page, a sane limit. */
bool page_begin(struct journal_read *r, struct err *e) MUST_CHECK;
/* Copy an entry into the page. False (and `more`) when the page or its arena is full. */
bool page_add(struct journal_read *r, const struct journal_entry *from);
/* A page that could not take even its first entry has failed. */
bool page_end(const struct journal_read *r, struct err *e) MUST_CHECK;

/* Does the entry fit the filters (all but the bounds of a page)? */
bool entry_matches(const struct journal_query *q, const struct journal_entry *entry);

#endif
