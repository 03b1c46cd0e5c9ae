#include "base/field_value.h"

#include "base/clock.h"
#include "base/field_range.h"
#include "base/json.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAST_TIME_MS 253402300799999LL

/* Our own text: its types are checked, nothing else. */
static bool trusting(const struct field_decoding *d)
{
    return d->mode == DECODE_STORED;
}

/* ---- texts ---- */

/* Store a copy of a text. The input was bounded, so only a full arena can refuse it. */
static bool store_text(const struct field_decoding *d, const struct field_place *p,
                       const char *text, size_t len)
{
    char *copy = arena_alloc(d->arena, len + 1);
    if (!copy)
        return fault_add(d->faults, &ERR_MEMORY, p->pointer, "does not fit into memory");
    memcpy(copy, text, len);
    copy[len] = '\0';
    *(const char **)p->to = copy;
    return true;
}

static bool length_fault(const struct field_decoding *d, const struct field_place *p, size_t got)
{
    const struct field *f = p->field;
    if (f->max == 0 && f->min == 0)
        return FIELD_REFUSE(d, p, "must be a string of up to %d bytes, got %zu", FIELD_TEXT_MAX,
                            got);
    if (f->max == 0)
        return FIELD_REFUSE(d, p, "must be a string of at least %.0f characters, got %zu", f->min,
                            got);
    return FIELD_REFUSE(d, p, "must be a string of %.0f to %.0f characters, got %zu", f->min,
                        f->max, got);
}

static bool decode_string(const struct field_decoding *d, const struct field_place *p,
                          const json_t *value)
{
    if (!json_is_string(value))
        return FIELD_REFUSE(d, p, "must be a string");
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (!trusting(d)) {
        const struct field *f = p->field;
        size_t chars = f->max || f->min ? utf8_count(text, len) : len;
        if ((double)chars < f->min || (f->max && (double)chars > f->max) ||
            (!f->max && len > FIELD_TEXT_MAX))
            return length_fault(d, p, chars);
        const char *wrong = f->check ? f->check(text) : NULL;
        if (wrong)
            return FIELD_REFUSE(d, p, "%s", wrong);
    }
    return store_text(d, p, text, len);
}

static bool enum_fault(const struct field_decoding *d, const struct field_place *p, const char *got)
{
    struct bytes b = BYTES_INIT(400);
    bytes_text(&b, "must be one of ");
    for (const char *const *c = p->field->choices; *c; c++)
        bytes_printf(&b, "%s'%s'", c == p->field->choices ? "" : ", ", *c);
    size_t shown = got ? utf8_cut(got, strlen(got), 64) : 0;
    if (got)
        FIELD_REFUSE(d, p, "%s, got '%.*s'", b.data, (int)shown, got);
    else
        FIELD_REFUSE(d, p, "%s", b.data);
    bytes_release(&b);
    return false;
}

static bool decode_enum(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value)
{
    const char *text = json_string_value(value); /* NULL if it is no string */
    for (const char *const *c = p->field->choices; text && *c; c++)
        if (strcmp(*c, text) == 0) {
            *(const char **)p->to = *c;
            return true;
        }
    return enum_fault(d, p, text);
}

static bool store_json(const struct field_decoding *d, const struct field_place *p,
                       const json_t *value)
{
    const struct field *f = p->field;
    bool sized = f->max && f->type != FIELD_STRINGS; /* there the maximum counts items */
    size_t max = trusting(d) ? SIZE_MAX : sized ? (size_t)f->max : FIELD_TEXT_MAX;
    struct bytes b = BYTES_INIT(max);
    json_put_value(&b, value);
    bool ok = b.full ? FIELD_REFUSE(d, p, "must have at most %zu bytes as compact JSON", max)
                     : store_text(d, p, b.data, b.len);
    bytes_release(&b);
    return ok;
}

/* Run the field's own check of the value and keep its text if that finds nothing. */
static bool check_and_store(const struct field_decoding *d, const struct field_place *p,
                            const json_t *value)
{
    if (!trusting(d) && p->field->check_json) {
        size_t before = d->faults->total;
        p->field->check_json(value, p->pointer, d->faults);
        if (d->faults->total != before)
            return false;
    }
    return store_json(d, p, value);
}

