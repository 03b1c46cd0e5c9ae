#include "api/handlers.h"
#include "api/submit.h"
#include "base/ids.h"
#include "registry/token.h"

#include <string.h>

/* A secret for a token to be made; nobody but its maker ever sees it. */
static const char *fresh_secret(struct request *rq)
{
    uint8_t chance[TOKEN_CHANCE];
    struct token_secret secret;
    do
        random_bytes(chance, sizeof chance);
    while (!token_secret_make(chance, &secret));
    return arena_text(request_arena(rq), secret.text);
}

void token_post(struct request *rq)
{
    request_add_header(rq, "Cache-Control", "no-store");
    submit(rq,
           &(struct wish){.decide = token_create, .kind = ENTITY_TOKEN, .id2 = fresh_secret(rq)});
}

void token_put(struct request *rq)
{
    request_add_header(rq, "Cache-Control", "no-store");
    submit(rq, &(struct wish){.decide = token_replace,
                              .id = request_param(rq, "token_id"),
                              .kind = ENTITY_TOKEN,
                              .id2 = fresh_secret(rq)});
}
