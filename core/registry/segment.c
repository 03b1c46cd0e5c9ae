#include "registry/segment.h"

#include "base/hash.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "registry/model_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REF(member) offsetof(struct segment, member)

static void check_units(const json_t *value, const char *pointer, struct faults *f)
{
    const json_t *item;
    size_t i;
    char below[300];
    if (!json_is_array(value) || json_array_size(value) > SEGMENT_UNITS_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be a list of at most %d", SEGMENT_UNITS_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, item)
        if (!json_is_string(item) || json_string_length(item) > 1024) {
            snprintf(below, sizeof below, "%s/%zu", pointer, i);
            fault_add(f, &ERR_INVALID, below, "must be a text of at most 1024 bytes");
        }
}

const struct field SEGMENT_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("segment", identifier_fault, "Unique in the namespace."),
    DOCUMENT_DESCRIPTION(REF(description)),
    {.name = "units",
     .type = FIELD_ANY,
     .offset = REF(units),
     .max = 524288,
     .check_json = check_units,
     .doc = "Who is in it: up to 20,000 texts."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct segment *s = fields;
    (void)rules;
    s->description = "";
    s->units = "[]";
}

struct hashes {
    size_t n;
    uint64_t list[];
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t derive(const void *fields, void *out)
{
    const struct segment *s = fields;
    json_t *units = json_read(s->units, strlen(s->units), NULL);
    const json_t *unit;
    struct hashes *h = out;
    size_t n = json_array_size(units), i;
    if (h) {
        h->n = n;
        json_array_foreach(units, i, unit)
            h->list[i] = hash64(json_string_value(unit), json_string_length(unit), 0);
        qsort(h->list, n, sizeof *h->list, by_value);
    }
    json_decref(units);
    return sizeof *h + n * sizeof *h->list;
}

bool segment_has(const struct document *d, const char *unit, size_t len)
{
    const struct hashes *h = d->derived;
    uint64_t hash = hash64(unit, len, 0);
    return bsearch(&hash, h->list, h->n, sizeof hash, by_value) != NULL;
}

/* ---- decisions ---- */

static bool is(const char *text, const char *what)
{
    return strcmp(text, what) == 0;
}

/* Do the parameters name a segment? By the custom of the shipped policies: below `segment`,
 * `segments` or `protect`, or as the value of a condition whose op is `segment`. */
static bool names(const json_t *value, const char *segment, bool here)
{
    const char *op = json_string_value(json_object_get(value, "op")), *key;
    const bool condition = op && is(op, "segment");
    const json_t *item;
    json_t *member;
    size_t i;
    if (json_is_string(value))
        return here && is(json_string_value(value), segment);
    json_array_foreach((json_t *)value, i, item)
        if (names(item, segment, here))
            return true;
    json_object_foreach((json_t *)value, key, member)
        if (names(member, segment,
                  is(key, "segment") || is(key, "segments") || is(key, "protect") ||
                      (condition && is(key, "value"))))
            return true;
    return false;
}

static bool asks_for(const struct document *flag, const char *id)
{
    const char *text = flag_of(flag)->params;
    if (!strstr(text, id))
        return false;
    json_t *params = json_read(text, strlen(text), NULL);
    bool found = names(params, id, false);
    json_decref(params);
    return found;
}

static bool remove_unused(struct document_write *w, struct err *e)
{
    const char *id = w->before->entity.id, *list;
    size_t n = document_users(w, ENTITY_FLAG, asks_for, id, &list);
    if (!n)
        return true;
    fail(e, &SEGMENT_IN_USE, "%zu flags ask for the segment '%.200s'", n, id);
    if (e)
        e->members = list;
    return false;
}

const struct document_type SEGMENT_TYPE = {
    .kind = ENTITY_SEGMENT,
    .noun = "segment",
    .id_name = "segment",
    .path = "/api/models/enterprise/segments/",
    .fields = SEGMENT_FIELDS,
    .size = sizeof(struct segment),
    .not_found = &SEGMENT_NOT_FOUND,
    .exists = &SEGMENT_EXISTS,
    .created = "segment.created",
    .updated = "segment.updated",
    .deleted = "segment.deleted",
    .init = init,
    .remove = remove_unused,
    .derive = derive,
};
