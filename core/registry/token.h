/* token: who may ask, and what is granted to it. Room: registry. Threads: immutable, [any].
 *
 * A token lives in a namespace, like everything, but what it may do is said by its grants alone.
 * Its secret is shown once, when it is made; kept is the SHA-256 of it, hidden, and its key, by
 * which it is found (token_secret.h). Nobody can make or change a token so that it may do more than
 * he may himself. */
#ifndef PADDOCK_REGISTRY_TOKEN_H
#define PADDOCK_REGISTRY_TOKEN_H

#include "registry/documents.h"
#include "registry/grant.h"
#include "registry/token_secret.h"

struct token {
    struct document_head head; /* id is the token_id */
    const char *description;
    const char *grants;     /* JSON text of an array */
    const char *role;       /* of GRANT_ROLE_NAMES, or NULL */
    double rate_per_second; /* NAN: the server's own limits only */
    int64_t expires_at;     /* ms; 0: never */
    int64_t last_used_at;   /* never stored: the API puts it in */
    const char *key;        /* the public part of its secret */
    const char *hash;       /* hidden: 64 hex digits */
};

extern const struct field TOKEN_FIELDS[];

static inline const struct token *token_of(const struct document *d)
{
    return (const struct token *)d->fields;
}
/* What it may do, compiled. */
static inline const struct grants *token_grants(const struct document *d)
{
    return (const struct grants *)d->derived;
}

/* The token with this key, in whichever namespace it lives; NULL if there is none. */
const struct document *view_token(const struct view *v, const char *key);

/* How the journal, the log and the keys of requests call it: its id, and before that its namespace
 * and a slash unless that is `default`. */
const char *token_actor_id(const struct document *d, struct arena *a);
/* The token that is called so; NULL if there is none. */
const struct document *view_token_called(const struct view *v, const char *actor_id);

/* Decide functions; c->id2 is the text of a fresh secret, which becomes that of a token that is
 * made and which its answer shows. */
bool token_create(struct command *c, struct head *h, struct changes *out, struct err *e);
bool token_replace(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
