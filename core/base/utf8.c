#include "base/utf8.h"

#include <string.h>

static bool follows(const unsigned char *u, size_t i)
{
    return (u[i] & 0xc0) == 0x80;
}

size_t utf8_next(const char *p, size_t left, uint32_t *code)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t c = u[0];
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf && left >= 2 && follows(u, 1)) {
        *code = (c & 0x1f) << 6 | (u[1] & 0x3f);
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef && left >= 3 && follows(u, 1) && follows(u, 2)) {
        c = (c & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
        *code = c;
        return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
    }
    if (c >= 0xf0 && c <= 0xf4 && left >= 4 && follows(u, 1) && follows(u, 2) && follows(u, 3)) {
        c = (c & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 | (uint32_t)(u[2] & 0x3f) << 6 |
            (u[3] & 0x3f);
        *code = c;
        return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
    }
    return 0;
}

bool utf8_valid(const char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        /* Text is mostly ASCII: eight bytes at a time while none has its high bit set. */
        uint64_t eight;
        while (len - at >= sizeof eight) {
            memcpy(&eight, data + at, sizeof eight);
            if (eight & 0x8080808080808080)
                break;
            at += sizeof eight;
        }
        if (at == len)
            break;
        uint32_t code;
        size_t n = utf8_next(data + at, len - at, &code);
        if (!n)
            return false;
        at += n;
    }
    return true;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}
