#include "registry/token.h"

#include "registry/decide.h"
#include "registry/view.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct token, member)

const struct field TOKEN_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("token_id", identifier_fault,
                "How the journal calls who asks with it. Default: the next free number."),
    {.name = "description",
     .type = FIELD_STRING,
     .offset = AT(description),
     .max = 1024,
     .doc = "For people: who has it, and what for."},
    {.name = "grants",
     .type = FIELD_ANY,
     .offset = AT(grants),
     .max = 65536,
     .check_json = grants_check,
     .doc = "Array of {namespace, names, actions}: which actions, in the namespaces that a pattern "
            "matches, for the names that one of the patterns matches (left out: all)."},
    {.name = "role",
     .type = FIELD_ENUM,
     .flags = FIELD_NULLABLE,
     .offset = AT(role),
     .choices = GRANT_ROLE_NAMES,
     .doc = "A bundle of actions, added to each grant; without grants it holds everywhere."},
    {.name = "rate_per_second",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = AT(rate_per_second),
     .min = 0.001,
     .max = 1000000,
     .doc = "Requests a second, on average; null: no limit of its own."},
    {.name = "expires_at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = AT(expires_at),
     .doc = "From then on it is refused; null: never."},
    {.name = "last_used_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = AT(last_used_at),
     .doc = "When a request last came with it, to about a second; null: never."},
    {.name = "key",
     .type = FIELD_STRING,
     .flags = FIELD_SERVER,
     .offset = AT(key),
     .max = 64,
     .doc = "The public part of its secret, to recognise a leaked one by."},
    DOCUMENT_STAMPS,
    {.name = "hash", .type = FIELD_STRING, .flags = FIELD_HIDDEN, .offset = AT(hash), .max = 64},
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct token *t = fields;
    (void)rules;
    t->description = "";
    t->grants = "[]";
    t->rate_per_second = NAN;
    t->key = t->hash = "";
}

static size_t derive(const void *fields, void *out)
{
    const struct token *t = fields;
    return grants_compile(t->role, t->grants, out);
}

/* --- checking --- */

static bool gives_nothing(const struct grants *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (!g->list[i].actions)
            return true;
    return g->n == 0;
}

/* Nobody lifts himself up, or anybody else: neither by what a token is to become, nor by taking
 * over one that may already do more. */
static bool within_rights(const struct document_write *w, const struct grants *given, struct err *e)
{
    const struct grants *mine = w->c->grants;
    if (grants_cover(mine, given) && (!w->before || grants_cover(mine, token_grants(w->before))))
        return true;
    return fail(e, &FORBIDDEN,
                "a token can be given only what the one who gives it may do himself, for all names "
                "of each namespace");
}

static bool take_secret(struct document_write *w, struct err *e)
{
    struct token *t = w->want;
    struct token_secret s;
    const char *text = w->c->id2;
    if (w->before)
        return true;
    if (!text || !token_secret_read(text, strlen(text), &s))
        return fail(e, &ERR_INTERNAL, "no secret was made for the token");
    t->key = arena_text(w->c->arena, s.key);
    t->hash = arena_text(w->c->arena, s.hash);
    return view_token(w->h->view, s.key) == NULL ||
           fail(e, &ERR_BUSY, "the key of the secret is taken; try again");
}

static bool check(struct document_write *w, struct err *e)
{
    const struct token *t = w->want, *was = w->before ? token_of(w->before) : NULL;
    struct grants *given = arena_zero(w->c->arena, grants_compile(t->role, t->grants, NULL));
    grants_compile(t->role, t->grants, given);
    if (gives_nothing(given))
        fault_add(&w->faults, &ERR_INVALID, "/grants",
                  "must say what the token may do: actions in each grant, or a role");
    if (t->expires_at && t->expires_at <= w->h->now_ms &&
        (!was || was->expires_at != t->expires_at))
        fault_add(&w->faults, &ERR_INVALID, "/expires_at", "must lie ahead");
    return w->faults.total || (within_rights(w, given, e) && take_secret(w, e));
}

const struct document_type TOKEN_TYPE = {
    .kind = ENTITY_TOKEN,
    .noun = "token",
    .id_name = "token_id",
    .id_prefix = "token-",
    .path = "/api/models/enterprise/tokens/",
    .fields = TOKEN_FIELDS,
    .size = sizeof(struct token),
    .not_found = &TOKEN_NOT_FOUND,
    .exists = &TOKEN_EXISTS,
    .created = "token.created",
    .updated = "token.updated",
    .deleted = "token.deleted",
    .init = init,
    .check = check,
    .derive = derive,
};

/* --- making --- */

/* The answer to a token that was made shows its secret; whatever else happened does not. */
static bool show_secret(struct command *c, const struct changes *out, struct err *e)
{
    if (c->answer.status != 201)
        return true;
    const char *member = arena_printf(c->arena, "\"token\":\"%s\"", c->id2);
    return answer_entity(c, 201, out->list[out->n - 1].after, member, e);
}

bool token_create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&TOKEN_TYPE;
    return document_create(c, h, out, e) && (show_secret(c, out, e) || refused(out));
}

bool token_replace(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&TOKEN_TYPE;
    return document_replace(c, h, out, e) && (show_secret(c, out, e) || refused(out));
}

/* --- finding --- */

const struct document *view_token(const struct view *v, const char *key)
{
    struct index_key k = {.first = key};
    const struct entity *e =
        directory_find(v->index[INDEX_TOKEN_KEYS], view_order(INDEX_TOKEN_KEYS), &k);
    return e ? document_of(e) : NULL;
}

const char *token_actor_id(const struct document *d, struct arena *a)
{
    const struct entity *e = &d->entity;
    return strcmp(e->ns, "default") == 0 ? arena_text(a, e->id)
                                         : arena_printf(a, "%s/%s", e->ns, e->id);
}

const struct document *view_token_called(const struct view *v, const char *actor_id)
{
    char ns[129] = "default";
    const char *slash = strchr(actor_id, '/');
    size_t len = slash ? (size_t)(slash - actor_id) : 0;
    if (len >= sizeof ns)
        return NULL;
    if (slash) {
        memcpy(ns, actor_id, len);
        ns[len] = '\0';
    }
    return view_document(v, &TOKEN_TYPE, ns, slash ? slash + 1 : actor_id);
}
