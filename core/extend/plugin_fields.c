#include "extend/plugin_fields.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static const char *const TYPE_NAMES[] = {
    [PADDOCK_FIELD_BOOLEAN] = "boolean", [PADDOCK_FIELD_INTEGER] = "integer",
    [PADDOCK_FIELD_NUMBER] = "number",   [PADDOCK_FIELD_TEXT] = "text",
    [PADDOCK_FIELD_OBJECT] = "object",   [PADDOCK_FIELD_ARRAY] = "array",
    [PADDOCK_FIELD_DATASET] = "dataset", [PADDOCK_FIELD_ANY] = "any",
};
#define N_TYPES (sizeof TYPE_NAMES / sizeof *TYPE_NAMES)

static const struct {
    const char *name;
    uint32_t flag;
} FLAG_NAMES[] = {
    {"required", PADDOCK_REQUIRED},
    {"secret", PADDOCK_SECRET},
    {"server", PADDOCK_SERVER},
};
#define N_FLAGS (sizeof FLAG_NAMES / sizeof *FLAG_NAMES)

/* ---- describe ---- */

static void describe_flags(uint32_t flags, struct bytes *out)
{
    json_key(out, "flags");
    bytes_char(out, '[');
    for (size_t i = 0; i < N_FLAGS; i++) {
        if (!(flags & FLAG_NAMES[i].flag))
            continue;
        if (out->data[out->len - 1] != '[')
            bytes_char(out, ',');
        json_put_string(out, FLAG_NAMES[i].name);
    }
    bytes_char(out, ']');
}

static void describe_field(const paddock_field *field, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_string(out, "name", field->name);
    json_kv_string(out, "type", TYPE_NAMES[field->type]);
    describe_flags(field->flags, out);
    json_kv_number(out, "min", field->min);
    json_kv_number(out, "max", field->max);
    json_kv_raw(out, "preset", field->preset);
    if (field->choices) {
        json_key(out, "choices");
        bytes_char(out, '[');
        for (size_t i = 0; field->choices[i]; i++) {
            if (i)
                bytes_char(out, ',');
            json_put_string(out, field->choices[i]);
        }
        bytes_char(out, ']');
    }
    if (field->fields) {
        json_key(out, "fields");
        plugin_fields_describe(field->fields, out);
    }
    json_kv_string(out, "doc", field->doc);
    bytes_char(out, '}');
}

void plugin_fields_describe(const paddock_field *table, struct bytes *out)
{
    bytes_char(out, '[');
    for (const paddock_field *field = table; field && field->name; field++) {
        if (field != table)
            bytes_char(out, ',');
        describe_field(field, out);
    }
    bytes_char(out, ']');
}

/* ---- parse ---- */

static const paddock_field *parse_table(const json_t *array, unsigned depth, struct arena *a,
                                        struct err *e);

static bool parse_type(const char *name, paddock_field *out)
{
    for (uint32_t i = 1; name && i < N_TYPES; i++)
        if (strcmp(TYPE_NAMES[i], name) == 0)
            out->type = i;
    return out->type != 0;
}

static bool parse_flags(const json_t *list, paddock_field *out)
{
    size_t at;
    const json_t *item;
    json_array_foreach(list, at, item) {
        uint32_t flag = 0;
        for (size_t i = 0; json_is_string(item) && i < N_FLAGS; i++)
            if (strcmp(FLAG_NAMES[i].name, json_string_value(item)) == 0)
                flag = FLAG_NAMES[i].flag;
        if (!flag)
            return false;
        out->flags |= flag;
    }
    return true;
}

static bool parse_choices(const json_t *list, paddock_field *out, struct arena *a)
{
    if (!list)
        return true;
    if (!json_is_array(list) || json_array_size(list) > 1000)
        return false;
    const char **choices = arena_zero(a, (json_array_size(list) + 1) * sizeof *choices);
    size_t at;
    const json_t *item;
    json_array_foreach(list, at, item) {
        if (!json_is_string(item))
            return false;
        choices[at] = arena_text(a, json_string_value(item));
    }
    out->choices = choices;
    return true;
}

static bool parse_field(const json_t *in, unsigned depth, paddock_field *out, struct arena *a,
                        struct err *e)
{
    const char *name = json_string_value(json_object_get(in, "name"));
    const char *doc = json_string_value(json_object_get(in, "doc"));
    const json_t *preset = json_object_get(in, "preset"), *fields = json_object_get(in, "fields");
    if (!name || !parse_type(json_string_value(json_object_get(in, "type")), out) ||
        !parse_flags(json_object_get(in, "flags"), out) ||
        !parse_choices(json_object_get(in, "choices"), out, a))
        return fail(e, &ERR_INVALID, "a field's description is not understood");
    out->name = arena_text(a, name);
    out->doc = arena_text(a, doc);
    out->min = json_number_value(json_object_get(in, "min"));
    out->max = json_number_value(json_object_get(in, "max"));
    if (preset && !json_is_null(preset)) {
        struct bytes text = BYTES_INIT(64 << 10);
        json_put_value(&text, preset);
        bool fits = !text.full;
        if (fits)
            out->preset = arena_copy(a, text.data, text.len);
        bytes_release(&text);
        if (!fits)
            return fail(e, &ERR_INVALID, "the preset of '%s' is too long", name);
    }
    if (fields)
        out->fields = parse_table(fields, depth + 1, a, e);
    return !fields || out->fields;
}

