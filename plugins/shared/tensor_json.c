#include "tensor_json.h"

#include "datatype.h"

#include <stdlib.h>

/* ---- Writing ---- */

static bool write_bytes(struct text *out, paddock_call *c, const paddock_tensor *t, size_t i)
{
    const paddock_bytes *b = (const paddock_bytes *)t->data + i;
    return text_json_string(out, b->data, b->len) ||
           paddock_fail(c, PADDOCK_E_INPUT, "element %zu of input '%s' is no UTF-8 text", i,
                        t->name);
}

static bool write_float(struct text *out, paddock_call *c, const paddock_tensor *t, size_t i)
{
    double x = t->datatype == PADDOCK_FP64   ? ((const double *)t->data)[i]
               : t->datatype == PADDOCK_FP32 ? (double)((const float *)t->data)[i]
                                             : half_to_double(((const uint16_t *)t->data)[i]);
    if (!isfinite(x))
        return paddock_fail(c, PADDOCK_E_INPUT,
                            "element %zu of input '%s' is %s, which JSON cannot carry", i, t->name,
                            isnan(x) ? "NaN" : "infinite");
    text_printf(out, t->datatype == PADDOCK_FP64 ? "%.17g" : "%.9g", x);
    return true;
}

static bool write_element(struct text *out, paddock_call *c, const paddock_tensor *t, size_t i)
{
    const void *d = t->data;
    switch (t->datatype) {
    case PADDOCK_BOOL: text_puts(out, ((const uint8_t *)d)[i] ? "true" : "false"); return true;
    case PADDOCK_UINT8: text_printf(out, "%u", ((const uint8_t *)d)[i]); return true;
    case PADDOCK_UINT16: text_printf(out, "%u", ((const uint16_t *)d)[i]); return true;
    case PADDOCK_UINT32: text_printf(out, "%u", ((const uint32_t *)d)[i]); return true;
    case PADDOCK_UINT64:
        text_printf(out, "%llu", (unsigned long long)((const uint64_t *)d)[i]);
        return true;
    case PADDOCK_INT8: text_printf(out, "%d", ((const int8_t *)d)[i]); return true;
    case PADDOCK_INT16: text_printf(out, "%d", ((const int16_t *)d)[i]); return true;
    case PADDOCK_INT32: text_printf(out, "%d", ((const int32_t *)d)[i]); return true;
    case PADDOCK_INT64: text_printf(out, "%lld", (long long)((const int64_t *)d)[i]); return true;
    case PADDOCK_FP16:
    case PADDOCK_FP32:
    case PADDOCK_FP64: return write_float(out, c, t, i);
    case PADDOCK_BYTES: return write_bytes(out, c, t, i);
    default: return paddock_fail(c, PADDOCK_E_INPUT, "input '%s' has an unknown datatype", t->name);
    }
}

static bool write_input(struct text *out, paddock_call *c, const paddock_tensor *t)
{
    char shape[160];
    text_puts(out, "{\"name\":");
    if (!text_json_string(out, t->name, strlen(t->name)))
        return paddock_fail(c, PADDOCK_E_INPUT, "the name of an input is no UTF-8 text");
    text_printf(out, ",\"datatype\":\"%s\",\"shape\":%s,\"data\":[", datatype_name(t->datatype),
                shape_text(t->shape, t->rank, shape, sizeof shape));
    for (size_t i = 0; i < t->count; i++) {
        if (i)
            text_put(out, ",", 1);
        if (!write_element(out, c, t, i))
            return false;
    }
    text_puts(out, "]}");
    return true;
}

bool request_write(struct text *out, paddock_call *c, const paddock_request *rq)
{
    text_puts(out, "\"inputs\":[");
    for (size_t i = 0; i < rq->n_inputs; i++) {
        if (i)
            text_put(out, ",", 1);
        if (!write_input(out, c, &rq->inputs[i]))
            return false;
    }
    text_puts(out, "]");
    for (size_t i = 0; i < rq->n_outputs; i++) {
        text_puts(out, i ? ",{\"name\":" : ",\"outputs\":[{\"name\":");
        if (!text_json_string(out, rq->outputs[i], strlen(rq->outputs[i])))
            return paddock_fail(c, PADDOCK_E_INPUT, "the name of an output is no UTF-8 text");
        text_puts(out, "}");
    }
    if (rq->n_outputs)
        text_puts(out, "]");
    return !out->full ||
           paddock_fail(c, PADDOCK_E_INPUT, "the request is larger than %zu bytes", out->max);
}

/* ---- Reading ---- */

