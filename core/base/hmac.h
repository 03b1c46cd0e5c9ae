/* hmac: HMAC-SHA256 (RFC 2104), for signatures. Room: base. Threads: pure, [any]. */
#ifndef PADDOCK_BASE_HMAC_H
#define PADDOCK_BASE_HMAC_H

#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_SIZE]);

#endif
