#include "base/ids.h"
#include "http/route.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_good(const char *text, size_t len)
{
    const char *end = text + len;
    for (const char *p = text; (p = memchr(p, '%', (size_t)(end - p))); p += 3) {
        int high = end - p < 3 ? -1 : hex_digit(p[1]);
        int low = high < 0 ? -1 : hex_digit(p[2]);
        if (low < 0 || high + low == 0)
            return false;
    }
    return true;
}

long percent_decode(const char *text, size_t len, bool form, char *out)
{
    size_t n = 0;
    bool plain = true; /* ASCII needs no look at its UTF-8 */
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || high + low == 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '\0') {
            return -1;
        } else if (form && c == '+') {
            c = ' ';
        }
        plain = plain && (unsigned char)c < 0x80;
        out[n++] = c;
    }
    out[n] = '\0';
    return plain || utf8_valid(out, n) ? (long)n : -1;
}
