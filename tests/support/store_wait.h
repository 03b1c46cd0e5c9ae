/* store_wait: the store's requests, waited for. */
#ifndef PADDOCK_TESTS_STORE_WAIT_H
#define PADDOCK_TESTS_STORE_WAIT_H

#include "store/store.h"

/* Submit, wait for done(), return `ok`. They set `done` and `owner`. */
bool wait_commit(struct store *s, struct store_commit *c);
bool wait_journal(struct store *s, struct journal_read *r);
bool wait_append(struct store *s, struct series_append *a);
bool wait_read(struct store *s, struct series_read *r);
bool wait_lease(struct store *s, struct lease_request *l);
bool wait_key(struct store *s, struct key_request *k);
bool wait_queue(struct store *s, struct queue_request *q);
/* How many of all these were answered on the thread that had asked. They should be none. */
unsigned wait_same_thread(void);

#endif
