#include "api/access.h"

#include "api/api.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "base/ids.h"
#include "base/mem.h"
#include "http/errors.h"
#include "http/guard.h"
#include "registry/experiment.h"
#include "registry/route.h"
#include "registry/token.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define NOWHERE ""  /* no namespace is called so */
#define UNNAMED "-" /* nor so: what an empty header is taken for, so that it is refused */
/* What no secret has as its hash. */
#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* One request on its way in. */
struct asking {
    struct request *rq;
    const struct api *api;
    const struct view *view;
    struct arena *arena;
    struct access *access;
};

const struct access *access_of(const struct request *rq)
{
    return request_access(rq);
}

uint32_t access_actions(const struct route *route)
{
    return route->flags & ROUTE_PUBLIC ? 0 : grant_actions(route->action);
}

/* --- 1. who is it? --- */

static bool on_this_machine(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
           strncmp(peer, "::ffff:127.", 11) == 0;
}

/* The text after `Bearer`, or NULL. OpenFeature's clients may send it as a key instead. */
static const char *bearer(const struct request *rq)
{
    const char *text = request_header(rq, "Authorization");
    if (!text && request_route(rq)->failure == &OFREP_FAILURE)
        return request_header(rq, "X-API-Key");
    if (!text || strncasecmp(text, "Bearer", 6) != 0 || (text[6] != ' ' && text[6] != '\t'))
        return NULL;
    return text + 6 + strspn(text + 6, " \t");
}

static bool unauthenticated(const struct asking *k, bool given, struct err *e)
{
    /* One text for all tokens that are not good: which of them once was one is nobody's business.
     */
    if (given)
        request_add_header(k->rq, "WWW-Authenticate",
                           "Bearer realm=\"paddock\", error=\"invalid_token\"");
    else
        request_add_header(k->rq, "WWW-Authenticate", "Bearer realm=\"paddock\"");
    return fail(e, &HTTP_UNAUTHENTICATED,
                given ? "the token is not valid here: it is unknown, revoked or expired"
                      : "send a token: 'Authorization: Bearer <token>'");
}

static bool anonymous(const struct asking *k, struct err *e)
{
    if (view_count(k->view, ENTITY_TOKEN) > 0)
        return unauthenticated(k, false, e);
    if (k->api->allow_anonymous || on_this_machine(request_peer(k->rq)))
        return true;
    request_add_header(k->rq, "WWW-Authenticate", "Bearer realm=\"paddock\"");
    return fail(e, &HTTP_UNAUTHENTICATED,
                "no token exists here yet; until one does, only clients on this machine are "
                "served");
}

static bool alive(const struct document *d, int64_t now_ms)
{
    int64_t end = token_of(d)->expires_at;
    return end == 0 || now_ms < end;
}

/* The token that the secret opens, or NULL. The same work is done whether its key is known or not.
 */
static const struct document *opened(const struct asking *k, const char *text, size_t len)
{
    struct loop_state *state = loop_state(request_loop(k->rq));
    struct token_secret read;
    const struct token_secret *shown = token_memo_find(&state->tokens, text, len);
    if (!shown && token_secret_read(text, len, &read))
        shown = &read;
    if (!shown)
        return NULL;
    const struct document *d = view_token(k->view, shown->key);
    bool good = token_secret_is(shown, d ? token_of(d)->hash : NO_HASH);
    if (!d || !good || !alive(d, loop_wall_ms(request_loop(k->rq))))
        return NULL;
    if (shown == &read)
        token_memo_keep(&state->tokens, &read);
    return d;
}

static bool enter(const struct asking *k, const struct document *d, struct err *e)
{
    const struct token *t = token_of(d);
    struct access *a = k->access;
    a->grants = grants_copy(k->arena, token_grants(d));
    a->token_uid = d->entity.uid;
    a->token_revision = d->entity.revision;
    a->actor_id = token_actor_id(d, k->arena);
    request_set_actor(k->rq, "token", a->actor_id);
    struct loop_state *state = loop_state(request_loop(k->rq));
    token_usage_note(k->api->usage, &state->usage, a->token_uid, loop_wall_ms(request_loop(k->rq)));
    double rate = isnan(t->rate_per_second) ? 0 : t->rate_per_second;
    return request_rate(k->rq, a->actor_id, rate, rate < 1 ? 1 : rate, e);
}