static const paddock_field *parse_table(const json_t *array, unsigned depth, struct arena *a,
                                        struct err *e)
{
    size_t n = json_array_size(array), at;
    if (!json_is_array(array) || n > PLUGIN_FIELDS_MAX || depth > PLUGIN_FIELDS_DEPTH) {
        fail(e, &ERR_INVALID, "a description of fields must be an array of at most %d, %d deep",
             PLUGIN_FIELDS_MAX, PLUGIN_FIELDS_DEPTH);
        return NULL;
    }
    paddock_field *table = arena_zero(a, (n + 1) * sizeof *table);
    const json_t *item;
    json_array_foreach(array, at, item)
        if (!parse_field(item, depth, &table[at], a, e))
            return NULL;
    return table;
}

const paddock_field *plugin_fields_parse(const json_t *description, struct arena *a, struct err *e)
{
    const paddock_field *table = parse_table(description, 1, a, e);
    return table && plugin_fields_valid(table, e) ? table : NULL;
}

/* ---- is the table right? ---- */

static bool name_valid(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 63 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool preset_valid(const paddock_field *field, struct err *e)
{
    if (!field->preset)
        return true;
    if (field->flags & (PADDOCK_REQUIRED | PADDOCK_SECRET))
        return fail(e, &ERR_INVALID, "the field '%s' must be given, and has a preset", field->name);
    json_t *value = json_read(field->preset, strlen(field->preset), e);
    if (!value)
        return fail(e, &ERR_INVALID, "the preset of '%s' is no JSON", field->name);
    const paddock_field alone[] = {*field, {.name = NULL}};
    json_t *object = json_pack("{s:O}", field->name, value);
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    json_t *checked = object ? plugin_fields_check(alone, object, "", CONFIG_FROM_SERVER, f) : NULL;
    bool ok = checked != NULL;
    if (!ok)
        fail(e, &ERR_INVALID, "the preset of '%s' %s", field->name,
             f->listed ? f->list[0].detail : "does not fit");
    json_decref(checked);
    json_decref(object);
    json_decref(value);
    arena_free(a);
    return ok;
}

static bool field_valid(const paddock_field *field, struct err *e)
{
    if (!name_valid(field->name))
        return fail(e, &ERR_INVALID, "'%.64s' is no name of a field", field->name);
    if (field->type == 0 || field->type >= N_TYPES)
        return fail(e, &ERR_INVALID, "the field '%s' has the unknown type %u", field->name,
                    field->type);
    if (field->flags & ~(uint32_t)(PADDOCK_REQUIRED | PADDOCK_SECRET | PADDOCK_SERVER))
        return fail(e, &ERR_INVALID, "the field '%s' has unknown flags", field->name);
    if (!isfinite(field->min) || !isfinite(field->max) ||
        (field->min > field->max && !(field->min > 0 && field->max == 0)))
        return fail(e, &ERR_INVALID, "the range of '%s' is empty", field->name);
    if (field->choices && field->type != PADDOCK_FIELD_TEXT)
        return fail(e, &ERR_INVALID, "the field '%s' has choices and is no text", field->name);
    if (field->fields && field->type != PADDOCK_FIELD_OBJECT && field->type != PADDOCK_FIELD_ARRAY)
        return fail(e, &ERR_INVALID, "the field '%s' has fields of its own", field->name);
    if ((field->flags & PADDOCK_SECRET) && field->type != PADDOCK_FIELD_TEXT)
        return fail(e, &ERR_INVALID, "the field '%s' is secret and no text", field->name);
    if (!field->doc)
        return fail(e, &ERR_INVALID, "the field '%s' has no doc", field->name);
    return true;
}

static bool table_valid(const paddock_field *table, unsigned depth, bool items, struct err *e)
{
    size_t n = 0;
    for (const paddock_field *field = table; field->name; field++) {
        if (++n > PLUGIN_FIELDS_MAX || depth > PLUGIN_FIELDS_DEPTH)
            return fail(e, &ERR_INVALID, "more than %d fields, or %d deep", PLUGIN_FIELDS_MAX,
                        PLUGIN_FIELDS_DEPTH);
        if (!field_valid(field, e))
            return false;
        for (const paddock_field *other = table; other < field; other++)
            if (strcmp(other->name, field->name) == 0)
                return fail(e, &ERR_INVALID, "two fields are named '%s'", field->name);
        if (field->fields &&
            !table_valid(field->fields, depth + 1, field->type == PADDOCK_FIELD_ARRAY, e))
            return false;
        if (!preset_valid(field, e))
            return false;
    }
    if (items && n != 1)
        return fail(e, &ERR_INVALID, "an array needs exactly one row that describes its items");
    return true;
}

bool plugin_fields_valid(const paddock_field *table, struct err *e)
{
    return !table || table_valid(table, 1, false, e);
}
