/* epoch: readers of immutable views, and when a view may be freed. Room: base.
 *
 * Epoch-based reclamation (Fraser, "Practical lock-freedom", 2004) on C11 atomics, so that
 * ThreadSanitizer sees every hand-over. A reader announces the epoch in which it entered; a retired
 * object is freed once every reader that was inside when it was retired has left. Readers never
 * wait; entering costs one sequentially consistent store.
 *
 * Threads: enter/leave by the reader's own thread (no nesting); retire/advance by the one
 * publisher [engine]; join/part from [any]. */
#ifndef PADDOCK_BASE_EPOCH_H
#define PADDOCK_BASE_EPOCH_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct epoch;
struct epoch_reader;

struct epoch *epoch_new(void) __attribute__((returns_nonnull));
/* Frees everything still retired. All readers must have parted. */
void epoch_free(struct epoch *ep);
/* Register the calling thread's reader; part when the thread ends. At most 256. NULL when full. */
struct epoch_reader *epoch_join(struct epoch *ep) MUST_CHECK;
void epoch_part(struct epoch_reader *r);
void epoch_enter(struct epoch_reader *r);
void epoch_leave(struct epoch_reader *r);
/* Free `object` with `destroy` when no reader can hold it any more. */
void epoch_retire(struct epoch *ep, void *object, void (*destroy)(void *object));
/* Begin a new epoch (after the new view is published) and free what can be freed. */
void epoch_advance(struct epoch *ep);
size_t epoch_retired(const struct epoch *ep);

#endif
