#include "tensor_value.h"

#include "datatype.h"

#include <stdio.h>
#include <stdlib.h>

#define ELEMENTS_MAX (1u << 24)

const paddock_field EXTENT_FIELD[] = {
    {"extent", PADDOCK_FIELD_INTEGER, 0, -1, 1 << 24, NULL, NULL, NULL,
     "An extent; -1, where a description allows it: any."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

const paddock_field TENSOR_FIELDS[] = {
    {"name", PADDOCK_FIELD_TEXT, 0, 1, 256, "\"input\"", NULL, NULL, "The input's name."},
    {"datatype", PADDOCK_FIELD_TEXT, 0, 0, 0, "\"FP32\"", DATATYPE_NAMES, NULL,
     "Datatype of the Open Inference Protocol."},
    {"shape", PADDOCK_FIELD_ARRAY, 0, 0, PADDOCK_MAX_RANK, NULL, NULL, EXTENT_FIELD,
     "Extents, the first one usually the rows; left out: as `data` is nested."},
    {"data", PADDOCK_FIELD_ARRAY, PADDOCK_REQUIRED, 0, 0, NULL, NULL, NULL,
     "The elements in row-major order, nested or flat."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

const paddock_field TENSOR_FIELD[] = {
    {"tensor", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, TENSOR_FIELDS, "One input."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static size_t count_nested(const paddock_host *h, const paddock_value *v, int64_t *shape,
                           uint32_t depth, uint32_t *rank)
{
    if (paddock_type(h, v) != PADDOCK_ARRAY) {
        if (*rank == 0) /* the first leaf decides how deep all are */
            *rank = depth;
        else if (*rank != depth)
            *rank = UINT32_MAX;
        return 1;
    }
    size_t n = paddock_count(h, v), total = 0;
    if (depth == PADDOCK_MAX_RANK) {
        *rank = UINT32_MAX;
        return SIZE_MAX / 2;
    }
    if (shape[depth] < 0)
        shape[depth] = (int64_t)n;
    else if (shape[depth] != (int64_t)n)
        *rank = UINT32_MAX;
    for (size_t i = 0; i < n && total <= ELEMENTS_MAX; i++)
        total += count_nested(h, paddock_at(h, v, i), shape, depth + 1, rank);
    return total;
}

size_t value_elements(const paddock_host *h, const paddock_value *data, int64_t *shape,
                      uint32_t *rank)
{
    *rank = 0;
    for (int i = 0; i < PADDOCK_MAX_RANK; i++)
        shape[i] = -1;
    size_t n = count_nested(h, data, shape, 0, rank);
    if (n == 0 && *rank == 0) { /* no leaf: nothing but empty arrays */
        *rank = 1;
        shape[0] = 0;
    }
    return n;
}

/* Fill `data` from index `*next` on. False at the first that is no value of the datatype. */
static bool fill(const paddock_host *h, const paddock_value *v, uint32_t datatype, void *data,
                 size_t *next)
{
    uint32_t type = paddock_type(h, v);
    if (type == PADDOCK_ARRAY) {
        for (size_t i = 0; i < paddock_count(h, v); i++)
            if (!fill(h, paddock_at(h, v, i), datatype, data, next))
                return false;
        return true;
    }
    size_t i = *next;
    bool stored = false;
    if (datatype == PADDOCK_BYTES && type == PADDOCK_TEXT) {
        const char *text = paddock_as_text(h, v);
        ((paddock_bytes *)data)[i] = (paddock_bytes){text, strlen(text)};
        stored = true;
    } else if (type == PADDOCK_INTEGER || (type == PADDOCK_BOOLEAN && datatype == PADDOCK_BOOL)) {
        stored = datatype_store_integer(data, datatype, i, paddock_as_integer(h, v));
    } else if (type == PADDOCK_NUMBER) {
        stored = datatype_store(data, datatype, i, paddock_as_number(h, v));
    }
    *next += stored;
    return stored;
}

static bool read_shape(paddock_tensor *t, const paddock_host *h, const paddock_value *given)
{
    t->rank = (uint32_t)paddock_count(h, given);
    for (uint32_t i = 0; i < t->rank && i < PADDOCK_MAX_RANK; i++)
        t->shape[i] = paddock_as_integer(h, paddock_at(h, given, i));
    return t->rank <= PADDOCK_MAX_RANK;
}

static bool read_tensor(paddock_tensor *t, const paddock_host *h, const paddock_value *v,
                        struct why *why)
{
    int64_t nested[PADDOCK_MAX_RANK];
    uint32_t rank;
    const paddock_value *data = paddock_get(h, v, "data"), *shape = paddock_get(h, v, "shape");
    size_t given = value_elements(h, data, nested, &rank), wanted, next = 0;
    t->name = paddock_text(h, v, "name");
    t->datatype = datatype_by_name(paddock_text(h, v, "datatype"));
    if (shape && !read_shape(t, h, shape))
        return say_why(why, "the shape of input '%s' has more than %d extents", t->name,
                       PADDOCK_MAX_RANK);
    if (!shape && rank > PADDOCK_MAX_RANK)
        return say_why(why, "the rows of input '%s' differ in length", t->name);
    if (!shape) {
        t->rank = rank;
        memcpy(t->shape, nested, sizeof nested);
    }
    if (!shape_count(t->shape, t->rank, ELEMENTS_MAX, &wanted) || wanted != given) {
        char text[160];
        return say_why(why, "input '%s' has the shape %s but %zu elements", t->name,
                       shape_text(t->shape, t->rank, text, sizeof text), given);
    }
    t->count = given;
    t->data = calloc(given ? given : 1, datatype_size(t->datatype));
    if (!t->data || !fill(h, data, t->datatype, (void *)t->data, &next))
        return say_why(why, t->data ? "element %zu of input '%s' is no %s" : "out of memory", next,
                       t->name, datatype_name(t->datatype));
    return true;
}

bool tensors_read(struct tensors *out, const paddock_host *h, const paddock_value *array,
                  struct why *why)
{
    out->n = paddock_count(h, array);
    out->items = calloc(out->n ? out->n : 1, sizeof *out->items);
    bool done = out->items != NULL;
    if (!done)
        say_why(why, "out of memory");
    for (size_t i = 0; done && i < out->n; i++)
        done = read_tensor(&out->items[i], h, paddock_at(h, array, i), why);
    if (!done)
        tensors_free(out);
    return done;
}

bool tensors_of_zeros(struct tensors *out, const paddock_metadata *md, size_t rows, struct why *why)
{
    out->n = md->n_inputs;
    out->items = calloc(out->n ? out->n : 1, sizeof *out->items);
    bool done = out->items != NULL;
    for (size_t i = 0; done && i < out->n; i++) {
        paddock_tensor *t = &out->items[i];
        *t = md->inputs[i];
        for (uint32_t k = 0; k < t->rank; k++)
            if (t->shape[k] < 0)
                t->shape[k] = k == 0 ? (int64_t)rows : 1;
        t->data = shape_count(t->shape, t->rank, ELEMENTS_MAX, &t->count)
                      ? calloc(t->count ? t->count : 1, datatype_size(t->datatype))
                      : NULL;
        done = t->data != NULL;
    }
    if (!done) {
        say_why(why, "the inputs that the model describes are too large");
        tensors_free(out);
    }
    return done;
}

void tensors_free(struct tensors *t)
{
    for (size_t i = 0; t->items && i < t->n; i++)
        free((void *)t->items[i].data);
    free(t->items);
    *t = (struct tensors){0};
}
