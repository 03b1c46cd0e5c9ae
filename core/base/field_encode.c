#include "base/field.h"

#include "base/json.h"

#include <stdbool.h>

static void put_text_or(struct bytes *out, const char *json, const char *otherwise)
{
    bytes_text(out, json ? json : otherwise);
}

static void put_int(struct bytes *out, int64_t n, bool nullable)
{
    if (nullable && n == INT64_MIN)
        bytes_text(out, "null");
    else
        bytes_int(out, n);
}

static void put_value(const struct field *f, const void *at, bool hidden, struct bytes *out)
{
    bool nullable = f->flags & FIELD_NULLABLE;
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_ENUM: {
        const char *text = *(const char *const *)at;
        if (text)
            json_put_string(out, text);
        else
            bytes_text(out, "null");
        break;
    }
    case FIELD_INT: put_int(out, *(const int64_t *)at, nullable); break;
    case FIELD_NUMBER: json_put_number(out, *(const double *)at); break;
    case FIELD_BOOL: bytes_text(out, *(const bool *)at ? "true" : "false"); break;
    case FIELD_TIME: json_put_time(out, *(const int64_t *)at); break;
    case FIELD_OBJECT: put_text_or(out, *(const char *const *)at, nullable ? "null" : "{}"); break;
    case FIELD_STRINGS: put_text_or(out, *(const char *const *)at, nullable ? "null" : "[]"); break;
    case FIELD_ANY: put_text_or(out, *(const char *const *)at, "null"); break;
    case FIELD_NESTED: fields_encode_object(f->sub, at, hidden, out); break;
    }
}

void fields_encode(const struct field *table, const void *in, bool hidden, struct bytes *out)
{
    for (const struct field *f = table; f->name; f++) {
        if (!hidden && (f->flags & (FIELD_HIDDEN | FIELD_SECRET)))
            continue;
        json_key(out, f->name);
        put_value(f, (const char *)in + f->offset, hidden, out);
    }
}

void fields_encode_object(const struct field *table, const void *in, bool hidden, struct bytes *out)
{
    bytes_char(out, '{');
    fields_encode(table, in, hidden, out);
    bytes_char(out, '}');
}