static bool decode_object(const struct field_decoding *d, const struct field_place *p,
                          const json_t *value)
{
    if (!json_is_object(value))
        return FIELD_REFUSE(d, p, "must be an object");
    return check_and_store(d, p, value);
}

static bool check_item(const struct field_decoding *d, const struct field_place *p, size_t i,
                       const json_t *item)
{
    char pointer[FIELD_POINTER_MAX], index[24];
    snprintf(index, sizeof index, "%zu", i);
    pointer_join(pointer, sizeof pointer, p->pointer, index);
    if (!json_is_string(item))
        return fault_add(d->faults, &ERR_INVALID, pointer, "must be a string");
    const char *text = json_string_value(item);
    size_t chars = utf8_count(text, json_string_length(item));
    if (chars > FIELD_ITEM_CHARS)
        return fault_add(d->faults, &ERR_INVALID, pointer,
                         "must be a string of up to %d characters, got %zu", FIELD_ITEM_CHARS,
                         chars);
    const char *wrong = p->field->check ? p->field->check(text) : NULL;
    return !wrong || fault_add(d->faults, &ERR_INVALID, pointer, "%s", wrong);
}

static bool decode_strings(const struct field_decoding *d, const struct field_place *p,
                           const json_t *value)
{
    if (!json_is_array(value))
        return FIELD_REFUSE(d, p, "must be an array of strings");
    if (trusting(d))
        return store_json(d, p, value);
    double max = p->field->max ? p->field->max : FIELD_ITEMS_MAX;
    size_t n = json_array_size(value);
    if ((double)n < p->field->min || (double)n > max)
        return FIELD_REFUSE(d, p, "must be an array of %.0f to %.0f strings, got %zu",
                            p->field->min, max, n);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= check_item(d, p, i, json_array_get(value, i));
    return ok && check_and_store(d, p, value);
}

/* ---- numbers ---- */

/* "a number from 0 to 5, got -3", "a whole number" and so on. `got` is NULL if it is no number. */
static bool range_fault(const struct field_decoding *d, const struct field_place *p,
                        const char *what, const char *got)
{
    double min = field_min(p->field), max = field_max(p->field);
    struct bytes b = BYTES_INIT(200);
    bytes_printf(&b, "must be %s", what);
    if (isfinite(min)) {
        bytes_text(&b, isfinite(max) ? " from " : " of at least ");
        json_put_number(&b, min);
    }
    if (isfinite(max)) {
        bytes_text(&b, isfinite(min) ? " to " : " of at most ");
        json_put_number(&b, max);
    }
    if (got)
        bytes_printf(&b, ", got %s", got);
    FIELD_REFUSE(d, p, "%s", b.data);
    bytes_release(&b);
    return false;
}

static bool number_fault(const struct field_decoding *d, const struct field_place *p,
                         const json_t *value)
{
    const char *what = p->field->type == FIELD_INT ? "a whole number" : "a number";
    if (!json_is_number(value))
        return range_fault(d, p, what, NULL);
    struct bytes b = BYTES_INIT(64);
    json_put_value(&b, value);
    if (json_is_real(value) && !strpbrk(b.data, ".e"))
        bytes_text(&b, ".0"); /* 3.0 is refused where a whole number is due: show what was sent */
    range_fault(d, p, what, b.data);
    bytes_release(&b);
    return false;
}

static bool decode_int(const struct field_decoding *d, const struct field_place *p,
                       const json_t *value)
{
    int64_t n = json_integer_value(value);
    bool inside = trusting(d) || ((double)n >= field_min(p->field) &&
                                  (double)n <= field_max(p->field) && n != INT64_MIN);
    if (!json_is_integer(value) || !inside)
        return number_fault(d, p, value);
    *(int64_t *)p->to = n;
    return true;
}

static bool decode_number(const struct field_decoding *d, const struct field_place *p,
                          const json_t *value)
{
    double n = json_number_value(value);
    bool inside = trusting(d) || (n >= field_min(p->field) && n <= field_max(p->field));
    if (!json_is_number(value) || !isfinite(n) || !inside)
        return number_fault(d, p, value);
    *(double *)p->to = n;
    return true;
}

