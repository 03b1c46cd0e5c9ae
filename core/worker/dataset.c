#include "worker/dataset.h"

#include "base/hash.h"
#include "worker/tensor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Text of 1 GiB as numbers, with its names. */
#define ARENA_MAX (8ull << 30)

void *dataset_memory(struct dataset *d, size_t n, uint32_t datatype)
{
    size_t size;
    if (__builtin_mul_overflow(n, tensor_element_size(datatype), &size))
        return NULL;
    void *memory = arena_alloc(d->arena, size ? size : 1);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

paddock_tensor *dataset_columns(struct dataset *d, size_t n)
{
    paddock_tensor *columns = arena_alloc(d->arena, (n + 1) * sizeof *columns);
    if (!columns)
        return NULL;
    memset(columns, 0, (n + 1) * sizeof *columns);
    d->pub.columns = columns;
    d->pub.n_columns = n;
    return columns;
}

/* The column with the answers leaves the features. */
static bool split_label(const char *label, struct dataset *d, struct err *e)
{
    paddock_tensor *columns = (paddock_tensor *)(uintptr_t)d->pub.columns;
    for (size_t i = 0; i < d->pub.n_columns; i++) {
        if (strcmp(columns[i].name, label) != 0)
            continue;
        paddock_tensor found = columns[i];
        memmove(&columns[i], &columns[i + 1], (d->pub.n_columns - i - 1) * sizeof *columns);
        columns[--d->pub.n_columns] = found;
        d->pub.label = &columns[d->pub.n_columns];
        return true;
    }
    return fail(e, &ERR_INVALID, "there is no column '%s'", label);
}

static const char *format_of(const struct dataset_source *source)
{
    if (source->format)
        return source->format;
    const char *dot = strrchr(source->path, '.');
    return dot ? dot + 1 : "";
}

static bool parse(const struct dataset_source *source, const char *data, size_t len,
                  struct dataset *out, struct err *e)
{
    const char *format = format_of(source);
    if (strcmp(format, "npy") == 0)
        return npy_parse(data, len, source->label, out, e);
    if (strcmp(format, "csv") == 0) {
        if (!csv_parse(data, len, out, e))
            return false;
    } else if (strcmp(format, "jsonl") == 0 || strcmp(format, "ndjson") == 0) {
        if (!jsonl_parse(data, len, out, e))
            return false;
    } else {
        return fail(e, &ERR_INVALID, "the format '%.20s' is not csv, jsonl or npy", format);
    }
    return !source->label || split_label(source->label, out, e);
}

static bool load(const struct dataset_source *source, struct dataset *out, struct err *e)
{
    struct stat st;
    if (fstat(source->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(e, &ERR_INVALID, "it is no regular file");
    if (st.st_size > DATASET_BYTES)
        return fail(e, &ERR_INVALID, "it is larger than %u bytes", DATASET_BYTES);
    size_t len = (size_t)st.st_size;
    const char *data = "";
    if (len) {
        data = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, source->fd, 0);
        if (data == MAP_FAILED)
            return fail_errno(e, &ERR_INVALID, "it cannot be read");
    }
    char digest[SHA256_HEX_SIZE];
    sha256_hex(data, len, digest);
    bool ok = !source->sha256 || strcmp(source->sha256, digest) == 0;
    if (!ok)
        fail(e, &ERR_INVALID, "it has changed: its SHA-256 is %s", digest);
    out->pub.sha256 = arena_text(out->arena, digest);
    ok = ok && parse(source, data, len, out, e);
    if (len)
        munmap((void *)(uintptr_t)data, len);
    return ok;
}

bool dataset_load(const struct dataset_source *source, struct dataset *out, struct err *e)
{
    struct err why;
    *out = (struct dataset){.arena = arena_new(ARENA_MAX)};
    out->pub.name = source->name;
    if (load(source, out, &why))
        return true;
    return fail(e, &ERR_INVALID, "dataset '%s': %s", source->name, why.detail);
}
