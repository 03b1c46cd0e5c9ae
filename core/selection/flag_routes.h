/* flag_routes: which route a flag decides for, so that who asks for the flag can be told which
 * model serves. Room: selection. Threads: one owner (a loop). */
#ifndef PADDOCK_SELECTION_FLAG_ROUTES_H
#define PADDOCK_SELECTION_FLAG_ROUTES_H

#include "registry/state.h"

#define FLAG_ROUTES_AT_ONCE 1000 /* past so many routes, a new one may be seen a second later */
#define FLAG_ROUTES_REST_MS 1000

struct flag_routes;
struct flag_routes *flag_routes_new(void) __attribute__((returns_nonnull));
void flag_routes_free(struct flag_routes *f); /* NULL is allowed */

/* The route whose flag it is; of several the first by its id; NULL: it is none's. The text is
 * borrowed until the next call. */
const char *flag_route(struct flag_routes *f, const struct view *v, const char *ns,
                       const char *flag, int64_t now_ms);

/* Tell of each route of the namespace that has a flag, once; the texts are borrowed for the call.
 */
void flag_routes_each(struct flag_routes *f, const struct view *v, const char *ns, int64_t now_ms,
                      void (*fn)(void *ctx, const char *route), void *ctx);

#endif
