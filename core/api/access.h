/* access: who asks, and whether he may: the authorize hook. Room: api. Threads: [loop].
 *
 * One place decides for every operation, from its row in routes.c: the action it needs, and what
 * its path is about. The rules, in the order they are asked:
 *
 *   1. Who is it? A token (or a client certificate that names one); without any, `anonymous`, with
 *      all rights, as long as no token exists and the client is on this machine. Else 401.
 *   2. Operations on the server as a whole (ROUTE_SERVER) need their action in some namespace;
 *      those of `admin`, and the namespace `*`, need `admin` in all of them.
 *   3. Operations on something the path names need the action on the name it belongs to. What the
 *      token has no right at all to is not there: the handler looks in a namespace that has
 *      nothing, so the answer is the one for what does not exist, made by the same code.
 *   4. All others need the action on at least one name of the namespace. Lists then leave out what
 *      may not be read.
 *
 * What only the body tells (another name, another action, `force`) is decided with the command, by
 * the same grants (registry/decide.h). A refusal is 403 and names the missing grant. */
#ifndef PADDOCK_API_ACCESS_H
#define PADDOCK_API_ACCESS_H

#include "http/request.h"
#include "registry/grant.h"
#include "registry/state.h"

#include <stdbool.h>
#include <stdint.h>

/* Who asks; from the authorize hook, in the request's arena. */
struct access {
    const char *ns; /* where the handler looks: as asked for, or a namespace that has nothing */
    const struct grants *grants; /* NULL: everything is allowed */
    uint32_t actions;            /* of the route */
    uint64_t token_uid;          /* 0: anonymous */
    int64_t token_revision;
    int64_t shown_until_ms; /* by a certificate, which expires then; 0: by the token itself */
    const char *actor_id;
    bool header_given; /* the request has a Paddock-Namespace */
};

const struct access *access_of(const struct request *rq) __attribute__((returns_nonnull));
/* The actions of a route; 0 for a public one. */
uint32_t access_actions(const struct route *route);
/* Note in the journal that the request was refused with 401 or 403. The authorize hook does so by
 * itself; this is for refusals of commands. */
void access_denied(const struct request *rq, const struct err *why);
/* For what outlives its request's handler (streams): is all that let it in still so? */
bool access_holds(const struct access *a, const struct view *v, int64_t now_ms);
/* A copy that outlives the request; free() it. */
struct access *access_keep(const struct access *a) __attribute__((returns_nonnull));

/* May the one who asks read what belongs to `name`? */
static inline bool access_reads(const struct access *a, const char *ns, const char *name)
{
    return grants_allow(a->grants, ns, name, ACTION_BIT(ACTION_READ));
}

#endif