static bool decode_bool(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value)
{
    if (!json_is_boolean(value))
        return FIELD_REFUSE(d, p, "must be true or false");
    *(bool *)p->to = json_is_true(value);
    return true;
}

static bool decode_time(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value)
{
    int64_t ms = json_integer_value(value);
    bool ok = json_is_integer(value) ||
              (json_is_string(value) &&
               time_parse(json_string_value(value), json_string_length(value), &ms));
    if (!ok || ms <= 0 || ms > LAST_TIME_MS)
        return FIELD_REFUSE(d, p,
                            "must be a time as of RFC 3339 or in milliseconds since 1970, after "
                            "1970-01-01T00:00:00.000Z and before the year 10000");
    *(int64_t *)p->to = ms;
    return true;
}

/* ---- one field ---- */

static bool decode_any(const struct field_decoding *d, const struct field_place *p,
                       const json_t *value)
{
    return check_and_store(d, p, value);
}

static bool decode_nested(const struct field_decoding *d, const struct field_place *p,
                          const json_t *value)
{
    if (!json_is_object(value))
        return FIELD_REFUSE(d, p, "must be an object");
    struct field_place inner = {p->field->sub, p->pointer, p->to};
    return field_table_decode(d, &inner, value, NULL);
}

struct type_row {
    bool (*decode)(const struct field_decoding *d, const struct field_place *p,
                   const json_t *value);
    size_t size; /* of the member; 0: nested */
};

static const struct type_row TYPES[] = {
    [FIELD_STRING] = {decode_string, sizeof(const char *)},
    [FIELD_ENUM] = {decode_enum, sizeof(const char *)},
    [FIELD_INT] = {decode_int, sizeof(int64_t)},
    [FIELD_NUMBER] = {decode_number, sizeof(double)},
    [FIELD_BOOL] = {decode_bool, sizeof(bool)},
    [FIELD_TIME] = {decode_time, sizeof(int64_t)},
    [FIELD_OBJECT] = {decode_object, sizeof(const char *)},
    [FIELD_STRINGS] = {decode_strings, sizeof(const char *)},
    [FIELD_ANY] = {decode_any, sizeof(const char *)},
    [FIELD_NESTED] = {decode_nested, 0},
};

static void store_null(const struct field_place *p)
{
    switch (p->field->type) {
    case FIELD_INT: *(int64_t *)p->to = INT64_MIN; break;
    case FIELD_NUMBER: *(double *)p->to = NAN; break;
    default: memset(p->to, 0, TYPES[p->field->type].size); break;
    }
}

bool field_value_decode(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value)
{
    bool null_is_value = p->field->type == FIELD_ANY && !(p->field->flags & FIELD_NULLABLE);
    if (json_is_null(value) && !null_is_value) {
        bool nullable = (p->field->flags & FIELD_NULLABLE) && p->field->type != FIELD_NESTED;
        if (!nullable && trusting(d))
            return true; /* written when the text was not set: the default stands */
        if (!nullable)
            return FIELD_REFUSE(d, p, "must not be null");
        store_null(p);
        return true;
    }
    return TYPES[p->field->type].decode(d, p, value);
}

static bool is_text(enum field_type type)
{
    return type == FIELD_STRING || type == FIELD_ENUM || type == FIELD_OBJECT ||
           type == FIELD_STRINGS || type == FIELD_ANY;
}

static bool same_value(enum field_type type, const void *a, const void *b)
{
    if (!is_text(type))
        return memcmp(a, b, TYPES[type].size) == 0;
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    return x == y || (x && y && strcmp(x, y) == 0);
}

bool field_value_repeat(const struct field_decoding *d, const struct field_place *p,
                        const json_t *value)
{
    static const char zero[sizeof(int64_t)];
    size_t size = TYPES[p->field->type].size;
    if (memcmp(p->to, zero, size) == 0)
        return field_value_decode(d, p, value);
    union {
        int64_t n;
        double d;
        const char *text;
    } given = {0};
    struct field_place aside = {p->field, p->pointer, &given};
    if (!field_value_decode(d, &aside, value))
        return false;
    if (same_value(p->field->type, &given, p->to))
        return true;
    return fault_add(d->faults, &ERR_READ_ONLY_FIELD, p->pointer, "cannot change");
}
