/* webhook: where journal entries are sent. Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_WEBHOOK_H
#define PADDOCK_REGISTRY_WEBHOOK_H

#include "registry/documents.h"

#include <stdbool.h>
#include <stddef.h>

#define WEBHOOK_KEY_MIN 24 /* bytes of a signing key, as Standard Webhooks has it */
#define WEBHOOK_KEY_MAX 64

struct webhook {
    struct document_head head; /* id is the webhook_id */
    const char *url;
    const char *events;      /* JSON array of actions, each may end in '*' */
    const char *model_names; /* JSON array; empty: all names */
    const char *secret;      /* "whsec_" and base64; never shown */
    bool enabled;
    const char *description;
};

extern const struct field WEBHOOK_FIELDS[];

static inline const struct webhook *webhook_of(const struct document *d)
{
    return (const struct webhook *)d->fields;
}

/* Is an entry with this action, which belongs to this registered model (NULL: to none), sent to it?
 */
bool webhook_wants(const struct webhook *w, const char *action, const char *name);
/* The bytes of a secret; false if it is none. */
bool webhook_key(const char *secret, unsigned char out[WEBHOOK_KEY_MAX], size_t *len);

#endif
