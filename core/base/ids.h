/* ids: fresh identifiers. Room: base. Threads: [any], lock-free. */
#ifndef PADDOCK_BASE_IDS_H
#define PADDOCK_BASE_IDS_H

#include "base/utf8.h" /* utf8_valid() */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ULID_SIZE 27 /* 26 characters of Crockford base 32 and a NUL */

/* A ULID: 48 bits of `wall_ms`, 80 random bits (getrandom, buffered per thread). */
void ulid_make(int64_t wall_ms, char out[ULID_SIZE]);
/* Random bytes from the kernel; ends the process if the kernel has none. */
void random_bytes(void *out, size_t len);
/* An identifier as api.md defines it: [A-Za-z0-9][A-Za-z0-9._:-]{0,127}. */
bool id_valid(const char *text);
/* 1..`max` printable UTF-8 characters without '/', ':', '@' and outer spaces (a model's name or
 * version). Returns NULL if it is one, else what is wrong ("must not contain '/'"). */
const char *name_fault(const char *text, size_t max_chars);
/* Printable ASCII 0x20..0x7e, 1..`max` bytes (request ids, idempotency keys). */
bool token_printable(const char *text, size_t max);

/* From 1; no other call in this process gets the same. [any] */
uint64_t number_new(void);

#endif
