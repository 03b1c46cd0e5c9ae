/* arena: memory that is freed all at once, for one request or one job. Room: base.
 * Threads: one owner at a time; may be handed over through a mailbox. */
#ifndef PADDOCK_BASE_ARENA_H
#define PADDOCK_BASE_ARENA_H

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* A new arena whose blocks together may not pass `max_bytes`. Free with arena_free(). */
struct arena *arena_new(size_t max_bytes) __attribute__((returns_nonnull));
/* Free the arena and all it gave out. NULL is allowed. */
void arena_free(struct arena *a);
/* Forget all that was given out, keeping the first block for reuse. */
void arena_reset(struct arena *a);
/* Bytes given out so far. */
size_t arena_used(const struct arena *a);
/* Bytes that are left of the maximum: one piece of that size is sure to be had. For those who
 * gather texts of others and must stop in time. */
size_t arena_left(const struct arena *a);

/* Memory of `size` bytes aligned for any object, NOT zeroed. NULL when the maximum is reached:
 * callers with sizes from outside check it. */
void *arena_alloc(struct arena *a, size_t size) MUST_CHECK;
/* The same, zeroed, for program-chosen sizes: ends the process when the maximum is reached. */
void *arena_zero(struct arena *a, size_t size) __attribute__((returns_nonnull));
/* Copies; end the process when the maximum is reached, so cap lengths first. NULL gives NULL. */
char *arena_text(struct arena *a, const char *text);
char *arena_copy(struct arena *a, const void *data, size_t len) __attribute__((returns_nonnull));
/* printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

#endif
