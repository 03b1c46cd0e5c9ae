/* history: what happened to the versions of a name, read from the journal. Room: api.
 * Threads: reader threads (it waits for the store). */
#ifndef PADDOCK_API_HISTORY_H
#define PADDOCK_API_HISTORY_H

#include "api/work.h"

#include <stddef.h>
#include <stdint.h>

/* Events of one name that are kept in memory at once, as far as the arena has room for their texts;
 * more is refused. */
#define HISTORY_MAX 200000

enum event_kind {
    EVENT_STATUS,   /* the model is in `status` from now on */
    EVENT_HELD,     /* a hold began */
    EVENT_RELEASED, /* it was lifted */
    EVENT_GONE,     /* the model was deleted; or, without a model, the name was given up */
};

struct event {
    enum event_kind kind;
    uint64_t seq;
    int64_t at;
    const char *model_id; /* NULL: all versions of the name */
    const char *status;
    const char *actor;  /* JSON text */
    const char *reason; /* or NULL */
};

/* A name that the versions had, and up to which entry. */
struct former_name {
    const char *name;
    uint64_t before_seq; /* 0: still has it */
};
#define FORMER_NAMES_MAX 32

struct history {
    struct event *events; /* by seq */
    size_t n, cap;
    struct former_name names[FORMER_NAMES_MAX]; /* newest first; renames are followed back */
    size_t n_names;
};

/* Read all events of `name` before `to` (ms, 0: until now); texts are in w->arena. False: w->err.
 */
bool history_read(struct work *w, const char *name, int64_t to, struct history *h) MUST_CHECK;
void history_release(struct history *h);

#endif
