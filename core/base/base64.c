#include "base/base64.h"

#include <openssl/evp.h>
#include <string.h>

bool base64_decode(const char *text, unsigned char *out, size_t max, size_t *len)
{
    size_t n = strlen(text), pad = 0;
    if (n % 4 != 0 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                                   "wxyz0123456789+/=") != n)
        return false;
    while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
        pad++;
    if (strcspn(text, "=") != n - pad || n / 4 * 3 - pad > max)
        return false;
    *len = 0;
    for (size_t i = 0; i < n; i += 4) { /* each four give three, the last ones fewer */
        unsigned char three[3];
        size_t keep = i + 4 == n ? 3 - pad : 3;
        if (EVP_DecodeBlock(three, (const unsigned char *)text + i, 4) != 3)
            return false;
        memcpy(out + *len, three, keep);
        *len += keep;
    }
    return true;
}

void base64_encode(const void *data, size_t len, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}
