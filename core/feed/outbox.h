/* outbox: what of deliveries is in the store. Room: feed. Threads: pure, [any].
 *
 * Three kinds of series:
 *   webhook-cursor                     at 0: up to which sequence the journal was looked through
 *   webhook-queue/<uid>/<subject>/     at the entry's seq: what waits; deleted when done with
 *   webhook-log/<uid>                  at the time of the entry, id the seq: what became of each
 * A page of the journal moves the cursor, fills queues and logs in one transaction, so that an
 * entry is never lost and never queued twice. On a Redis Cluster that is several: a page may be
 * there in part, without its cursor, and is written again, perhaps by another node. So each place
 * follows from the entry alone. The journal has the entries themselves. */
#ifndef PADDOCK_FEED_OUTBOX_H
#define PADDOCK_FEED_OUTBOX_H

#include "base/arena.h"
#include "feed/lanes.h"
#include "registry/journal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define OUTBOX_CURSOR   "webhook-cursor"
#define OUTBOX_KEEP_MS  (7 * 86400000LL) /* how long the log is kept */
#define OUTBOX_KEY_SIZE 640

enum delivery_status { DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED, DELIVERY_DROPPED };
extern const char *const DELIVERY_STATUSES[]; /* NULL-terminated */

/* Keys, in the arena; `subject` NULL: a pattern for all of them; uid 0 as well: of all webhooks. */
const char *outbox_queue_key(struct arena *a, uint64_t uid, const char *subject);
const char *outbox_log_key(struct arena *a, uint64_t uid);

struct series_record outbox_cursor(struct arena *a, uint64_t seq);
bool outbox_cursor_read(const void *data, size_t len, uint64_t *seq);

/* A delivery with its webhook, as it waits. */
struct outbox_row {
    uint64_t uid;
    const char *ns, *id; /* of the webhook */
    const char *subject;
    struct delivery delivery;
};
struct series_record outbox_queued(struct arena *a, const struct outbox_row *row);
/* Texts go to the arena. False: damaged. */
bool outbox_queued_read(struct arena *a, const char *key, int64_t at, const void *data, size_t len,
                        struct outbox_row *row);

/* What is told of a delivery; times 0 and texts NULL: none. */
struct outbox_report {
    enum delivery_status status;
    int last_status;
    const char *last_error;
    int64_t last_attempt_ms, next_attempt_ms, finished_ms;
};
/* Its record in the log, whose data is the JSON that the API shows. */
struct series_record outbox_logged(struct arena *a, const struct outbox_row *row,
                                   const struct journal_entry *entry,
                                   const struct outbox_report *report);

#endif