static bool identify(const struct asking *k, struct err *e)
{
    const char *text = bearer(k->rq);
    const struct client_certificate *certificate = request_client_certificate(k->rq);
    if (!text && request_header(k->rq, "Authorization"))
        return unauthenticated(k, true, e);
    if (text) {
        size_t len = strlen(text);
        if (!request_may_present(k->rq, text, len, e))
            return false;
        const struct document *d = opened(k, text, len);
        request_presented(k->rq, text, len, d != NULL);
        return d ? enter(k, d, e) : unauthenticated(k, true, e);
    }
    if (certificate && *certificate->common_name) {
        const struct document *d = view_token_called(k->view, certificate->common_name);
        k->access->shown_until_ms = certificate->expires_ms;
        if (d && alive(d, loop_wall_ms(request_loop(k->rq))))
            return enter(k, d, e);
    }
    return anonymous(k, e);
}

/* --- 2. to 4. may he? --- */

/* What the path is about. */
struct subject {
    bool named;       /* it names something */
    const char *name; /* to which that belongs; NULL: there is no such thing */
};

static const char *parameter(const struct asking *k, const char *name)
{
    size_t len = strlen(name);
    const char *at = strchr(request_route(k->rq)->path, '{');
    for (; at; at = strchr(at + 1, '{'))
        if (strncmp(at + 1, name, len) == 0 && (at[1 + len] == '}' || at[1 + len] == '+'))
            return request_param(k->rq, name);
    return NULL;
}

/* Flags and experiments have keys; the path says whose it is. */
static bool is_about(const struct asking *k, int kind)
{
    const char *path = EXPERIMENT_TYPE.path;
    return (strncmp(request_route(k->rq)->path, path, strlen(path)) == 0) ==
           (kind == ENTITY_EXPERIMENT);
}

static const char *owner_of_document(const struct asking *k, const char *ns)
{
    for (int kind = 0; kind < ENTITY_KIND_COUNT; kind++) {
        const struct document_type *t = DOCUMENT_TYPES[kind];
        const char *id = t && is_about(k, kind) ? parameter(k, t->id_name) : NULL;
        const struct entity *e = id ? view_get(k->view, (enum entity_kind)kind, ns, id) : NULL;
        if (e)
            return view_owner(k->view, e);
    }
    return NULL;
}

static struct subject subject_of(const struct asking *k, const char *ns)
{
    struct subject s = {.named = strchr(request_route(k->rq)->path, '{') != NULL};
    const char *id = parameter(k, "model_id");
    if (id) {
        const struct model *m = view_resolve(k->view, ns, id, NULL);
        s.name = m ? m->name : NULL;
    } else if ((id = parameter(k, "name"))) {
        s.name = id;
    } else if (s.named) {
        s.name = owner_of_document(k, ns);
        id = s.name ? NULL : parameter(k, ROUTE_TYPE.id_name);
        if (id && view_registered_model(k->view, ns, id))
            s.name = id; /* its route is there without being stored */
    }
    return s;
}

/* The answer for what is not there, by these grants: may the handler say so itself? */
static bool admit_unknown(const struct asking *k, const struct subject *s, struct err *e)
{
    struct access *a = k->access;
    uint32_t admin = ACTION_BIT(ACTION_ADMIN);
    if (a->actions == admin ? grants_allow(a->grants, a->ns, NULL, admin)
                            : grants_touch(a->grants, a->ns, a->actions))
        return true;
    bool foreign = s->named && !grants_touch(a->grants, a->ns, ACTIONS_ALL);
    if (!foreign || request_method(k->rq) == METHOD_PUT) /* a PUT would make it */
        return forbidden(k->arena, a->ns, NULL, a->actions, e);
    a->ns = NOWHERE;
    return true;
}

static bool admit_named(const struct asking *k, const struct subject *s, struct err *e)
{
    struct access *a = k->access;
    bool sees = grants_allow(a->grants, a->ns, s->name, ACTIONS_ALL);
    if (a->actions == ACTION_BIT(ACTION_ADMIN) || !sees) {
        const char *ns = a->ns;
        if (!admit_unknown(k, s, e))
            return false;
        if (sees)
            return true;
        if (request_method(k->rq) == METHOD_PUT)
            return forbidden(k->arena, ns, NULL, a->actions, e);
        a->ns = NOWHERE;
        return true;
    }
    return grants_allow(a->grants, a->ns, s->name, a->actions) ||
           forbidden(k->arena, a->ns, s->name, a->actions, e);
}

