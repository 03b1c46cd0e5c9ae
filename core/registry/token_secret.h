/* token_secret: the text that a client shows to prove who it is. Room: registry. Threads: pure,
 * [any].
 *
 * `pdk_KKKKKKKKKKKK_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSCCCCCC`: a public key of 12 characters by
 * which the token is found and, where one leaks, recognised; 36 secret ones (214 bits); and 6 that
 * are the CRC-32 of all before in base 62, so that a scanner of source code knows a token from a
 * text that only looks like one, and a mistyped one is refused before anything is looked up. Only
 * the SHA-256 of the whole is kept: with so much chance in it, a slow hash would add nothing. */
#ifndef PADDOCK_REGISTRY_TOKEN_SECRET_H
#define PADDOCK_REGISTRY_TOKEN_SECRET_H

#include "base/err.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_PREFIX     "pdk_"
#define TOKEN_KEY_LEN    12
#define TOKEN_SECRET_LEN 36
#define TOKEN_CHECK_LEN  6
#define TOKEN_TEXT_LEN   (4 + TOKEN_KEY_LEN + 1 + TOKEN_SECRET_LEN + TOKEN_CHECK_LEN)
#define TOKEN_CHANCE     128 /* random bytes that make one */

struct token_secret {
    char text[TOKEN_TEXT_LEN + 1];
    char key[TOKEN_KEY_LEN + 1];
    char hash[SHA256_HEX_SIZE];
};

/* Make one from random bytes. False when they hold too few that can be used, which random ones
 * never do. */
bool token_secret_make(const uint8_t chance[TOKEN_CHANCE], struct token_secret *out) MUST_CHECK;
/* Is `text` of `len` bytes formed like one, checksum included? Fills the key and the hash. */
bool token_secret_read(const char *text, size_t len, struct token_secret *out) MUST_CHECK;
/* Are the hashes the same? Takes the same time wherever they differ. */
bool token_secret_is(const struct token_secret *shown, const char *hash);

#endif
