#include "base/json.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

/* ---- reading ---- */

static bool too_deep(const json_t *value, int left)
{
    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (left == 0)
        return true;
    size_t i;
    const char *key;
    json_t *child;
    if (json_is_array(value)) {
        json_array_foreach(value, i, child)
            if (too_deep(child, left - 1))
                return true;
    } else {
        json_object_foreach((json_t *)value, key, child)
            if (too_deep(child, left - 1))
                return true;
    }
    return false;
}

/* jansson quotes a piece of the input in its message, which need not be UTF-8. */
static void make_ascii(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

json_t *json_read(const char *text, size_t len, struct err *e)
{
    json_error_t error;
    if (len && memchr(text, '\0', len)) { /* jansson overlooks one at the end */
        fail(e, &ERR_MALFORMED_JSON, "the text contains a NUL");
        return NULL;
    }
    json_t *value =
        json_loadb(len ? text : "", len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value) {
        make_ascii(error.text);
        const bool nul = json_error_code(&error) == json_error_null_character;
        fail(e, &ERR_MALFORMED_JSON, "line %d, column %d: %s", error.line, error.column,
             nul ? "\\u0000 is not allowed" : error.text);
        return NULL;
    }
    if (too_deep(value, DEPTH_MAX)) {
        json_decref(value);
        fail(e, &ERR_MALFORMED_JSON, "nesting is deeper than %d levels", DEPTH_MAX);
        return NULL;
    }
    return value;
}

/* ---- writing ---- */

void json_put_string(struct bytes *b, const char *text)
{
    json_put_stringn(b, text, strlen(text));
}

/* The escape of one character that cannot stand in a literal. */
static void put_escape(struct bytes *b, unsigned char c)
{
    static const char letter[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                  ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (letter[c]) {
        char pair[2] = {'\\', letter[c]};
        bytes_add(b, pair, sizeof pair);
    } else {
        bytes_printf(b, "\\u%04x", c);
    }
}

static bool plain_ascii(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* How many bytes from the start stand in a literal as they are, eight at a time. A byte's highest
 * bit in the sum tells of one that does not (Mycroft's test; a borrow can only make a plain byte
 * behind a special one look special, and it is looked at again). */
static size_t plain_run(const char *text, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t n = 0;
    for (; len - n >= 8; n += 8) {
        uint64_t w, quote, slash;
        memcpy(&w, text + n, 8);
        quote = w ^ ones * '"';
        slash = w ^ ones * '\\';
        if ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & high)
            break;
    }
    while (n < len && plain_ascii((unsigned char)text[n]))
        n++;
    return n;
}

/* `before` (if it is not 0), the text as a literal, and `after` (likewise). */
static void put_plain(struct bytes *b, char before, const char *text, size_t len, char after)
{
    char *to = bytes_room(b, len + 2 + (before != 0) + (after != 0)), *p = to;
    if (!to)
        return;
    if (before)
        *p++ = before;
    *p++ = '"';
    if (len)
        memcpy(p, text, len);
    p += len;
    *p++ = '"';
    if (after)
        *p++ = after;
    *p = '\0';
    b->len += (size_t)(p - to);
}

static void put_escaped(struct bytes *b, const char *text, size_t len)
{
    size_t at = 0, from = 0; /* from..at is yet to be written as it is */
    bytes_char(b, '"');
    while (at < len) {
        unsigned char c = (unsigned char)text[at];
        uint32_t code;
        size_t n = plain_ascii(c) ? 1 : c >= 0x80 ? utf8_next(text + at, len - at, &code) : 0;
        if (n) {
            at += n;
            continue;
        }
        bytes_add(b, text + from, at - from);
        if (c >= 0x80)
            bytes_text(b, "\\ufffd"); /* not UTF-8: what we write must be */
        else
            put_escape(b, c);
        from = ++at;
    }
    bytes_add(b, text + from, len - from);
    bytes_char(b, '"');
}

void json_put_stringn(struct bytes *b, const char *text, size_t len)
{
    if (plain_run(text, len) == len)
        put_plain(b, 0, text, len, 0);
    else
        put_escaped(b, text, len);
}

/* A number such as 23.417 is m / 10^k with both exactly representable, and a division is correctly
 * rounded: if it gives the number again, so does reading "23.417". The first such k is the
 * shortest. Most numbers in our answers end here. */
static bool put_fixed(struct bytes *b, double value)
{
    static const double powers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    const double limit = 9007199254740992.0; /* 2^53 */
    double size = fabs(value);
    if (size < 1e-5 || size >= 1e15)
        return false;
    for (int k = 0; k < 9; k++) {
        double m = nearbyint(size * powers[k]);
        if (m >= limit)
            return false;
        if (m / powers[k] != size)
            continue;
        uint64_t whole = (uint64_t)m, power = (uint64_t)powers[k];
        char digits[12] = ".";
        uint64_t rest = whole % power;
        for (int i = k + 1; i >= 1; i--, rest /= 10)
            digits[i] = (char)('0' + rest % 10);
        if (value < 0)
            bytes_char(b, '-');
        bytes_uint(b, whole / power);
        bytes_add(b, digits, (size_t)k + 2);
        return true;
    }
    return false;
}

void json_put_number(struct bytes *b, double value)
{
    if (!isfinite(value)) {
        bytes_text(b, "null");
        return;
    }
    if (fabs(value) < 9007199254740992.0 && value == (double)(int64_t)value) {
        if (value == 0 && signbit(value))
            bytes_text(b, "-0.0"); /* "-0" would read back as the integer 0 */
        else
            bytes_int(b, (int64_t)value);
        return;
    }
    if (put_fixed(b, value))
        return;
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    bytes_text(b, text);
}

void json_put_time(struct bytes *b, int64_t wall_ms)
{
    char text[TIME_TEXT_SIZE + 1] = "\"";
    if (wall_ms == 0) {
        bytes_text(b, "null");
        return;
    }
    time_format(wall_ms, text + 1);
    text[TIME_TEXT_SIZE] = '"';
    bytes_add(b, text, sizeof text);
}

static void put_array(struct bytes *b, const json_t *array)
{
    size_t i;
    json_t *child;
    bytes_char(b, '[');
    json_array_foreach(array, i, child) {
        if (i)
            bytes_char(b, ',');
        json_put_value(b, child);
    }
    bytes_char(b, ']');
}

static void put_object(struct bytes *b, const json_t *object)
{
    const char *key;
    json_t *child;
    bytes_char(b, '{');
    json_object_foreach((json_t *)object, key, child) {
        json_key(b, key);
        json_put_value(b, child);
    }
    bytes_char(b, '}');
}

void json_put_value(struct bytes *b, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: put_object(b, value); break;
    case JSON_ARRAY: put_array(b, value); break;
    case JSON_STRING:
        json_put_stringn(b, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER: bytes_int(b, json_integer_value(value)); break;
    case JSON_REAL: json_put_number(b, json_real_value(value)); break;
    case JSON_TRUE: bytes_text(b, "true"); break;
    case JSON_FALSE: bytes_text(b, "false"); break;
    case JSON_NULL: bytes_text(b, "null"); break;
    }
}

void json_key(struct bytes *b, const char *key)
{
    bool first = !b->len || b->data[b->len - 1] == '{' || b->data[b->len - 1] == '[';
    size_t len = strlen(key);
    if (plain_run(key, len) == len) {
        put_plain(b, first ? 0 : ',', key, len, ':');
        return;
    }
    if (!first)
        bytes_char(b, ',');
    put_escaped(b, key, len);
    bytes_char(b, ':');
}

void json_kv_string(struct bytes *b, const char *key, const char *text)
{
    json_key(b, key);
    if (text)
        json_put_string(b, text);
    else
        bytes_text(b, "null");
}

void json_kv_int(struct bytes *b, const char *key, int64_t n)
{
    json_key(b, key);
    bytes_int(b, n);
}

void json_kv_number(struct bytes *b, const char *key, double value)
{
    json_key(b, key);
    json_put_number(b, value);
}

void json_kv_bool(struct bytes *b, const char *key, bool value)
{
    json_key(b, key);
    bytes_text(b, value ? "true" : "false");
}

void json_kv_time(struct bytes *b, const char *key, int64_t wall_ms)
{
    json_key(b, key);
    json_put_time(b, wall_ms);
}

void json_kv_raw(struct bytes *b, const char *key, const char *json)
{
    json_key(b, key);
    bytes_text(b, json ? json : "null");
}

/* ---- merge patch ---- */

json_t *json_merge(const json_t *target, const json_t *patch)
{
    if (!json_is_object(patch))
        return json_incref((json_t *)patch);
    json_t *result = json_is_object(target) ? json_copy((json_t *)target) : json_object();
    const char *key;
    json_t *change;
    json_object_foreach((json_t *)patch, key, change) {
        if (json_is_null(change))
            json_object_del(result, key);
        else
            json_object_set_new(result, key, json_merge(json_object_get(result, key), change));
    }
    return result;
}
