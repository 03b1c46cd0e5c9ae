/* hmac: HMAC-SHA256 (RFC 2104), for signatures. Room: base. Threads: pure, [any]. */
#ifndef PADDOCK_BASE_HMAC_H
#define PADDOCK_BASE_HMAC_H

#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_SIZE]);
/* Are two digests the same? It takes as long if they are not. */
bool digest_same(const void *a, const void *b, size_t len);

#endif
