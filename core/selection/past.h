/* past: what a route's selections depended on at a time, read from the journal. Room: selection.
 * Threads: one owner, which waits for the store: never a loop or the engine.
 *
 * Entries up to the time are applied, in their order, to a state of its own: routes, flags, layers,
 * segments and stored policies of the namespace, then the names that the route leads to, with their
 * models and health. A flag that followed its stored policy is pinned to the version that served
 * then. What no journal tells: the files of policies, and what strategies had published. */
#ifndef PADDOCK_SELECTION_PAST_H
#define PADDOCK_SELECTION_PAST_H

#include "registry/state.h"
#include "store/store.h"

#define PAST_ENTRIES_MAX 200000 /* that are read; more is refused */

struct past_wish {
    const char *ns, *route;
    int64_t at_ms;
    /* Read a page of the journal and wait for it. */
    bool (*journal)(void *ctx, const struct journal_query *q, struct arena *a,
                    struct journal_read *out, struct err *e);
    void *ctx;
};

struct past;

/* NULL: ERR_BUSY where there is too much of it, or the journal cannot be read. */
struct past *past_read(const struct past_wish *wish, struct err *e) MUST_CHECK;
void past_free(struct past *p); /* NULL is allowed */

const struct view *past_view(const struct past *p); /* its seq is the last entry's */

/* The last entry about an entity; texts live as long as the past does. */
struct past_note {
    uint64_t seq;
    int64_t at_ms;
    const char *action, *entity, *entity_id;
    const char *actor, *reason; /* JSON texts */
};
/* NULL: there was none. */
const struct past_note *past_note(const struct past *p, enum entity_kind kind, const char *id);

#endif