static bool admit_namespace(const struct asking *k, struct err *e)
{
    const struct access *a = k->access;
    if (strcmp(a->ns, "*") == 0)
        return grants_everywhere(a->grants, ACTION_BIT(ACTION_ADMIN)) ||
               forbidden(k->arena, NULL, NULL, ACTION_BIT(ACTION_ADMIN), e);
    if (!id_valid(a->ns)) /* the handler says what is wrong with it */
        return grants_anywhere(a->grants, a->actions) ||
               forbidden(k->arena, NULL, NULL, a->actions, e);
    struct subject s = subject_of(k, a->ns);
    return s.name ? admit_named(k, &s, e) : admit_unknown(k, &s, e);
}

static bool admit_server(const struct asking *k, struct err *e)
{
    const struct access *a = k->access;
    if (a->actions == ACTION_BIT(ACTION_ADMIN))
        return grants_everywhere(a->grants, a->actions) ||
               forbidden(k->arena, NULL, NULL, a->actions, e);
    return grants_anywhere(a->grants, a->actions) || forbidden(k->arena, "*", NULL, a->actions, e);
}

bool api_authorize(struct request *rq, struct err *e)
{
    const struct route *route = request_route(rq);
    const char *ns = request_header(rq, "Paddock-Namespace");
    struct loop_state *state = loop_state(request_loop(rq));
    struct arena *arena = request_arena(rq);
    struct access *a = arena_zero(arena, sizeof *a);
    *a = (struct access){.ns = !ns   ? "default"
                               : *ns ? ns
                                     : UNNAMED,
                         .header_given = ns != NULL,
                         .actor_id = "anonymous",
                         .actions = access_actions(route)};
    request_set_access(rq, a);
    request_set_actor(rq, "anonymous", "anonymous");
    if (route->flags & ROUTE_PUBLIC)
        return true;
    const struct asking k = {rq, request_app(rq), view_enter(state->reader), arena, a};
    bool ok = identify(&k, e) &&
              (!a->grants ||
               (route->flags & ROUTE_SERVER ? admit_server(&k, e) : admit_namespace(&k, e)));
    view_leave(state->reader);
    if (!ok && (e->kind == &FORBIDDEN || e->kind == &HTTP_UNAUTHENTICATED))
        access_denied(rq, e);
    return ok;
}

/* --- afterwards --- */

/* A refusal stands in the journal of the namespace it was about, if the token has any business
 * there, else in that of the token's own: nobody fills the journals of others. */
void access_denied(const struct request *rq, const struct err *why)
{
    const struct access *a = access_of(rq);
    struct api *api = request_app(rq);
    const char *slash = a->token_uid ? strchr(a->actor_id, '/') : NULL;
    const char *ns = "default";
    if (a->token_uid && id_valid(a->ns) && grants_touch(a->grants, a->ns, ACTIONS_ALL))
        ns = a->ns;
    else if (slash)
        ns = arena_copy(request_arena((struct request *)rq), a->actor_id,
                        (size_t)(slash - a->actor_id));
    denials_note(api->denials, rq, ns, why);
}

/* Any change of the token ends what it let in: whoever holds it comes back and is asked anew. */
bool access_holds(const struct access *a, const struct view *v, int64_t now_ms)
{
    if (!a->token_uid)
        return view_count(v, ENTITY_TOKEN) == 0;
    const struct document *d = view_token_called(v, a->actor_id);
    return d && d->entity.uid == a->token_uid && d->entity.revision == a->token_revision &&
           alive(d, now_ms) && (!a->shown_until_ms || now_ms < a->shown_until_ms);
}

struct access *access_keep(const struct access *a)
{
    size_t grants = a->grants ? a->grants->size : 0, id = strlen(a->actor_id) + 1;
    size_t ns = strlen(a->ns) + 1;
    char *block = mem_zero(1, sizeof *a + grants + id + ns);
    struct access *copy = (struct access *)(void *)block;
    *copy = *a;
    block += sizeof *a;
    if (grants)
        copy->grants = memcpy(block, a->grants, grants);
    copy->actor_id = memcpy(block + grants, a->actor_id, id);
    copy->ns = memcpy(block + grants + id, a->ns, ns);
    return copy;
}