/* Python and others write these though JSON has no such numbers. */
static const char *not_json_number(const char *data, size_t len, int position)
{
    size_t at = position < 0 ? 0 : (size_t)position, from = at > 12 ? at - 12 : 0;
    char near[32];
    size_t n = from < len ? len - from : 0;
    n = n < 24 ? n : 24;
    memcpy(near, data + (n ? from : 0), n);
    near[n] = '\0';
    return strcasestr(near, "nan") ? "NaN" : strcasestr(near, "inf") ? "Infinity" : NULL;
}

json_t *answer_parse(paddock_call *c, const char *who, const char *data, size_t len)
{
    json_error_t e;
    size_t start = 0;
    while (start < len && (unsigned char)data[start] <= ' ')
        start++;
    if (start == len) {
        paddock_fail(c, PADDOCK_E_PROTOCOL, "%s answered with nothing", who);
        return NULL;
    }
    json_t *root = json_loadb(data, len, JSON_ALLOW_NUL, &e);
    if (root)
        return root;
    char excerpt[80];
    text_excerpt(data, len, excerpt, sizeof excerpt);
    const char *number = not_json_number(data, len, e.position);
    if (data[start] == '<')
        paddock_fail(c, PADDOCK_E_PROTOCOL, "%s answered with HTML or XML, not JSON: %s", who,
                     excerpt);
    else if (json_error_code(&e) == json_error_premature_end_of_input)
        paddock_fail(c, PADDOCK_E_PROTOCOL, "the answer of %s ends in the middle: %s", who,
                     excerpt);
    else if (number)
        paddock_fail(c, PADDOCK_E_PROTOCOL,
                     "%s answered with %s, which is no number of JSON, near byte %d", who, number,
                     e.position);
    else
        paddock_fail(c, PADDOCK_E_PROTOCOL, "%s answered with something that is not JSON (%s): %s",
                     who, e.text, excerpt);
    return NULL;
}

/* Nested or flat: the protocol allows both. SIZE_MAX beyond a depth that no shape has. */
static size_t leaves(const json_t *data, unsigned depth)
{
    if (!json_is_array(data))
        return 1;
    size_t n = 0, i;
    const json_t *item;
    json_array_foreach(data, i, item) {
        size_t inner = depth > PADDOCK_MAX_RANK ? SIZE_MAX : leaves(item, depth + 1);
        if (inner > ELEMENTS_MAX - n)
            return SIZE_MAX;
        n += inner;
    }
    return n;
}

struct fill {
    paddock_call *c;
    const char *who, *name;
    void *data;
    uint32_t datatype;
    size_t next;
};

static bool fill_one(struct fill *f, const json_t *v)
{
    size_t i = f->next++;
    bool stored;
    if (f->datatype == PADDOCK_BYTES)
        stored = json_is_string(v) &&
                 paddock_set_bytes(f->c, f->data, i, json_string_value(v), json_string_length(v));
    else if (f->datatype == PADDOCK_BOOL && json_is_boolean(v))
        stored = datatype_store_integer(f->data, f->datatype, i, json_is_true(v));
    else if (json_is_integer(v))
        stored = datatype_store_integer(f->data, f->datatype, i, json_integer_value(v));
    else
        stored = json_is_real(v) && datatype_store(f->data, f->datatype, i, json_real_value(v));
    if (stored)
        return true;
    char *shown = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    char excerpt[60];
    paddock_fail(
        f->c, PADDOCK_E_PROTOCOL, "%s gave output '%s' whose element %zu is %s: no %s", f->who,
        f->name, i,
        text_excerpt(shown ? shown : "", shown ? strlen(shown) : 0, excerpt, sizeof excerpt),
        datatype_name(f->datatype));
    free(shown);
    return false;
}

static bool fill_all(struct fill *f, const json_t *data)
{
    if (!json_is_array(data))
        return fill_one(f, data);
    size_t i;
    const json_t *item;
    json_array_foreach(data, i, item) {
        if (!fill_all(f, item))
            return false;
    }
    return true;
}

/* Name, datatype and shape into `t`, without data. `least` is -1 where any extent is allowed. */
static bool read_head(paddock_call *c, const char *who, const char *what, const json_t *object,
                      int64_t least, paddock_tensor *t)
{
    memset(t, 0, sizeof *t);
    t->name = json_string_value(json_object_get(object, "name"));
    if (!t->name || !*t->name)
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave an %s without a name", who, what);
    const char *type = json_string_value(json_object_get(object, "datatype"));
    t->datatype = datatype_by_name(type);
    if (t->datatype == 0) {
        char excerpt[40] = "none";
        if (type)
            text_excerpt(type, strlen(type), excerpt, sizeof excerpt);
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave %s '%s' the datatype %s, which is %s",
                            who, what, t->name, excerpt,
                            type ? "not one of the protocol's JSON" : "required");
    }
    const json_t *shape = json_object_get(object, "shape"), *extent;
    size_t i;
    if (!json_is_array(shape) || json_array_size(shape) > PADDOCK_MAX_RANK)
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave %s '%s' no shape of at most %d extents",
                            who, what, t->name, PADDOCK_MAX_RANK);
    json_array_foreach(shape, i, extent) {
        if (!json_is_integer(extent) || json_integer_value(extent) < least)
            return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave %s '%s' an impossible shape", who,
                                what, t->name);
        t->shape[t->rank++] = json_integer_value(extent);
    }
    return true;
}

