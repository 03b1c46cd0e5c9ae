/* wait: one request of a store, and its answer, for a thread that may wait. Room: store.
 * Threads: [any] but the store's own and the loops.
 *
 * Each sets `done` and `owner` of the request, hands it in and waits. False when it failed: then
 * the request's `err`, and `*e` unless that is NULL, say why. */
#ifndef PADDOCK_STORE_WAIT_H
#define PADDOCK_STORE_WAIT_H

#include "store/nodes.h"
#include "store/store.h"

bool store_commit_wait(struct store *s, struct store_commit *c, struct err *e) MUST_CHECK;
bool store_journal_wait(struct store *s, struct journal_read *r, struct err *e) MUST_CHECK;
bool store_append_wait(struct store *s, struct series_append *a, struct err *e) MUST_CHECK;
bool store_read_wait(struct store *s, struct series_read *r, struct err *e) MUST_CHECK;
bool store_key_wait(struct store *s, struct key_request *k, struct err *e) MUST_CHECK;
bool store_queue_wait(struct store *s, struct queue_request *q, struct err *e) MUST_CHECK;
bool store_ship_wait(struct store *s, struct delta_ship *d, struct err *e) MUST_CHECK;
bool store_deltas_wait(struct store *s, struct delta_read *d, struct err *e) MUST_CHECK;

#endif
