#include "registry/scan.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 72 /* what json_read() takes, and the levels our own objects add */

static const char *skip_value(const char *at, const char *end, int depth);

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What follows a backslash; returns where the text goes on, or NULL. */
static const char *skip_escape(const char *at, const char *end)
{
    if (at >= end)
        return NULL;
    if (*at != 'u')
        return strchr("\"\\/bfnrt", *at) && *at ? at + 1 : NULL;
    if (end - at < 5)
        return NULL;
    for (int i = 1; i <= 4; i++)
        if (!is_hex(at[i]))
            return NULL;
    return at + 5;
}

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at && at < end;) {
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            return at + 1;
        if (c < 0x20)
            return NULL;
        at = c == '\\' ? skip_escape(at + 1, end) : at + 1;
    }
    return NULL;
}

static const char *skip_number(const char *at, const char *end)
{
    const char *digits = at + (*at == '-');
    if (digits >= end || *digits < '0' || *digits > '9')
        return NULL;
    while (at < end && ((*at >= '0' && *at <= '9') || (*at && strchr("+-.eE", *at))))
        at++;
    return at;
}

static const char *skip_word(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - at) >= len && memcmp(at, word, len) == 0 ? at + len : NULL;
}

/* An object or array, from its opening bracket on. */
static const char *skip_container(const char *at, const char *end, int depth)
{
    char closer = *at == '{' ? '}' : ']';
    bool object = *at++ == '{';
    if (at < end && *at == closer)
        return at + 1;
    while (at && at < end) {
        if (object) {
            at = *at == '"' ? skip_string(at, end) : NULL;
            if (!at || at >= end || *at++ != ':')
                return NULL;
        }
        at = skip_value(at, end, depth + 1);
        if (!at || at >= end)
            return NULL;
        if (*at == closer)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
    return NULL;
}

static const char *skip_value(const char *at, const char *end, int depth)
{
    if (at >= end || depth > DEPTH_MAX)
        return NULL;
    switch (*at) {
    case '"': return skip_string(at, end);
    case '{':
    case '[': return skip_container(at, end, depth);
    case 'n': return skip_word(at, end, "null");
    case 't': return skip_word(at, end, "true");
    case 'f': return skip_word(at, end, "false");
    default: return skip_number(at, end);
    }
}

struct slice scan_value(const char *at, const char *end)
{
    const char *after = skip_value(at, end, 0);
    return after ? (struct slice){at, (size_t)(after - at)} : (struct slice){NULL, 0};
}

struct scan scan_open(struct slice text, char opener)
{
    struct scan s = {.closer = opener == '{' ? '}' : ']', .first = true};
    if (text.len < 2 || text.at[0] != opener) {
        s.bad = true;
        return s;
    }
    s.at = text.at + 1;
    s.end = text.at + text.len;
    return s;
}

static bool stop(struct scan *s)
{
    s->bad = true;
    return false;
}

/* Step over the comma before the next entry; false at the end and at damage. */
static bool next_entry(struct scan *s)
{
    if (s->bad || s->at >= s->end)
        return stop(s);
    if (*s->at == s->closer)
        return false;
    if (!s->first && *s->at++ != ',')
        return stop(s);
    s->first = false;
    return true;
}

bool scan_item(struct scan *s, struct slice *value)
{
    if (!next_entry(s))
        return false;
    *value = scan_value(s->at, s->end);
    if (!value->at)
        return stop(s);
    s->at += value->len;
    return true;
}

bool scan_member(struct scan *s, struct slice *key, struct slice *value)
{
    if (!next_entry(s))
        return false;
    const char *after = s->at < s->end && *s->at == '"' ? skip_string(s->at, s->end) : NULL;
    if (!after || after >= s->end || *after != ':')
        return stop(s);
    *key = (struct slice){s->at + 1, (size_t)(after - s->at) - 2};
    *value = scan_value(after + 1, s->end);
    if (!value->at)
        return stop(s);
    s->at = value->at + value->len;
    return true;
}

bool scan_ended(const struct scan *s)
{
    return !s->bad && s->at + 1 == s->end && *s->at == s->closer;
}

bool scan_pick(struct slice object, const char *const *names, size_t n, struct slice *out)
{
    memset(out, 0, n * sizeof *out);
    struct scan s = scan_open(object, '{');
    struct slice key, value;
    size_t at = 0; /* the name expected next */
    while (scan_member(&s, &key, &value)) {
        for (size_t i = 0; i < n; i++) {
            size_t name = (at + i) % n;
            if (names[name][0] != *key.at || !slice_is(key, names[name]))
                continue;
            out[name] = value;
            at = name + 1;
            break;
        }
    }
    return scan_ended(&s);
}

bool slice_is(struct slice s, const char *text)
{
    return s.at && strncmp(s.at, text, s.len) == 0 && text[s.len] == '\0';
}

static uint32_t hex4(const char *p)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return n;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* One \uXXXX, or a pair of them; `*at` stands on the 'u'. A lone surrogate and NUL become U+FFFD.
 */
static uint32_t read_unicode(const char **at, const char *end)
{
    uint32_t code = hex4(*at + 1);
    *at += 5;
    if (code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t low = hex4(*at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code;
}

size_t slice_unescape(struct slice literal, char *out)
{
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *at = literal.at + 1, *end = literal.at + literal.len - 1;
    char *to = out;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash ? slash : end) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (!slash)
            break;
        at++;
        if (*at == 'u') {
            to = put_utf8(to, read_unicode(&at, end));
            continue;
        }
        const char *letter = strchr(letters, *at);
        *to++ = letter ? values[letter - letters] : *at;
        at++;
    }
    *to = '\0';
    return (size_t)(to - out);
}

bool slice_int(struct slice s, int64_t *out)
{
    char text[24], *end;
    if (!s.at || s.len == 0 || s.len >= sizeof text)
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}
