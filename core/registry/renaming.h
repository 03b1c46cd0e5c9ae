/* renaming: what names a registered model, and follows when that is called otherwise. Room:
 * registry. Threads: [engine].
 *
 * Its test cases, the webhooks that are told of it alone, and routes: the one that is called as it
 * is moves to the new name, and with it the experiments on it; others have their references
 * rewritten. Nobody gets another model by it: the salt stays, and so does the incarnation, which
 * decisions are known by. */
#ifndef PADDOCK_REGISTRY_RENAMING_H
#define PADDOCK_REGISTRY_RENAMING_H

#include "registry/decide.h"

/* False: `e`; the route of that name is taken, or one of them is in an experiment. */
bool renaming_follow(const struct decision *d, const char *from, const char *to, struct err *e)
    MUST_CHECK;
/* What is its own ends with it: test cases, and the route that is called as it is, or whoever takes
 * the name later would have its traffic split by weights he never saw. */
bool renaming_end(const struct decision *d, const char *name, struct err *e) MUST_CHECK;

#endif
