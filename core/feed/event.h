/* event: a journal entry as webhooks get it. Room: feed. Threads: pure, [any].
 *
 * The body is a CloudEvent 1.0 in its JSON format whose `data` is the entry as the API shows it;
 * the headers sign it as Standard Webhooks 1.0 says. */
#ifndef PADDOCK_FEED_EVENT_H
#define PADDOCK_FEED_EVENT_H

#include "base/bytes.h"
#include "registry/journal.h"

#include <stdint.h>

#define EVENT_MAX     ((size_t)9 << 20) /* bytes of a body */
#define EVENT_ID_SIZE 48

/* "evt_17_42": stable for one entry and one webhook, so that a receiver knows a repeat. */
void event_id(uint64_t webhook_uid, uint64_t seq, char out[EVENT_ID_SIZE]);
/* Append the body. False when it would be longer than `out` may get. */
bool event_body(const struct journal_entry *entry, const char *id, struct bytes *out) MUST_CHECK;
/* The event that a test sends: about the webhook itself, action `webhook.test`. */
bool event_test_body(const char *ns, const char *webhook_id, const char *id, int64_t now_ms,
                     struct bytes *out) MUST_CHECK;

/* Header lines of one attempt, as http_call wants them. */
struct event_headers {
    char id[EVENT_ID_SIZE + 16], timestamp[48], signature[96];
    const char *lines[6];
};
/* False if `secret` is none. */
bool event_sign(struct event_headers *h, const char *secret, const char *id, int64_t now_ms,
                const struct bytes *body) MUST_CHECK;

#endif
