#include "base/hash.h"

/* The old interface, on purpose: it needs no providers, no configuration file and no locks, which
 * saves paddock-worker milliseconds at its start, and it links statically into 20 kB. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, len, seed);
}

uint32_t checksum32(const void *data, size_t len)
{
    return (uint32_t)XXH3_64bits(data, len);
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
    SHA256_CTX context;
    /* It fails only if libcrypto is broken; a wrong digest is worse. */
    if (SHA256_Init(&context) != 1 || SHA256_Update(&context, data, len) != 1 ||
        SHA256_Final(out, &context) != 1)
        abort();
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    sha256(data, len, digest);
    hex_encode(digest, sizeof digest, out);
}

void hex_encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

size_t base64url_encode(const void *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = data;
    char *to = out;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = digits[bits >> (have - 6) & 63];
    }
    if (have)
        *to++ = digits[bits << (6 - have) & 63];
    *to = '\0';
    return (size_t)(to - out);
}

static int base64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

long base64url_decode(const char *text, size_t len, void *out, size_t max)
{
    uint8_t *to = out;
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    if (len % 4 == 1)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int digit = base64url_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == max)
            return -1;
        to[n++] = (uint8_t)(bits >> have);
    }
    /* Only one text stands for given bytes: the bits left over must be zero. */
    return bits & ((1U << have) - 1) ? -1 : (long)n;
}
