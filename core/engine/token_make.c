#include "engine/token_make.h"

#include "base/ids.h"
#include "base/json.h"
#include "engine/ask.h"
#include "registry/token.h"

#include <string.h>

#define ARENA_MAX (16 << 20)

json_t *token_wish_body(const struct token_wish *w, struct err *e)
{
    const struct {
        const char *member, *text;
    } TEXTS[] = {{"token_id", w->token_id},
                 {"description", w->description},
                 {"role", w->role},
                 {"expires_at", w->expires_at}};
    json_t *grants = NULL;
    if (w->grants_json && !(grants = json_read(w->grants_json, strlen(w->grants_json), e)))
        return NULL;
    json_t *body = json_object();
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (TEXTS[i].text)
            json_object_set_new(body, TEXTS[i].member, json_string(TEXTS[i].text));
    if (w->rate_per_second > 0)
        json_object_set_new(body, "rate_per_second", json_real(w->rate_per_second));
    if (grants)
        json_object_set_new(body, "grants", grants);
    return body;
}

/* The arena goes with the command: what its refusal says of the members is lost, the detail stays.
 */
static bool ask(struct engine *en, struct command *c, struct err *e)
{
    bool ok = engine_ask(en, c, e);
    if (!ok && e)
        e->members = NULL;
    return ok;
}

static bool first_only(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    if (view_count(h->view, ENTITY_TOKEN) > 0) {
        c->answer.status = 204;
        return true;
    }
    return token_create(c, h, out, e);
}

static struct command command_of(struct arena *a, const char *ns, const char *actor_id)
{
    return (struct command){
        .arena = a,
        .ns = ns ? ns : "default",
        .actor = {"server", actor_id ? actor_id : "first-start", NULL},
        .if_match = -1,
    };
}

bool token_make(struct engine *en, const struct token_wish *wish, struct token_secret *secret,
                bool *made, struct err *e)
{
    uint8_t chance[TOKEN_CHANCE];
    struct arena *a = arena_new(ARENA_MAX);
    json_t *body = token_wish_body(wish, e);
    do
        random_bytes(chance, sizeof chance);
    while (!token_secret_make(chance, secret));
    bool ok = body != NULL;
    if (ok) {
        struct command c = command_of(a, wish->ns, wish->actor_id);
        c.id2 = secret->text;
        c.body = body;
        c.decide = wish->only_if_none ? first_only : token_create;
        ok = ask(en, &c, e);
        *made = ok && c.answer.status == 201;
    }
    json_decref(body);
    arena_free(a);
    return ok;
}

bool token_revoke(struct engine *en, const char *ns, const char *token_id, struct err *e)
{
    struct arena *a = arena_new(ARENA_MAX);
    struct command c = command_of(a, ns, "paddock token revoke");
    c.id = token_id;
    c.args = (void *)(uintptr_t)&TOKEN_TYPE;
    c.decide = document_delete;
    bool ok = ask(en, &c, e);
    arena_free(a);
    return ok;
}
