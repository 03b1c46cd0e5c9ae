#include "registry/layer.h"

#include "base/bucket.h"
#include "base/ids.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "registry/model_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REF(member) offsetof(struct layer, member)
#define ID_SIZE     129

struct range {
    uint32_t from, to;
    char flag[ID_SIZE]; /* "": the holdout */
};

struct ranges {
    size_t n;
    struct range list[];
};

/* ---- fields ---- */

/* {"from","to"} with 0 <= from < to <= BUCKETS. */
static bool is_span(const json_t *value)
{
    const json_t *from = json_object_get(value, "from"), *to = json_object_get(value, "to");
    return json_is_integer(from) && json_is_integer(to) && json_integer_value(from) >= 0 &&
           json_integer_value(from) < json_integer_value(to) &&
           json_integer_value(to) <= (json_int_t)BUCKETS;
}

static void check_ranges(const json_t *value, const char *pointer, struct faults *f)
{
    const json_t *item;
    size_t i;
    char below[300];
    if (!json_is_array(value) || json_array_size(value) > LAYER_RANGES_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be a list of at most %d", LAYER_RANGES_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, item) {
        const char *flag = json_string_value(json_object_get(item, "flag"));
        snprintf(below, sizeof below, "%s/%zu", pointer, i);
        if (json_object_size(item) != 3 || !flag || !id_valid(flag) || !is_span(item))
            fault_add(f, &ERR_INVALID, below,
                      "must be {\"flag\":\"key\",\"from\":0,\"to\":50000}, from below to, of %u",
                      BUCKETS);
    }
}

static void check_holdout(const json_t *value, const char *pointer, struct faults *f)
{
    if (!json_is_null(value) && (json_object_size(value) != 2 || !is_span(value)))
        fault_add(f, &ERR_INVALID, pointer, "must be {\"from\":0,\"to\":1000} of %u, or null",
                  BUCKETS);
}

const struct field LAYER_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("layer", identifier_fault, "Unique in the namespace."),
    DOCUMENT_DESCRIPTION(REF(description)),
    {.name = "salt",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(salt),
     .max = 128,
     .check = identifier_fault,
     .doc = "Where units fall follows from it; null: from the name. Another one moves everybody."},
    {.name = "ranges",
     .type = FIELD_ANY,
     .offset = REF(ranges),
     .max = 65536,
     .check_json = check_ranges,
     .doc = "Which of 100,000 places belong to which flag; they may not overlap."},
    {.name = "holdout",
     .type = FIELD_ANY,
     .flags = FIELD_NULLABLE,
     .offset = REF(holdout),
     .max = 1024,
     .check_json = check_holdout,
     .doc = "Places that no flag may have; null: none."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct layer *l = fields;
    (void)rules;
    l->description = "";
    l->ranges = "[]";
}

/* ---- ranges ---- */

static void read_range(const json_t *item, const char *flag, struct range *out)
{
    out->from = (uint32_t)json_integer_value(json_object_get(item, "from"));
    out->to = (uint32_t)json_integer_value(json_object_get(item, "to"));
    snprintf(out->flag, sizeof out->flag, "%s", flag ? flag : "");
}

static int by_start(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static size_t derive(const void *fields, void *out)
{
    const struct layer *l = fields;
    struct ranges *r = out;
    json_t *list = json_read(l->ranges, strlen(l->ranges), NULL);
    json_t *holdout = l->holdout ? json_read(l->holdout, strlen(l->holdout), NULL) : NULL;
    const json_t *item;
    size_t n = json_array_size(list), i;
    bool held = json_is_object(holdout);
    if (r) {
        r->n = n + held;
        json_array_foreach(list, i, item)
            read_range(item, json_string_value(json_object_get(item, "flag")), &r->list[i]);
        if (held)
            read_range(holdout, NULL, &r->list[n]);
        qsort(r->list, r->n, sizeof *r->list, by_start);
    }
    json_decref(list);
    json_decref(holdout);
    return sizeof *r + (n + held) * sizeof *r->list;
}

double layer_share(const struct document *d, const char *flag)
{
    const struct ranges *r = d->derived;
    uint32_t own = 0;
    for (size_t i = 0; i < r->n; i++)
        own += strcmp(r->list[i].flag, flag) == 0 ? r->list[i].to - r->list[i].from : 0;
    return (double)own / BUCKETS;
}

enum layer_place layer_place(const struct document *d, const char *flag, const char *unit,
                             size_t len, uint32_t *bucket)
{
    const struct layer *l = d->fields;
    const struct ranges *r = d->derived;
    size_t low = 0, high = r->n;
    *bucket = bucket_of(l->salt ? l->salt : l->head.id, BUCKET_LAYER, unit, len);
    while (low < high) { /* the first that ends beyond it */
        size_t middle = low + (high - low) / 2;
        if (r->list[middle].to <= *bucket)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == r->n || r->list[low].from > *bucket)
        return LAYER_OUT;
    const char *whose = r->list[low].flag;
    return !*whose ? LAYER_HOLDOUT : strcmp(whose, flag) == 0 ? LAYER_IN : LAYER_OUT;
}

/* ---- decisions ---- */

static bool check(struct document_write *w, struct err *e)
{
    const struct layer *l = w->want;
    size_t size = derive(l, NULL);
    struct ranges *r = arena_zero(w->c->arena, size);
    (void)e;
    derive(l, r);
    for (size_t i = 1; i < r->n; i++)
        if (r->list[i].from < r->list[i - 1].to)
            fault_add(&w->faults, &ERR_INVALID, "/ranges", "%s and %s overlap at %u",
                      *r->list[i - 1].flag ? r->list[i - 1].flag : "the holdout",
                      *r->list[i].flag ? r->list[i].flag : "the holdout", r->list[i].from);
    return true;
}

static bool is_member(const struct document *d, const char *id)
{
    const char *layer = flag_of(d)->layer;
    return layer && strcmp(layer, id) == 0;
}

static bool remove_unused(struct document_write *w, struct err *e)
{
    const char *id = w->before->entity.id, *list;
    size_t n = document_users(w, ENTITY_FLAG, is_member, id, &list);
    if (!n)
        return true;
    fail(e, &LAYER_IN_USE, "%zu flags are in the layer '%.200s'", n, id);
    if (e)
        e->members = list;
    return false;
}

const struct document_type LAYER_TYPE = {
    .kind = ENTITY_LAYER,
    .noun = "layer",
    .id_name = "layer",
    .path = "/api/models/enterprise/layers/",
    .fields = LAYER_FIELDS,
    .size = sizeof(struct layer),
    .not_found = &LAYER_NOT_FOUND,
    .exists = &LAYER_EXISTS,
    .created = "layer.created",
    .updated = "layer.updated",
    .deleted = "layer.deleted",
    .init = init,
    .check = check,
    .remove = remove_unused,
    .derive = derive,
};
