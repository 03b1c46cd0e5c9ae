/* hash: checksums and digests. Room: base. Threads: [any], pure.
 * XXH3 (xxHash) for maps and checksums, SHA-256 (libcrypto) for the journal's chain and tokens. */
#ifndef PADDOCK_BASE_HASH_H
#define PADDOCK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t len, uint64_t seed);
/* Low 32 bits of XXH3, the checksum of our binary formats. */
uint32_t checksum32(const void *data, size_t len);

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* 64 lower-case digits and a NUL */

void sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE]);
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]);
void hex_encode(const uint8_t *data, size_t len, char *out /* 2 * len + 1 */);

/* base64url without padding (cursors). `out` needs 4 * ((len + 2) / 3) + 1 bytes; returns the
 * length. */
size_t base64url_encode(const void *data, size_t len, char *out);
/* Returns the decoded length, or -1 if `text` is not base64url or does not fit `max`. */
long base64url_decode(const char *text, size_t len, void *out, size_t max);

#endif
