#include "telemetry/token.h"

#include "base/utf8.h"
#include "telemetry/number.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

const char *token_skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

const char *token_string(const char *p, const char *end, struct span *value, struct bytes *scratch)
{
    const char *start = p;
    for (;; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"') {
            *value = (struct span){start, (size_t)(p - start)};
            return p + 1;
        }
        if (c < 0x20 || c >= 0x80 || c == '\\')
            return token_string_slow(start, end, value, scratch);
    }
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t n = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        n = n * 16 + digit;
    }
    return n;
}

static void add_code(struct bytes *out, uint32_t c)
{
    char u[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        u[i] = (char)(0x80 | (c & 0x3f));
    u[0] = (char)(n == 1 ? c : lead[n] | c);
    bytes_add(out, u, n);
}

/* Decode what follows "\u", surrogate pairs included. U+0000 is refused, as jansson does. */
static const char *unicode_escape(const char *p, const char *end, struct bytes *out)
{
    int32_t c = hex4(p, end);
    if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
        return NULL;
    p += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - p < 2 || p[0] != '\\' || p[1] != 'u')
            return NULL;
        int32_t low = hex4(p + 2, end);
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    add_code(out, (uint32_t)c);
    return p;
}

static const char *escape(const char *p, const char *end, struct bytes *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (p >= end)
        return NULL;
    if (*p == 'u')
        return unicode_escape(p + 1, end, out);
    const char *found = memchr(names, *p, sizeof names - 1);
    if (!found)
        return NULL;
    bytes_char(out, values[found - names]);
    return p + 1;
}

const char *token_string_slow(const char *start, const char *end, struct span *value,
                              struct bytes *scratch)
{
    /* Decoding never lengthens, so what a record's strings need together is reserved at the first
     * of them, and the values given out before stay where they are. */
    if (scratch->len == 0 && !bytes_room(scratch, (size_t)(end - start)))
        return NULL;
    size_t before = scratch->len;
    const char *p = start;
    while (p < end && *p != '"') {
        uint32_t code;
        if (*p == '\\') {
            p = escape(p + 1, end, scratch);
            if (!p)
                return NULL;
            continue;
        }
        size_t n = utf8_next(p, (size_t)(end - p), &code);
        if (n == 0 || code < 0x20)
            return NULL;
        bytes_add(scratch, p, n);
        p += n;
    }
    if (p >= end || scratch->full)
        return NULL;
    *value = (struct span){scratch->data + before, scratch->len - before};
    return p + 1;
}

static const char *skip_scalar(const char *p, const char *end, struct bytes *scratch)
{
    static const struct span literals[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    struct span unused;
    double number;
    if (*p == '"') {
        size_t before = scratch->len;
        p = token_string(p + 1, end, &unused, scratch);
        scratch->len = before;
        return p;
    }
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
        if ((size_t)(end - p) >= literals[i].len &&
            memcmp(p, literals[i].text, literals[i].len) == 0)
            return p + literals[i].len;
    return number_scan(p, &number);
}

/* A key and its colon. */
static const char *skip_key(const char *p, const char *end, struct bytes *scratch)
{
    if (*p != '"')
        return NULL;
    p = skip_scalar(p, end, scratch);
    if (!p)
        return NULL;
    p = token_space(p, end);
    return *p == ':' ? token_space(p + 1, end) : NULL;
}

const char *token_skip(const char *p, const char *end, int depth, struct bytes *scratch)
{
    char open = *p;
    if (open != '{' && open != '[')
        return skip_scalar(p, end, scratch);
    char close = open == '{' ? '}' : ']';
    if (depth <= 0)
        return NULL;
    p = token_space(p + 1, end);
    if (*p == close)
        return p + 1;
    for (;;) {
        if (open == '{' && !(p = skip_key(p, end, scratch)))
            return NULL;
        p = token_skip(p, end, depth - 1, scratch);
        if (!p)
            return NULL;
        p = token_space(p, end);
        if (*p == close)
            return p + 1;
        if (*p != ',')
            return NULL;
        p = token_space(p + 1, end);
    }
}

const char *token_kind(const char *p)
{
    switch (*p) {
    case '"': return "a string";
    case '{': return "an object";
    case '[': return "an array";
    case 't':
    case 'f': return "a boolean";
    case 'n': return "null";
    default: return "a number";
    }
}
