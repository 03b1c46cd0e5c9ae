#include "base/field.h"

#include "base/field_range.h"
#include "base/json.h"

static const char *const TYPE_NAMES[] = {
    [FIELD_STRING] = "string", [FIELD_ENUM] = "string",   [FIELD_INT] = "integer",
    [FIELD_NUMBER] = "number", [FIELD_BOOL] = "boolean",  [FIELD_TIME] = "string",
    [FIELD_OBJECT] = "object", [FIELD_STRINGS] = "array", [FIELD_ANY] = NULL,
    [FIELD_NESTED] = "object",
};

static bool nullable(const struct field *f, enum schema_form form)
{
    if (form == SCHEMA_PATCH && !(f->flags & (FIELD_REQUIRED | FIELD_FIXED)))
        return true;
    return (f->flags & FIELD_NULLABLE) && !(form == SCHEMA_ANSWER && f->flags & FIELD_FILLED);
}

static void put_type(const struct field *f, enum schema_form form, struct bytes *out)
{
    const char *name = TYPE_NAMES[f->type];
    if (!name)
        return;
    bool null = nullable(f, form);
    json_key(out, "type");
    if (f->type == FIELD_TIME && form != SCHEMA_ANSWER) /* epoch milliseconds: taken, never given */
        bytes_text(out, null ? "[\"string\",\"integer\",\"null\"]" : "[\"string\",\"integer\"]");
    else
        bytes_printf(out, null ? "[\"%s\",\"null\"]" : "\"%s\"", name);
}

static void put_choices(const struct field *f, enum schema_form form, struct bytes *out)
{
    json_key(out, "enum");
    bytes_char(out, '[');
    for (const char *const *c = f->choices; *c; c++) {
        if (c != f->choices)
            bytes_char(out, ',');
        json_put_string(out, *c);
    }
    bytes_text(out, nullable(f, form) ? ",null]" : "]");
}

static void put_bounds(const struct field *f, const char *min, const char *max, struct bytes *out)
{
    if (isfinite(field_min(f)) && (f->min > 0 || f->type == FIELD_INT || f->type == FIELD_NUMBER))
        json_kv_number(out, min, f->min);
    if (isfinite(field_max(f)))
        json_kv_number(out, max, f->max);
}

/* What the type adds to the schema of one field. */
static void put_details(const struct field *f, enum schema_form form, struct bytes *out)
{
    switch (f->type) {
    case FIELD_STRING: put_bounds(f, "minLength", "maxLength", out); break;
    case FIELD_ENUM: put_choices(f, form, out); break;
    case FIELD_INT:
        json_kv_string(out, "format", "int64");
        put_bounds(f, "minimum", "maximum", out);
        break;
    case FIELD_NUMBER: put_bounds(f, "minimum", "maximum", out); break;
    case FIELD_TIME: json_kv_string(out, "format", "date-time"); break;
    case FIELD_STRINGS:
        json_key(out, "items");
        bytes_printf(out, "{\"type\":\"string\",\"maxLength\":%d}", FIELD_ITEM_CHARS);
        put_bounds(f, "minItems", "maxItems", out);
        break;
    case FIELD_BOOL:
    case FIELD_OBJECT:
    case FIELD_ANY:
    case FIELD_NESTED: break; /* a nested object is written by put_field() */
    }
    if (f->doc)
        json_kv_string(out, "description", f->doc);
    if (f->flags & FIELD_SERVER)
        json_kv_bool(out, "readOnly", true);
    if (form != SCHEMA_ANSWER && (f->flags & FIELD_SECRET))
        json_kv_bool(out, "writeOnly", true);
}

static bool shown(const struct field *f, enum schema_form form)
{
    return !(f->flags & (form == SCHEMA_ANSWER ? FIELD_HIDDEN | FIELD_SECRET : FIELD_HIDDEN));
}

static void put_members(const struct field *table, enum schema_form form, struct bytes *out);

static void put_properties(const struct field *table, enum schema_form form, struct bytes *out)
{
    json_key(out, "properties");
    bytes_char(out, '{');
    for (const struct field *f = table; f->name; f++) {
        if (!shown(f, form))
            continue;
        json_key(out, f->name);
        bytes_char(out, '{');
        put_type(f, form, out);
        if (f->type == FIELD_NESTED)
            put_members(f->sub, form, out);
        put_details(f, form, out);
        bytes_char(out, '}');
    }
    bytes_char(out, '}');
}

static void put_required(const struct field *table, enum schema_form form, struct bytes *out)
{
    bool any = false;
    for (const struct field *f = table; f->name; f++) {
        if (!shown(f, form) || !(form == SCHEMA_ANSWER || f->flags & FIELD_REQUIRED))
            continue;
        if (!any)
            json_key(out, "required");
        bytes_char(out, any ? ',' : '[');
        json_put_string(out, f->name);
        any = true;
    }
    if (any)
        bytes_char(out, ']');
}

static void put_members(const struct field *table, enum schema_form form, struct bytes *out)
{
    put_properties(table, form, out);
    if (form != SCHEMA_PATCH)
        put_required(table, form, out);
    if (form != SCHEMA_ANSWER)
        json_kv_bool(out, "additionalProperties", false);
}

void fields_schema(const struct field *table, enum schema_form form, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "type", "object");
    put_members(table, form, out);
    bytes_char(out, '}');
}
