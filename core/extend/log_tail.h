/* log_tail: the newest bytes of an output, as text that may be shown. Room: extend.
 * Threads: one owner. */
#ifndef PADDOCK_EXTEND_LOG_TAIL_H
#define PADDOCK_EXTEND_LOG_TAIL_H

#include <stddef.h>
#include <stdint.h>

/* A ring of `size` bytes; all zero and a size is the empty state. */
struct log_tail {
    char *ring; /* made at the first byte */
    size_t size;
    uint64_t total;
};

void log_tail_add(struct log_tail *t, const char *data, size_t len);
void log_tail_release(struct log_tail *t);
/* The kept bytes in order, into `out` (t->size bytes). Returns their number. */
size_t log_tail_copy(const struct log_tail *t, char *out);
/* Make `len` bytes valid UTF-8 in place: what is not, and control characters but tab and newline,
 * become '?'; a character cut off at the start goes. Returns the new length. */
size_t log_tail_clean(char *text, size_t len);

#endif
