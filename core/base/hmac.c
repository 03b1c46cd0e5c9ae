#include "base/hmac.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* as in hash.c */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64

/* Over libcrypto's plain SHA-256: its own HMAC looks the algorithm up under a lock each time, which
 * costs ten times the hashing. */
static void hash_padded(const uint8_t key[BLOCK], uint8_t pad, const void *data, size_t len,
                        uint8_t out[SHA256_SIZE])
{
    uint8_t block[BLOCK];
    SHA256_CTX context;
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    /* It fails only if libcrypto is broken; a wrong signature is worse. */
    if (SHA256_Init(&context) != 1 || SHA256_Update(&context, block, sizeof block) != 1 ||
        SHA256_Update(&context, data, len) != 1 || SHA256_Final(out, &context) != 1)
        abort();
    explicit_bzero(block, sizeof block);
    explicit_bzero(&context, sizeof context);
}

void hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[SHA256_SIZE])
{
    uint8_t own[BLOCK] = {0}, inner[SHA256_SIZE];
    if (key_len > BLOCK)
        sha256(key, key_len, own);
    else if (key_len > 0)
        memcpy(own, key, key_len);
    hash_padded(own, 0x36, data, len, inner);
    hash_padded(own, 0x5c, inner, sizeof inner, out);
    explicit_bzero(own, sizeof own);
}

bool digest_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