static bool take_output(paddock_call *c, const char *who, const json_t *object)
{
    paddock_tensor t;
    if (!read_head(c, who, "output", object, 0, &t))
        return false;
    const json_t *data = json_object_get(object, "data");
    if (!json_is_array(data))
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave output '%s' no array 'data'", who,
                            t.name);
    char shape[160];
    shape_text(t.shape, t.rank, shape, sizeof shape);
    size_t wanted, given = leaves(data, 0);
    if (!shape_count(t.shape, t.rank, ELEMENTS_MAX, &wanted))
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave output '%s' the shape %s: too large",
                            who, t.name, shape);
    if (given != wanted)
        return paddock_fail(c, PADDOCK_E_PROTOCOL,
                            "%s gave output '%s' the shape %s, which is %zu elements, but %zu "
                            "elements",
                            who, t.name, shape, wanted, given);
    struct fill f = {c, who, t.name, NULL, t.datatype, 0};
    f.data = paddock_add_output(c, t.name, t.datatype, t.shape, t.rank);
    return f.data && fill_all(&f, data);
}

static bool has_output(const json_t *outputs, const char *name)
{
    size_t i;
    const json_t *output;
    json_array_foreach(outputs, i, output) {
        const char *is = json_string_value(json_object_get(output, "name"));
        if (is && strcmp(is, name) == 0)
            return true;
    }
    return false;
}

bool answer_take(paddock_call *c, const char *who, const json_t *root, const paddock_request *rq)
{
    const json_t *outputs = json_object_get(root, "outputs");
    const char *error = json_string_value(json_object_get(root, "error"));
    char excerpt[200];
    if (error)
        return paddock_fail(c, PADDOCK_E_MODEL, "%s answered with the error: %s", who,
                            text_excerpt(error, strlen(error), excerpt, sizeof excerpt));
    if (!json_is_array(outputs) || json_array_size(outputs) == 0 ||
        json_array_size(outputs) > TENSORS_MAX)
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s answered without 'outputs' (1 to %d)", who,
                            TENSORS_MAX);
    for (size_t i = 0; i < rq->n_outputs; i++)
        if (!has_output(outputs, rq->outputs[i]))
            return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s left out the output '%s'", who,
                                rq->outputs[i]);
    size_t i;
    const json_t *output;
    json_array_foreach(outputs, i, output) {
        if (!take_output(c, who, output))
            return false;
    }
    return true;
}

/* ---- Metadata ---- */

static paddock_tensor *read_heads(paddock_call *c, const char *who, const char *what,
                                  const json_t *array, size_t *n)
{
    *n = json_array_size(array);
    if (*n > TENSORS_MAX) {
        paddock_fail(c, PADDOCK_E_PROTOCOL, "%s lists more than %d of its %ss", who, TENSORS_MAX,
                     what);
        return NULL;
    }
    paddock_tensor *tensors = calloc(*n + 1, sizeof *tensors);
    for (size_t i = 0; tensors && i < *n; i++) {
        if (!read_head(c, who, what, json_array_get(array, i), -1, &tensors[i])) {
            free(tensors);
            return NULL;
        }
    }
    if (!tensors)
        paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
    return tensors;
}

static const char *text_of(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text ? text : "";
}

bool metadata_read(struct metadata *m, paddock_call *c, const char *who, json_t *root,
                   const char *version)
{
    metadata_release(m);
    m->root = root;
    if (!json_is_object(root)) {
        metadata_release(m);
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s gave metadata that is no object", who);
    }
    const json_t *versions = json_object_get(root, "versions");
    const char *last = json_string_value(json_array_get(versions, json_array_size(versions) - 1));
    m->said.name = text_of(root, "name");
    m->said.platform = text_of(root, "platform");
    m->said.version = version ? version : last ? last : text_of(root, "version");
    m->said.inputs =
        read_heads(c, who, "input", json_object_get(root, "inputs"), &m->said.n_inputs);
    if (m->said.inputs)
        m->said.outputs =
            read_heads(c, who, "output", json_object_get(root, "outputs"), &m->said.n_outputs);
    if (!m->said.outputs)
        metadata_release(m);
    return m->said.outputs != NULL;
}

void metadata_release(struct metadata *m)
{
    free((void *)m->said.inputs);
    free((void *)m->said.outputs);
    json_decref(m->root);
    memset(m, 0, sizeof *m);
}
