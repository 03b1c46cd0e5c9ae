/* mem: heap allocation that cannot fail. Room: base. Threads: [any].
 *
 * For sizes the program chooses: an exhausted heap ends the process with one clear line on stderr.
 * Sizes that come from outside are capped before they reach these functions. */
#ifndef PADDOCK_BASE_MEM_H
#define PADDOCK_BASE_MEM_H

#include <stddef.h>

/* Uninitialised memory of `size` bytes (at least 1). Free with free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
/* Zeroed memory for `n` objects of `size`; an overflowing product ends the process. */
void *mem_zero(size_t n, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
/* Resize to `n` objects of `size`. */
void *mem_resize(void *old, size_t n, size_t size) __attribute__((returns_nonnull));
/* Copy of a string; NULL gives NULL. */
char *mem_text(const char *text);
/* Copy of `len` bytes plus a terminating NUL. */
char *mem_copy(const void *data, size_t len) __attribute__((returns_nonnull));

/* For a function that only prefetches: gcc 12 takes it for one without effect and leaves its calls
 * out, unless they are inlined before it looks. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#endif
