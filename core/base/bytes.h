/* bytes: a growing buffer that must name its maximum. Room: base. Threads: one owner.
 *
 * Every append that would pass `max` is refused as a whole and sets `full`; the buffer stays valid,
 * so a writer may append at will and check `full` once at the end. `data` is NUL-terminated after
 * every append (the NUL is not counted in `len`). */
#ifndef PADDOCK_BASE_BYTES_H
#define PADDOCK_BASE_BYTES_H

#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    char *data; /* NULL while empty and never grown */
    size_t len, cap, max;
    bool full; /* an append was refused */
};

#define BYTES_INIT(max_) ((struct bytes){.max = (max_)})

/* Embedded life cycle. release() frees the memory and leaves it empty with the same maximum. */
void bytes_init(struct bytes *b, size_t max);
void bytes_release(struct bytes *b);
/* Empty it, keep the memory, clear `full`. */
void bytes_clear(struct bytes *b);
/* Make room for `more` bytes past `len` (and a NUL) and return where they go, or NULL (and set
 * `full`). The caller writes them, adds to `len` what it wrote and ends with a NUL. */
char *bytes_room(struct bytes *b, size_t more) MUST_CHECK;
/* Take over the memory as a heap string (NUL-terminated; never NULL). Empties the buffer. */
char *bytes_take(struct bytes *b, size_t *len) __attribute__((returns_nonnull));

bool bytes_add(struct bytes *b, const void *data, size_t len);
bool bytes_text(struct bytes *b, const char *text);
bool bytes_char(struct bytes *b, char c);
bool bytes_printf(struct bytes *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool bytes_vprintf(struct bytes *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
bool bytes_uint(struct bytes *b, uint64_t n); /* decimal, faster than printf */
bool bytes_int(struct bytes *b, int64_t n);

#endif
