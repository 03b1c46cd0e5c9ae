/* import_put: what an import has read, many in one transaction. Room: moving. Threads: one owner;
 * every call may wait for the store. */
#ifndef PADDOCK_MOVING_IMPORT_PUT_H
#define PADDOCK_MOVING_IMPORT_PUT_H

#include "base/arena.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUT_ITEMS 512
#define PUT_BYTES ((size_t)4 << 20) /* texts of one transaction, unless one is greater */

struct putting {
    struct store *store;
    struct arena *arena; /* texts of what waits */
    struct journal_entry entries[PUT_ITEMS];
    struct store_row rows[PUT_ITEMS];
    struct store_key keys[PUT_ITEMS];
    struct series_record records[PUT_ITEMS];
    struct series_mark marks[PUT_ITEMS];
    size_t n_entries, n_rows, n_keys, n_records, n_marks;
    uint64_t seq; /* of the last entry that is written */
};

void putting_init(struct putting *p, struct store *s);
void putting_release(struct putting *p);
/* Texts are copied. Each fails with what the store says. */
bool put_entry(struct putting *p, const struct journal_entry *entry, struct err *e) MUST_CHECK;
bool put_row(struct putting *p, const struct store_row *row, struct err *e) MUST_CHECK;
bool put_key(struct putting *p, const struct store_key *key, int64_t number, struct err *e)
    MUST_CHECK;
bool put_job(struct putting *p, const struct store_rest *job, struct err *e) MUST_CHECK;
bool put_record(struct putting *p, const struct series_record *record, struct err *e) MUST_CHECK;
bool put_mark(struct putting *p, const struct series_mark *mark, struct err *e) MUST_CHECK;
/* Write what waits, and the next uid. */
bool put_end(struct putting *p, uint64_t next_uid, struct err *e) MUST_CHECK;

#endif
