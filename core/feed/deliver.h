/* deliver: sends journal entries to webhooks. Room: feed. Threads: open/start/stop/free [main];
 * the rest [any]; its work is done on one thread of its own.
 *
 * One deliverer per store: by the lease "webhooks", or the decider of several nodes
 * (store/nodes.h). It looks through the journal behind a cursor, puts what a webhook of the entry's
 * namespace wants into the outbox (outbox.h), and sends it: at least once, in order per webhook and
 * registered model, for DELIVER_FOR_MS with growing pauses. A restart goes on where the store says.
 * An entry that is older than its webhook is not sent. */
#ifndef PADDOCK_FEED_DELIVER_H
#define PADDOCK_FEED_DELIVER_H

#include "base/clock.h"
#include "engine/engine.h"
#include "http/client_multi.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELIVER_FOR_MS (24 * 3600000LL)

struct deliveries;

struct deliver_config {
    struct store *store;
    struct engine *engine;
    const struct clock *clock;
    const char *holder; /* of the lease: this node */
    bool allow_private; /* addresses of the own network too */
};

/* Open before the first command (it listens to the engine), start, stop while the engine still
 * runs, and free once the engine has ended and the store is closed: their threads may still be on
 * their way out of having handed something over. */
struct deliveries *deliver_open(const struct deliver_config *config, struct err *e) MUST_CHECK;
bool deliver_start(struct deliveries *d, struct err *e) MUST_CHECK;
void deliver_stop(struct deliveries *d); /* not started or stopped already: nothing */
void deliver_free(struct deliveries *d); /* NULL is allowed */

/* One event to see whether it arrives; not in the outbox, not repeated. */
struct deliver_test {
    struct mail mail;    /* first */
    const char *ns, *id; /* alive until done */
    char event_id[48];
    bool found; /* there is such a webhook */
    struct http_outcome outcome;
    struct bytes body; /* ours */
    struct deliveries *deliveries;
    void (*done)(struct deliver_test *t); /* [deliver] hands over and returns at once */
};
/* False (ERR_BUSY): too many wait, or it stops; then done() is not called. */
bool deliver_test(struct deliveries *d, struct deliver_test *t, struct err *e) MUST_CHECK;

struct deliver_stats {
    uint64_t delivered, failed, dropped; /* since the start */
    uint64_t failed_attempts;
    uint64_t pending, behind; /* deliveries that wait; journal entries not looked at */
    size_t lanes;
};
void deliver_stats(struct deliveries *d, struct deliver_stats *out);
/* Every webhook for which something waits: how much, and attempts since the last that went well. */
void deliver_waiting(struct deliveries *d,
                     void (*each)(void *ctx, const char *ns, const char *id, uint64_t pending,
                                  uint64_t failures),
                     void *ctx);

#endif
