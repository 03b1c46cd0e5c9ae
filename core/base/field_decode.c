#include "base/field.h"

#include "base/field_value.h"
#include "base/json.h"

#include <string.h>

static bool visible(const struct field *f, enum decode_mode mode)
{
    return mode == DECODE_STORED || !(f->flags & FIELD_HIDDEN);
}

/* Find a field by name. Objects mostly come in the table's order, so look on from the last one. */
static const struct field *find_field(const struct field *table, const char *name, size_t *at)
{
    for (size_t i = *at; table[i].name; i++)
        if (strcmp(table[i].name, name) == 0) {
            *at = i + 1;
            return &table[i];
        }
    for (size_t i = 0; i < *at; i++)
        if (strcmp(table[i].name, name) == 0) {
            *at = i + 1;
            return &table[i];
        }
    return NULL;
}

static bool decode_member(const struct field_decoding *d, const struct field_place *p,
                          const json_t *value)
{
    const struct field *f = p->field;
    if (d->mode != DECODE_STORED && (f->flags & FIELD_SERVER))
        return true;
    if (d->mode == DECODE_PATCH && (f->flags & FIELD_FIXED) && f->type != FIELD_NESTED)
        return field_value_repeat(d, p, value);
    return field_value_decode(d, p, value);
}

static void demand_required(const struct field_decoding *d, const struct field_place *p,
                            uint64_t given)
{
    for (size_t i = 0; p->field[i].name; i++) {
        const struct field *f = &p->field[i];
        if (!(f->flags & FIELD_REQUIRED) || (f->flags & (FIELD_SERVER | FIELD_HIDDEN)) ||
            (given & (UINT64_C(1) << i)))
            continue;
        char pointer[FIELD_POINTER_MAX];
        pointer_join(pointer, sizeof pointer, p->pointer, f->name);
        fault_add(d->faults, &ERR_INVALID, pointer, "is required");
    }
}

bool field_table_decode(const struct field_decoding *d, const struct field_place *p,
                        const json_t *object, struct field_seen *seen)
{
    size_t before = d->faults->total, at = 0;
    uint64_t given = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        char pointer[FIELD_POINTER_MAX];
        const struct field *f = find_field(p->field, name, &at);
        pointer_join(pointer, sizeof pointer, p->pointer, name);
        if (f && visible(f, d->mode)) {
            struct field_place inner = {f, pointer, (char *)p->to + f->offset};
            given |= UINT64_C(1) << (f - p->field);
            decode_member(d, &inner, value);
        } else if (d->mode != DECODE_STORED) {
            fault_add(d->faults, &ERR_UNKNOWN_FIELD, pointer, "is not a field of this object");
        }
    }
    if (d->mode == DECODE_CREATE)
        demand_required(d, p, given);
    if (seen)
        seen->given = given;
    return d->faults->total == before;
}

bool fields_decode(const struct field *table, const json_t *object, const char *pointer,
                   enum decode_mode mode, void *out, struct arena *a, struct field_seen *seen,
                   struct faults *f)
{
    struct field_decoding d = {mode, a, f};
    struct field_place p = {table, pointer, out};
    if (seen)
        seen->given = 0;
    if (!json_is_object(object))
        return FIELD_REFUSE(&d, &p, "must be an object");
    return field_table_decode(&d, &p, object, seen);
}

bool fields_decode_stored(const struct field *table, const json_t *object, const char *what,
                          void *out, struct arena *a, struct err *e)
{
    struct faults faults;
    faults_init(&faults, a);
    if (!json_is_object(object))
        return fail(e, &ERR_CORRUPT, "the stored %s is damaged: no JSON object", what);
    if (fields_decode(table, object, "", DECODE_STORED, out, a, NULL, &faults))
        return true;
    return fail(e, &ERR_CORRUPT, "the stored %s is damaged at '%.100s': %.200s", what,
                faults.list[0].pointer, faults.list[0].detail);
}

bool fields_read_stored(const struct field *table, const char *text, size_t len, const char *what,
                        void *out, struct arena *a, struct err *e)
{
    json_t *object = json_read(text, len, NULL);
    bool ok = fields_decode_stored(table, object, what, out, a, e);
    json_decref(object);
    return ok;
}
