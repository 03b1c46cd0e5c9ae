/* NumPy's .npy, versions 1 to 3: little-endian numbers in C order, one or more dimensions. The
 * array is one column "data", whose first extent is the rows; with a label, a two-dimensional array
 * gives one of its columns away. */
#include "worker/dataset.h"
#include "worker/tensor.h"

#include <stdlib.h>
#include <string.h>

struct npy {
    const char *data; /* elements */
    size_t len;
    uint32_t datatype, rank;
    int64_t shape[PADDOCK_MAX_RANK];
    size_t count;
};

static uint32_t datatype_of(const char *descr)
{
    static const struct {
        const char *name;
        uint32_t datatype;
    } TYPES[] = {
        {"|b1", PADDOCK_BOOL},   {"|u1", PADDOCK_UINT8},  {"<u2", PADDOCK_UINT16},
        {"<u4", PADDOCK_UINT32}, {"<u8", PADDOCK_UINT64}, {"|i1", PADDOCK_INT8},
        {"<i2", PADDOCK_INT16},  {"<i4", PADDOCK_INT32},  {"<i8", PADDOCK_INT64},
        {"<f2", PADDOCK_FP16},   {"<f4", PADDOCK_FP32},   {"<f8", PADDOCK_FP64},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strncmp(descr, TYPES[i].name, 3) == 0 && descr[3] == '\'')
            return TYPES[i].datatype;
    return 0;
}

/* What follows 'key': in the header, which is a Python literal. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return "";
    at += strlen(key);
    return at + strspn(at, ": ");
}

static bool read_shape(const char *text, struct npy *out)
{
    if (*text++ != '(')
        return false;
    for (;;) {
        text += strspn(text, ", ");
        if (*text == ')')
            return out->rank >= 1;
        char *end;
        long long extent = strtoll(text, &end, 10);
        if (end == text || extent < 0 || out->rank == PADDOCK_MAX_RANK)
            return false;
        out->shape[out->rank++] = extent;
        text = end;
    }
}

static bool read_header(const char *data, size_t len, struct npy *out, struct err *e)
{
    char header[4096];
    if (len < 12 || memcmp(data, "\x93NUMPY", 6) != 0 || data[6] < 1 || data[6] > 3)
        return fail(e, &ERR_INVALID, "it is no .npy file of version 1 to 3");
    const uint8_t *size = (const uint8_t *)data + 8;
    size_t head = (size_t)size[0] | (size_t)size[1] << 8, start = 10;
    if (data[6] > 1) {
        head |= (size_t)size[2] << 16 | (size_t)size[3] << 24;
        start = 12;
    }
    if (head >= sizeof header || start + head > len)
        return fail(e, &ERR_INVALID, "the header of the .npy file is too long");
    memcpy(header, data + start, head);
    header[head] = '\0';
    const char *descr = value_of(header, "'descr'");
    out->datatype = *descr == '\'' ? datatype_of(descr + 1) : 0;
    if (!out->datatype)
        return fail(e, &ERR_INVALID, "the type of the .npy file is not a little-endian number");
    if (strncmp(value_of(header, "'fortran_order'"), "False", 5) != 0)
        return fail(e, &ERR_INVALID, "the .npy file is not in C order");
    if (!read_shape(value_of(header, "'shape'"), out) ||
        !tensor_count(out->shape, out->rank, &out->count))
        return fail(e, &ERR_INVALID, "the shape of the .npy file is not understood");
    out->data = data + start + head;
    out->len = len - start - head;
    if (out->count > out->len / tensor_element_size(out->datatype))
        return fail(e, &ERR_INVALID, "the .npy file is shorter than its shape says");
    return true;
}

static bool no_memory(struct err *e)
{
    return fail(e, &ERR_INVALID, "no memory for the array");
}

/* Column `at` of a two-dimensional array goes to the label, the others to the data. */
static bool split(const struct npy *in, size_t at, struct dataset *d, struct err *e)
{
    size_t size = tensor_element_size(in->datatype), rows = (size_t)in->shape[0],
           width = (size_t)in->shape[1];
    paddock_tensor *columns = dataset_columns(d, 2);
    char *features = columns ? dataset_memory(d, rows * (width - 1), in->datatype) : NULL;
    char *label = features ? dataset_memory(d, rows, in->datatype) : NULL;
    if (!label)
        return no_memory(e);
    for (size_t row = 0; row < rows; row++) {
        const char *from = in->data + row * width * size;
        char *to = features + row * (width - 1) * size;
        memcpy(to, from, at * size);
        memcpy(label + row * size, from + at * size, size);
        memcpy(to + at * size, from + (at + 1) * size, (width - at - 1) * size);
    }
    columns[0] = (paddock_tensor){.name = "data",
                                  .datatype = in->datatype,
                                  .rank = 2,
                                  .shape = {in->shape[0], in->shape[1] - 1},
                                  .data = features,
                                  .count = rows * (width - 1)};
    columns[1] = (paddock_tensor){.name = "label",
                                  .datatype = in->datatype,
                                  .rank = 1,
                                  .shape = {in->shape[0]},
                                  .data = label,
                                  .count = rows};
    d->pub.n_columns = 1;
    d->pub.label = &columns[1];
    return true;
}

bool npy_parse(const char *data, size_t len, const char *label, struct dataset *d, struct err *e)
{
    struct npy in = {0};
    if (!read_header(data, len, &in, e))
        return false;
    d->pub.rows = (size_t)in.shape[0];
    if (label) {
        char *end;
        unsigned long at = strtoul(label, &end, 10);
        if (in.rank != 2 || *end || end == label || at >= (size_t)in.shape[1] || in.shape[1] < 2)
            return fail(e, &ERR_INVALID,
                        "the label '%.40s' is no column number of a two-dimensional array", label);
        return split(&in, at, d, e);
    }
    paddock_tensor *columns = dataset_columns(d, 1);
    void *copy = columns ? dataset_memory(d, in.count, in.datatype) : NULL;
    if (!copy)
        return no_memory(e);
    memcpy(copy, in.data, in.count * tensor_element_size(in.datatype));
    columns[0] = (paddock_tensor){
        .name = "data", .datatype = in.datatype, .rank = in.rank, .data = copy, .count = in.count};
    memcpy(columns[0].shape, in.shape, sizeof in.shape);
    return true;
}
