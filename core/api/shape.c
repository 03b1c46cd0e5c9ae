#include "api/shape.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 48

static const char *const WORDS[][2] = {
    {"s", "\"string\""}, {"t", "\"string\""},  {"i", "\"integer\""},
    {"n", "\"number\""}, {"b", "\"boolean\""},
};

static void put_shape(const char **at, struct bytes *out);

static size_t word_length(const char *p)
{
    return strcspn(p, " ?:~|()[]{}");
}

static void expect(const char **at, char c)
{
    if (**at != c)
        abort(); /* a bug in a constant of schemas.c */
    (*at)++;
}

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static void skip_spaces(const char **at)
{
    *at += strspn(*at, " ");
}

static void put_word(const char **at, struct bytes *out)
{
    size_t len = word_length(*at);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strlen(WORDS[i][0]) != len || memcmp(*at, WORDS[i][0], len) != 0)
            continue;
        bool nullable = (*at)[len] == '?';
        bytes_printf(out, nullable ? "{\"type\":[%s,\"null\"]" : "{\"type\":%s", WORDS[i][1]);
        bytes_text(out, **at == 't' ? ",\"format\":\"date-time\"}" : "}");
        *at += len + nullable;
        return;
    }
    if (len != 3 || memcmp(*at, "any", 3) != 0)
        abort();
    bytes_text(out, "{}");
    *at += len;
}

static void put_choices(const char **at, struct bytes *out)
{
    bytes_text(out, "{\"enum\":[");
    do {
        size_t len = word_length(*at);
        json_put_stringn(out, *at, len);
        *at += len;
        bytes_text(out, **at == '|' ? "," : "");
    } while (take(at, '|'));
    expect(at, ')');
    bytes_text(out, take(at, '?') ? ",null]}" : "]}");
}

static void put_reference(const char **at, struct bytes *out)
{
    size_t len = word_length(*at);
    bool nullable = (*at)[len] == '?';
    bytes_text(out, nullable ? "{\"anyOf\":[" : "");
    bytes_printf(out, "{\"$ref\":\"#/components/schemas/%.*s\"}", (int)len, *at);
    bytes_text(out, nullable ? ",{\"type\":\"null\"}]}" : "");
    *at += len + nullable;
}

/* The type comes last, since only then it is known whether null is allowed. */
static void put_array(const char **at, struct bytes *out)
{
    bytes_text(out, "{\"items\":");
    put_shape(at, out);
    expect(at, ']');
    bytes_printf(out, ",\"type\":%s}", take(at, '?') ? "[\"array\",\"null\"]" : "\"array\"");
}

static void put_required(const char *const *names, const size_t *lengths, size_t n,
                         struct bytes *out)
{
    for (size_t i = 0; i < n; i++) {
        bytes_text(out, i ? "," : ",\"required\":[");
        json_put_stringn(out, names[i], lengths[i]);
    }
    bytes_text(out, n ? "]" : "");
}

static void put_members(const char **at, struct bytes *out)
{
    const char *required[MEMBERS_MAX];
    size_t lengths[MEMBERS_MAX], n = 0;
    bytes_text(out, "{\"properties\":{");
    for (bool first = true; **at != '}'; first = false) {
        size_t len = word_length(*at);
        bytes_text(out, first ? "" : ",");
        json_put_stringn(out, *at, len);
        required[n] = *at;
        lengths[n] = len;
        *at += len;
        if (!take(at, '~') && ++n == MEMBERS_MAX)
            abort();
        expect(at, ':');
        bytes_char(out, ':');
        put_shape(at, out);
        skip_spaces(at);
    }
    bytes_char(out, '}');
    put_required(required, lengths, n, out);
}

static void put_object(const char **at, struct bytes *out)
{
    skip_spaces(at);
    if (take(at, '*')) {
        expect(at, ':');
        bytes_text(out, "{\"additionalProperties\":");
        put_shape(at, out);
    } else {
        put_members(at, out);
    }
    expect(at, '}');
    bytes_printf(out, ",\"type\":%s}", take(at, '?') ? "[\"object\",\"null\"]" : "\"object\"");
}

static void put_shape(const char **at, struct bytes *out)
{
    if (take(at, '{'))
        put_object(at, out);
    else if (take(at, '['))
        put_array(at, out);
    else if (take(at, '('))
        put_choices(at, out);
    else if (take(at, '@'))
        put_reference(at, out);
    else
        put_word(at, out);
}

void shape_schema(const char *shape, struct bytes *out)
{
    put_shape(&shape, out);
    expect(&shape, '\0'); /* moves past the end, but is not used after */
}
