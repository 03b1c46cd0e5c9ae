/* token_make: a token made without a request, by the server at its first start or by the operator
 * at the data directory. Room: engine. Threads: any that may block. */
#ifndef PADDOCK_ENGINE_TOKEN_MAKE_H
#define PADDOCK_ENGINE_TOKEN_MAKE_H

#include "base/json.h"
#include "engine/engine.h"
#include "registry/token_secret.h"

#include <stdbool.h>

struct token_wish {
    const char *ns;       /* NULL: "default" */
    const char *token_id; /* NULL: the next free number */
    const char *description, *role;
    const char *grants_json; /* array, or NULL */
    const char *expires_at;  /* RFC 3339, or NULL */
    double rate_per_second;  /* 0: none */
    const char *actor_id;    /* of the actor {"kind":"server"}; NULL: "first-start" */
    bool only_if_none;       /* do nothing if there is a token already */
};

/* What it comes to as the body of a request. NULL and `e` if the grants are no JSON. */
json_t *token_wish_body(const struct token_wish *wish, struct err *e) MUST_CHECK;
/* Make it. `*made` false: there is one already (only_if_none). */
bool token_make(struct engine *en, const struct token_wish *wish, struct token_secret *secret,
                bool *made, struct err *e) MUST_CHECK;
/* Delete it: from the next request on it opens nothing. */
bool token_revoke(struct engine *en, const char *ns, const char *token_id, struct err *e)
    MUST_CHECK;

#endif
