/* Answers of models, as the runtimes openinference and exec read them: whatever comes, they take it
 * whole or say why not, and store nothing outside of the outputs that they were given. */
#include "../../plugins/shared/datatype.c"
#include "../../plugins/shared/tensor_json.c"
#include "../../plugins/shared/text.c"

#include <assert.h>

#define OUTPUTS_MAX 64

static struct {
    void *data[OUTPUTS_MAX];
    size_t count[OUTPUTS_MAX], n;
    uint32_t datatype[OUTPUTS_MAX], error;
} seen;

static void *add_output(paddock_call *c, const char *name, uint32_t datatype, const int64_t *shape,
                        uint32_t rank)
{
    (void)c;
    size_t count;
    assert(*name && datatype_size(datatype) && rank <= PADDOCK_MAX_RANK && seen.n < OUTPUTS_MAX);
    assert(shape_count(shape, rank, ELEMENTS_MAX, &count));
    void *data = calloc(count ? count : 1, datatype_size(datatype));
    seen.data[seen.n] = data;
    seen.datatype[seen.n] = datatype;
    seen.count[seen.n++] = count;
    return data;
}

static bool set_bytes(paddock_call *c, void *output, size_t index, const char *data, size_t len)
{
    (void)c;
    assert(seen.n && seen.data[seen.n - 1] == output);
    assert(seen.datatype[seen.n - 1] == PADDOCK_BYTES && index < seen.count[seen.n - 1]);
    return len == 0 || data[len - 1] == data[len - 1];
}

__attribute__((format(printf, 3, 0))) static void say_fail(paddock_call *c, uint32_t error,
                                                           const char *format, va_list args)
{
    (void)c;
    char text[1000];
    assert(vsnprintf(text, sizeof text, format, args) > 0);
    seen.error = error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const paddock_host host = {
        .add_output = add_output, .set_bytes = set_bytes, .fail_call = say_fail};
    paddock_call call = {.host = &host};
    static const char *const WANTED[] = {"y"};
    /* The first byte chooses what is asked for. */
    bool metadata = size && data[0] == 'm', chosen = size && data[0] == 'y';
    const char *text = size ? (const char *)data + 1 : "";
    memset(&seen, 0, sizeof seen);
    json_t *root = answer_parse(&call, "it", text, size ? size - 1 : 0);
    bool good = root != NULL;
    if (good && metadata) {
        struct metadata m = {0};
        good = metadata_read(&m, &call, "it", root, NULL); /* takes it over */
        metadata_release(&m);
    } else if (good) {
        paddock_request rq = {.outputs = WANTED, .n_outputs = chosen};
        good = answer_take(&call, "it", root, &rq);
        json_decref(root);
    }
    assert(good == (seen.error == PADDOCK_OK));
    for (size_t i = 0; i < seen.n; i++)
        free(seen.data[i]);
    return 0;
}
