/* Checking an instance of a plugin's configuration, and its JSON Schema. */
#include "extend/plugin_fields.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

/* What is being checked: faults go to `f`. */
struct check {
    enum plugin_config_source source;
    struct faults *f;
};

static bool limited(const paddock_field *field)
{
    return field->min != 0 || field->max != 0;
}

static double upper(const paddock_field *field)
{
    return field->min > 0 && field->max == 0 ? INFINITY : field->max;
}

static bool beyond(const paddock_field *field, double n)
{
    return limited(field) && (n < field->min || n > upper(field));
}

static json_t *check_value(const paddock_field *field, const json_t *value, const char *pointer,
                           struct check *c);
static json_t *check_object(const paddock_field *table, const json_t *object, const char *pointer,
                            struct check *c);

/* ---- values ---- */

static bool check_number(const paddock_field *field, const json_t *value, const char *pointer,
                         struct check *c)
{
    bool whole = field->type == PADDOCK_FIELD_INTEGER;
    if (whole ? !json_is_integer(value) : !json_is_number(value))
        return fault_add(c->f, &ERR_INVALID, pointer, "must be %s",
                         whole ? "an integer" : "a number");
    double number = json_number_value(value);
    if (beyond(field, number))
        return fault_add(c->f, &ERR_INVALID, pointer, "must be from %.15g to %.15g, got %.15g",
                         field->min, upper(field), number);
    return true;
}

static bool check_text(const paddock_field *field, const json_t *value, const char *pointer,
                       struct check *c)
{
    if (!json_is_string(value))
        return fault_add(c->f, &ERR_INVALID, pointer, "must be a text");
    double len = (double)json_string_length(value);
    if (beyond(field, len))
        return fault_add(c->f, &ERR_INVALID, pointer, "must have %.0f to %.0f bytes", field->min,
                         upper(field));
    if (memchr(json_string_value(value), '\0', json_string_length(value)))
        return fault_add(c->f, &ERR_INVALID, pointer, "must not contain a NUL");
    if (!field->choices)
        return true;
    for (size_t i = 0; field->choices[i]; i++)
        if (strcmp(field->choices[i], json_string_value(value)) == 0)
            return true;
    char list[256];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; field->choices[i] && used < sizeof list - 1; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", field->choices[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return fault_add(c->f, &ERR_INVALID, pointer, "must be one of %s", list);
}

static bool check_count(const paddock_field *field, size_t n, const char *what, const char *pointer,
                        struct check *c)
{
    if (!beyond(field, (double)n))
        return true;
    return fault_add(c->f, &ERR_INVALID, pointer, "must have %.0f to %.0f %s, got %zu", field->min,
                     upper(field), what, n);
}

static json_t *check_array(const paddock_field *field, const json_t *value, const char *pointer,
                           struct check *c)
{
    if (!json_is_array(value)) {
        fault_add(c->f, &ERR_INVALID, pointer, "must be an array");
        return NULL;
    }
    if (!check_count(field, json_array_size(value), "items", pointer, c))
        return NULL;
    if (!field->fields)
        return json_deep_copy(value);
    json_t *out = json_array();
    bool ok = true;
    size_t at;
    const json_t *item;
    json_array_foreach(value, at, item) {
        char index[24], below[512];
        snprintf(index, sizeof index, "%zu", at);
        pointer_join(below, sizeof below, pointer, index);
        json_t *checked = check_value(field->fields, item, below, c);
        ok = checked && json_array_append_new(out, checked) == 0 && ok;
        if (c->f->total >= FAULTS_LISTED)
            break;
    }
    if (!ok) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *check_members(const paddock_field *field, const json_t *value, const char *pointer,
                             struct check *c)
{
    if (!json_is_object(value)) {
        fault_add(c->f, &ERR_INVALID, pointer, "must be an object");
        return NULL;
    }
    if (field->fields)
        return check_object(field->fields, value, pointer, c);
    return check_count(field, json_object_size(value), "members", pointer, c)
               ? json_deep_copy(value)
               : NULL;
}

static json_t *check_value(const paddock_field *field, const json_t *value, const char *pointer,
                           struct check *c)
{
    bool ok = true;
    switch (field->type) {
    case PADDOCK_FIELD_BOOLEAN:
        ok = json_is_boolean(value) ||
             fault_add(c->f, &ERR_INVALID, pointer, "must be true or false");
        break;
    case PADDOCK_FIELD_INTEGER:
    case PADDOCK_FIELD_NUMBER: ok = check_number(field, value, pointer, c); break;
    case PADDOCK_FIELD_TEXT:
    case PADDOCK_FIELD_DATASET: ok = check_text(field, value, pointer, c); break;
    case PADDOCK_FIELD_ARRAY: return check_array(field, value, pointer, c);
    case PADDOCK_FIELD_OBJECT: return check_members(field, value, pointer, c);
    default: break;
    }
    return ok ? json_deep_copy(value) : NULL;
}

/* ---- objects ---- */

static void check_unknown(const paddock_field *table, const json_t *object, const char *pointer,
                          struct check *c)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const paddock_field *field = table;
        while (field && field->name && strcmp(field->name, key) != 0)
            field++;
        char below[512];
        pointer_join(below, sizeof below, pointer, key);
        if (!field || !field->name)
            fault_add(c->f, &ERR_UNKNOWN_FIELD, below, "no such field");
        else if ((field->flags & PADDOCK_SERVER) && c->source == CONFIG_FROM_BODY)
            fault_add(c->f, &ERR_INVALID, below, "is set by the server's configuration only");
    }
}

