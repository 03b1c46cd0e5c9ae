/* base64: RFC 4648, section 4, with padding. Room: base. Threads: pure, [any]. */
#ifndef PADDOCK_BASE_BASE64_H
#define PADDOCK_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters of the base64 of `len` bytes, and a NUL. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* Decode a whole text into at most `max` bytes. False if it is no base64, or gives more. */
bool base64_decode(const char *text, unsigned char *out, size_t max, size_t *len);
/* Encode into BASE64_SIZE(len) bytes. */
void base64_encode(const void *data, size_t len, char *out);

#endif
