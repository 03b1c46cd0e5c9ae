#include "validation/result.h"

#include "base/json.h"
#include "validation/regression.h"

#include <math.h>
#include <string.h>

/* A member that is an array of objects: where it stands in its struct, and how one item is written
 * and read. */
struct list {
    const char *name;
    size_t items, len; /* offsets of the pointer and of the count */
    size_t size, max;
    void (*encode)(const void *item, bool stored, struct bytes *out);
    bool (*decode)(const json_t *object, struct arena *a, void *item, struct err *e);
};

static void encode_lists(const struct list *lists, const void *in, bool stored, struct bytes *out)
{
    for (const struct list *l = lists; l->name; l++) {
        const char *items;
        size_t len;
        memcpy(&items, (const char *)in + l->items, sizeof items);
        memcpy(&len, (const char *)in + l->len, sizeof len);
        json_key(out, l->name);
        bytes_char(out, '[');
        for (size_t i = 0; i < len && !out->full; i++) {
            if (i > 0)
                bytes_char(out, ',');
            l->encode(items + i * l->size, stored, out);
        }
        bytes_char(out, ']');
    }
}

static bool decode_list(const struct list *l, const json_t *array, struct arena *a, void *out,
                        struct err *e)
{
    const size_t len = json_array_size(array);
    if (!json_is_array(array) || len > l->max)
        return fail(e, &ERR_CORRUPT, "'%s' is no array of up to %zu items", l->name, l->max);
    char *items = len ? arena_alloc(a, len * l->size) : NULL;
    if (len && !items)
        return fail(e, &ERR_CORRUPT, "'%s' does not fit into the memory given to a run", l->name);
    for (size_t i = 0; i < len; i++)
        if (!l->decode(json_array_get(array, i), a, items + i * l->size, e))
            return false;
    memcpy((char *)out + l->items, &items, sizeof items);
    memcpy((char *)out + l->len, &len, sizeof len);
    return true;
}

static bool decode_lists(const struct list *lists, const json_t *object, struct arena *a, void *out,
                         struct err *e)
{
    for (const struct list *l = lists; l->name; l++) {
        const json_t *array = json_object_get(object, l->name);
        if (array && !decode_list(l, array, a, out, e))
            return false;
    }
    return true;
}

static void encode_dataset(const void *item, bool stored, struct bytes *out)
{
    fields_encode_object(RESULT_DATASET_FIELDS, item, stored, out);
}

static bool decode_dataset(const json_t *object, struct arena *a, void *item, struct err *e)
{
    *(struct result_dataset *)item = (struct result_dataset){"", ""};
    return fields_decode_stored(RESULT_DATASET_FIELDS, object, "run", item, a, e);
}

static void encode_check(const void *item, bool stored, struct bytes *out)
{
    fields_encode_object(CHECK_FIELDS, item, stored, out);
}

static void check_init(struct check *c)
{
    *c = (struct check){.name = "", .level = CHECK_LEVELS[0], .detail = ""};
}

static bool decode_check(const json_t *object, struct arena *a, void *item, struct err *e)
{
    check_init(item);
    return fields_decode_stored(CHECK_FIELDS, object, "run", item, a, e);
}

static void encode_measurement(const void *item, bool stored, struct bytes *out)
{
    fields_encode_object(MEASUREMENT_FIELDS, item, stored, out);
}

static bool decode_measurement(const json_t *object, struct arena *a, void *item, struct err *e)
{
    measurement_init(item);
    return fields_decode_stored(MEASUREMENT_FIELDS, object, "run", item, a, e);
}

static void encode_attempt(const void *item, bool stored, struct bytes *out)
{
    fields_encode_object(RUN_ATTEMPT_FIELDS, item, stored, out);
}

static bool decode_attempt(const json_t *object, struct arena *a, void *item, struct err *e)
{
    *(struct run_attempt *)item = (struct run_attempt){.node = ""};
    return fields_decode_stored(RUN_ATTEMPT_FIELDS, object, "run", item, a, e);
}

static void encode_regression(const void *item, bool stored, struct bytes *out)
{
    (void)stored;
    regression_encode(item, out);
}

static bool decode_regression(const json_t *object, struct arena *a, void *item, struct err *e)
{
    return regression_decode(object, a, item, e);
}

#define LIST(type, member, max_, codec)                                       \
    {                                                                         \
#member, offsetof(type, member), offsetof(type, member##_len),        \
            sizeof *((type *)0)->member, max_, encode_##codec, decode_##codec \
    }

