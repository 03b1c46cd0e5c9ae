/* engine: the one place that writes entities. Room: engine.
 *
 * decide -> commit -> apply -> publish -> answer. The engine's thread takes all commands that wait,
 * decides each against the head (what is committed plus what this batch has decided), commits the
 * batch as groups of one transaction, publishes one view, hands the entries to the listeners, and
 * answers. A refused command never fails its neighbours; a failed commit reverts the head and
 * refuses the batch with STORE_UNAVAILABLE (but for commands decided on what was committed already,
 * which changed nothing or were refused: they keep their answer). */
#ifndef PADDOCK_ENGINE_ENGINE_H
#define PADDOCK_ENGINE_ENGINE_H

#include "base/clock.h"
#include "base/epoch.h"
#include "engine/idempotency.h"
#include "registry/command.h"
#include "registry/journal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

struct engine_config {
    struct store *store;
    const struct clock *clock;
    const struct rules *rules;      /* outlives the engine */
    const struct gate_source *gate; /* outlives the engine; NULL: evidence is "none" */
    size_t mailbox_limit;           /* commands that may wait [8192] */
    size_t batch_limit;             /* commands of one commit [512] */
};

/* Load everything from the store, publish the first view, start the thread. */
struct engine *engine_start(const struct engine_config *config, struct err *e) MUST_CHECK;
/* From now on what other nodes write is taken in as it comes, not only when a command needs it.
 * After the last listener was registered. */
void engine_follow(struct engine *en);
/* Refuse new commands, finish what waits, end the thread. Readers must have parted. Frees the
 * engine. */
void engine_stop(struct engine *en);

/* Hand a command over. [any] False and ERR_BUSY / ERR_IO in `e` when full or stopping: still the
 * caller's. On true, c->done(c) will be called exactly once on the engine's thread. */
bool engine_submit(struct engine *en, struct command *c, struct err *e) MUST_CHECK;

/* --- views --- */
struct view_reader;
/* Register the calling thread; each thread that reads views has its own. NULL when 256 are
 * registered. */
struct view_reader *engine_join(struct engine *en) MUST_CHECK;
void engine_part(struct view_reader *r);
/* The current view; immutable and valid until view_leave. Do not nest; leave before waiting. */
const struct view *view_enter(struct view_reader *r);
void view_leave(struct view_reader *r);

/* --- listeners --- */
/* Called on the engine's thread after each publish with the new entries in order; must not block.
 * Register before the first command. At most 8. */
struct publish_listener {
    void (*published)(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v);
    void *self;
    /* Or NULL. The store has lost what it had: what was told is void, the journal ends at `seq`,
     * and the next entries may have numbers that were told before. */
    void (*anew)(void *self, uint64_t seq, const struct view *v);
};
bool engine_listen(struct engine *en, const struct publish_listener *l) MUST_CHECK;

/* --- kept answers --- */
/* A command with a `key` gets its answer written with its changes, under "idem/" and the key. This
 * puts all of them that still live into the table, at start. */
bool engine_restore_keys(struct store *s, struct idempotency *t, int64_t now_ms, struct err *e)
    MUST_CHECK;
/* The form in which an answer is kept, with the headers that the API gives it the first time too;
 * `seq` is the journal's after it, `epoch` that of the store. Points into `a` and into the answer.
 */
void kept_answer_of(const struct answer *answer, uint64_t seq, uint64_t epoch, struct arena *a,
                    struct kept_answer *out);

struct engine_stats {
    uint64_t commands, refused, batches, batch_commands_max; /* max since the last call */
    uint64_t failed_batches;                                 /* their commit failed */
    uint64_t waiting;
    uint64_t seq;
    bool available;            /* the last commit went well */
    int64_t unavailable_since; /* ms, 0: available */
};
void engine_stats(struct engine *en, struct engine_stats *out); /* [any] */
/* Did the last commit go well? [any], for those who ask for each request. */
bool engine_available(const struct engine *en);

#endif
