#include "registry/field_diff.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_json(const char *a, const char *b)
{
    if (same_text(a, b))
        return true;
    if (!a || !b)
        return false;
    json_t *x = json_loads(a, JSON_DECODE_ANY, NULL), *y = json_loads(b, JSON_DECODE_ANY, NULL);
    bool same = x && y && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same(const struct field *f, const void *a, const void *b)
{
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_ENUM: return same_text(*(const char *const *)a, *(const char *const *)b);
    case FIELD_INT:
    case FIELD_TIME: return *(const int64_t *)a == *(const int64_t *)b;
    case FIELD_NUMBER: return same_number(*(const double *)a, *(const double *)b);
    case FIELD_BOOL: return *(const bool *)a == *(const bool *)b;
    case FIELD_OBJECT:
    case FIELD_STRINGS:
    case FIELD_ANY: return same_json(*(const char *const *)a, *(const char *const *)b);
    case FIELD_NESTED: return fields_diff(f->sub, a, b) == 0;
    }
    return false;
}

uint64_t fields_diff(const struct field *table, const void *a, const void *b)
{
    uint64_t diff = 0;
    for (size_t i = 0; table[i].name; i++) {
        size_t at = table[i].offset;
        if (!same(&table[i], (const char *)a + at, (const char *)b + at))
            diff |= UINT64_C(1) << i;
    }
    return diff;
}

uint64_t fields_flagged(const struct field *table, unsigned flags)
{
    uint64_t bits = 0;
    for (size_t i = 0; table[i].name; i++)
        if (table[i].flags & flags)
            bits |= UINT64_C(1) << i;
    return bits;
}

uint64_t field_bit(const struct field *table, const char *name)
{
    for (size_t i = 0; table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return UINT64_C(1) << i;
    return 0;
}

static size_t size_of(enum field_type type)
{
    switch (type) {
    case FIELD_INT:
    case FIELD_TIME: return sizeof(int64_t);
    case FIELD_NUMBER: return sizeof(double);
    case FIELD_BOOL: return sizeof(bool);
    default: return sizeof(const char *);
    }
}

static void copy(const struct field *f, char *to, const char *from)
{
    if (f->type == FIELD_NESTED)
        fields_copy(f->sub, UINT64_MAX, to, from);
    else
        memcpy(to, from, size_of(f->type));
}

void fields_copy(const struct field *table, uint64_t which, void *to, const void *from)
{
    for (size_t i = 0; table[i].name; i++)
        if (which >> i & 1)
            copy(&table[i], (char *)to + table[i].offset, (const char *)from + table[i].offset);
}