static const struct list RESULT_LISTS[] = {
    LIST(struct test_result, datasets, RESULT_DATASETS_MAX, dataset),
    LIST(struct test_result, checks, RESULT_CHECKS_MAX, check),
    LIST(struct test_result, measurements, RESULT_MEASUREMENTS_MAX, measurement),
    {0},
};

void test_result_encode(const struct test_result *r, bool stored, struct bytes *out)
{
    bytes_char(out, '{');
    fields_encode(RESULT_FIELDS, r, stored, out);
    encode_lists(RESULT_LISTS, r, stored, out);
    bytes_char(out, '}');
}

static bool read_result(const json_t *object, struct arena *a, struct test_result *out,
                        struct err *e)
{
    test_result_init(out);
    return fields_decode_stored(RESULT_FIELDS, object, "run", out, a, e) &&
           decode_lists(RESULT_LISTS, object, a, out, e);
}

static void encode_result(const void *item, bool stored, struct bytes *out)
{
    test_result_encode(item, stored, out);
}

static bool decode_result(const json_t *object, struct arena *a, void *item, struct err *e)
{
    return read_result(object, a, item, e);
}

static const struct list RUN_LISTS[] = {
    LIST(struct run, attempts, RUN_ATTEMPTS_MAX, attempt),
    LIST(struct run, results, RUN_RESULTS_MAX, result),
    LIST(struct run, regressions, RUN_REGRESSIONS_MAX, regression),
    {0},
};

static const struct field BASELINE_FIELDS[] = {
    {.name = "run_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct run_baseline, run_id)},
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct run_baseline, model_id)},
    {0},
};

void run_encode(const struct run *r, const char *ns, struct bytes *out)
{
    const bool stored = !ns;
    bytes_char(out, '{');
    if (ns)
        json_kv_string(out, "namespace", ns);
    fields_encode(RUN_FIELDS, r, stored, out);
    json_key(out, "baseline");
    if (r->baseline.run_id)
        fields_encode_object(BASELINE_FIELDS, &r->baseline, stored, out);
    else
        bytes_text(out, "null");
    encode_lists(RUN_LISTS, r, stored, out);
    bytes_char(out, '}');
}

static bool read_run(const json_t *object, struct arena *a, struct run *out, struct err *e)
{
    run_init(out);
    const json_t *baseline = json_object_get(object, "baseline");
    return fields_decode_stored(RUN_FIELDS, object, "run", out, a, e) &&
           (!baseline || json_is_null(baseline) ||
            fields_decode_stored(BASELINE_FIELDS, baseline, "run", &out->baseline, a, e)) &&
           decode_lists(RUN_LISTS, object, a, out, e);
}

static json_t *read_text(const char *text, size_t len, struct err *e)
{
    if (len > RUN_TEXT_MAX) {
        fail(e, &ERR_CORRUPT, "a stored run has more than %zu bytes", RUN_TEXT_MAX);
        return NULL;
    }
    struct err why = {0};
    json_t *object = json_read(text, len, &why);
    if (!object)
        fail(e, &ERR_CORRUPT, "a stored run is damaged: %.300s", why.detail);
    return object;
}

bool run_decode(const char *text, size_t len, struct arena *a, struct run *out, struct err *e)
{
    json_t *object = read_text(text, len, e);
    const bool ok = object && read_run(object, a, out, e);
    json_decref(object);
    return ok;
}

bool test_result_decode(const char *text, size_t len, struct arena *a, struct test_result *out,
                        struct err *e)
{
    json_t *object = read_text(text, len, e);
    const bool ok = object && read_result(object, a, out, e);
    json_decref(object);
    return ok;
}

bool measurement_read(const json_t *object, const char *pointer, struct arena *a,
                      struct measurement *out, struct faults *f)
{
    measurement_init(out);
    if (!fields_decode(MEASUREMENT_FIELDS, object, pointer, DECODE_CREATE, out, a, NULL, f))
        return false;
    if (better_of(out->better) == BETTER_TARGET && isnan(out->target)) {
        char at[256];
        pointer_join(at, sizeof at, pointer, "target");
        return fault_add(f, &ERR_INVALID, at, "is required where better is 'target'");
    }
    return true;
}

bool check_read(const json_t *object, const char *pointer, struct arena *a, struct check *out,
                struct faults *f)
{
    check_init(out);
    return fields_decode(CHECK_FIELDS, object, pointer, DECODE_CREATE, out, a, NULL, f);
}
