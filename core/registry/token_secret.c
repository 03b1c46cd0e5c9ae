#include "registry/token_secret.h"

#include "base/hmac.h"

#include <string.h>

static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define BASE   62
#define USABLE (4 * BASE) /* bytes from here on would favour the first digits */

/* CRC-32 as gzip and zip have it. Four bits at a time: bit by bit it was a fiftieth of all that a
 * selection costs, since each request brings a token. */
static uint32_t crc32_of(const char *text, size_t len)
{
    static const uint32_t STEP[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                      0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                      0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                      0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)text[i];
        crc = crc >> 4 ^ STEP[crc & 15];
        crc = crc >> 4 ^ STEP[crc & 15];
    }
    return ~crc;
}

static void put_check(char *text)
{
    uint32_t crc = crc32_of(text, TOKEN_TEXT_LEN - TOKEN_CHECK_LEN);
    for (int i = TOKEN_CHECK_LEN - 1; i >= 0; i--) {
        text[TOKEN_TEXT_LEN - TOKEN_CHECK_LEN + i] = DIGITS[crc % BASE];
        crc /= BASE;
    }
}

static void fill(struct token_secret *out)
{
    memcpy(out->key, out->text + 4, TOKEN_KEY_LEN);
    out->key[TOKEN_KEY_LEN] = '\0';
    sha256_hex(out->text, TOKEN_TEXT_LEN, out->hash);
}

bool token_secret_make(const uint8_t chance[TOKEN_CHANCE], struct token_secret *out)
{
    char *p = out->text + 4, *end = out->text + TOKEN_TEXT_LEN - TOKEN_CHECK_LEN;
    memcpy(out->text, TOKEN_PREFIX, 4);
    for (size_t i = 0; i < TOKEN_CHANCE && p < end; i++) {
        if (p == out->text + 4 + TOKEN_KEY_LEN)
            *p++ = '_';
        if (chance[i] < USABLE)
            *p++ = DIGITS[chance[i] % BASE];
    }
    if (p < end)
        return false;
    out->text[TOKEN_TEXT_LEN] = '\0';
    put_check(out->text);
    fill(out);
    return true;
}

bool token_secret_read(const char *text, size_t len, struct token_secret *out)
{
    if (len != TOKEN_TEXT_LEN || memcmp(text, TOKEN_PREFIX, 4) != 0 ||
        text[4 + TOKEN_KEY_LEN] != '_')
        return false;
    memcpy(out->text, text, len);
    out->text[len] = '\0';
    if (strspn(out->text + 4, DIGITS) != TOKEN_KEY_LEN ||
        strspn(out->text + 4 + TOKEN_KEY_LEN + 1, DIGITS) != TOKEN_SECRET_LEN + TOKEN_CHECK_LEN)
        return false;
    put_check(out->text);
    if (memcmp(out->text, text, len) != 0)
        return false;
    fill(out);
    return true;
}

bool token_secret_is(const struct token_secret *shown, const char *hash)
{
    return strlen(hash) == SHA256_HEX_SIZE - 1 &&
           digest_same(shown->hash, hash, SHA256_HEX_SIZE - 1);
}
