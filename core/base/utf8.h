/* utf8: reading UTF-8 (RFC 3629). Room: base. Threads: pure, [any]. */
#ifndef PADDOCK_BASE_UTF8_H
#define PADDOCK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length (1..4) of the well-formed character at `p`, which has `left` > 0 bytes, and its code
 * point in `*code`; 0 if there is none (overlong, surrogate, above U+10FFFF, cut off). */
size_t utf8_next(const char *p, size_t left, uint32_t *code);
/* Well-formed UTF-8? */
bool utf8_valid(const char *data, size_t len);
/* Characters of well-formed UTF-8. */
size_t utf8_count(const char *text, size_t len);
/* The greatest length <= `max` at which well-formed text can be cut between characters. */
size_t utf8_cut(const char *text, size_t len, size_t max);

#endif