/* The value of a field that was not given: its preset, checked itself (which fills in below it). */
static json_t *preset_of(const paddock_field *field, const char *pointer, struct check *c)
{
    struct err e;
    json_t *preset = json_read(field->preset, strlen(field->preset), &e);
    json_t *out = preset ? check_value(field, preset, pointer, c) : NULL;
    json_decref(preset);
    return out;
}

static json_t *check_object(const paddock_field *table, const json_t *object, const char *pointer,
                            struct check *c)
{
    size_t before = c->f->total;
    check_unknown(table, object, pointer, c);
    json_t *out = json_object();
    for (const paddock_field *field = table; field && field->name; field++) {
        const json_t *value = json_object_get(object, field->name);
        char below[512];
        pointer_join(below, sizeof below, pointer, field->name);
        json_t *checked = NULL;
        if (value)
            checked = check_value(field, value, below, c);
        else if (field->preset)
            checked = preset_of(field, below, c);
        else if ((field->flags & PADDOCK_REQUIRED) &&
                 !((field->flags & PADDOCK_SERVER) && c->source == CONFIG_FROM_BODY))
            fault_add(c->f, &ERR_INVALID, below, "is required");
        if (checked && json_object_set_new(out, field->name, checked) != 0)
            fault_add(c->f, &ERR_INVALID, below, "could not be kept");
    }
    if (c->f->total == before)
        return out;
    json_decref(out);
    return NULL;
}

json_t *plugin_fields_check(const paddock_field *table, const json_t *config, const char *pointer,
                            enum plugin_config_source source, struct faults *f)
{
    struct check c = {.source = source, .f = f};
    if (config && !json_is_object(config)) {
        fault_add(f, &ERR_INVALID, pointer, "must be an object");
        return NULL;
    }
    return check_object(table, config, pointer, &c);
}

/* ---- schema ---- */

static void schema_value(const paddock_field *field, struct bytes *out);

static void schema_range(const paddock_field *field, const char *min, const char *max,
                         struct bytes *out)
{
    if (!limited(field))
        return;
    json_kv_number(out, min, field->min);
    if (isfinite(upper(field)))
        json_kv_number(out, max, field->max);
}

static void schema_text(const paddock_field *field, struct bytes *out)
{
    json_kv_string(out, "type", "string");
    if (field->type == PADDOCK_FIELD_TEXT)
        schema_range(field, "minLength", "maxLength", out);
    if (field->type == PADDOCK_FIELD_DATASET)
        json_kv_string(out, "x-paddock", "dataset");
    if (field->flags & PADDOCK_SECRET)
        json_kv_string(out, "x-paddock", "secret");
    if (!field->choices)
        return;
    json_key(out, "enum");
    bytes_char(out, '[');
    for (size_t i = 0; field->choices[i]; i++) {
        if (i)
            bytes_char(out, ',');
        json_put_string(out, field->choices[i]);
    }
    bytes_char(out, ']');
}

static void schema_table(const paddock_field *table, struct bytes *out)
{
    json_kv_string(out, "type", "object");
    json_key(out, "properties");
    bytes_char(out, '{');
    for (const paddock_field *field = table; field && field->name; field++) {
        if (field->flags & PADDOCK_SERVER)
            continue;
        json_key(out, field->name);
        bytes_char(out, '{');
        schema_value(field, out);
        bytes_char(out, '}');
    }
    bytes_char(out, '}');
    json_key(out, "required");
    bytes_char(out, '[');
    for (const paddock_field *field = table; field && field->name; field++) {
        if (!(field->flags & PADDOCK_REQUIRED) || (field->flags & PADDOCK_SERVER))
            continue;
        if (out->data[out->len - 1] != '[')
            bytes_char(out, ',');
        json_put_string(out, field->name);
    }
    bytes_char(out, ']');
    json_kv_bool(out, "additionalProperties", false);
}

static void schema_array(const paddock_field *field, struct bytes *out)
{
    json_kv_string(out, "type", "array");
    schema_range(field, "minItems", "maxItems", out);
    if (!field->fields)
        return;
    json_key(out, "items");
    bytes_char(out, '{');
    schema_value(field->fields, out);
    bytes_char(out, '}');
}

static void schema_value(const paddock_field *field, struct bytes *out)
{
    switch (field->type) {
    case PADDOCK_FIELD_BOOLEAN: json_kv_string(out, "type", "boolean"); break;
    case PADDOCK_FIELD_INTEGER:
    case PADDOCK_FIELD_NUMBER:
        json_kv_string(out, "type", field->type == PADDOCK_FIELD_INTEGER ? "integer" : "number");
        schema_range(field, "minimum", "maximum", out);
        break;
    case PADDOCK_FIELD_TEXT:
    case PADDOCK_FIELD_DATASET: schema_text(field, out); break;
    case PADDOCK_FIELD_ARRAY: schema_array(field, out); break;
    case PADDOCK_FIELD_OBJECT:
        if (field->fields) {
            schema_table(field->fields, out);
        } else {
            json_kv_string(out, "type", "object");
            schema_range(field, "minProperties", "maxProperties", out);
        }
        break;
    default: break;
    }
    if (field->preset)
        json_kv_raw(out, "default", field->preset);
    json_kv_string(out, "description", field->doc);
}

void plugin_fields_schema(const paddock_field *table, struct bytes *out)
{
    bytes_char(out, '{');
    schema_table(table, out);
    bytes_char(out, '}');
}
