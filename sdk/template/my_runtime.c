/* A runtime: makes a model callable. This one's model answers the sum of each row, times `factor`.
 */
#include <paddock/plugin.h>
#include <stdlib.h>

static const paddock_field CONFIG[] = {
    {.name = "factor",
     .type = PADDOCK_FIELD_NUMBER,
     .preset = "1",
     .doc = "what each sum is multiplied by"},
    {.name = NULL},
};

struct model {
    const paddock_value *config; /* valid until close */
};

static void *model_open(paddock_call *c, const paddock_value *config)
{
    struct model *m = malloc(sizeof *m);
    if (m)
        m->config = config;
    else
        paddock_fail(c, PADDOCK_E_INTERNAL, "no memory");
    return m;
}

static bool model_ready(void *self, paddock_call *c)
{
    (void)self, (void)c;
    return true;
}

static const paddock_metadata *model_metadata(void *self, paddock_call *c)
{
    static const paddock_tensor INPUT = {
        .name = "input", .datatype = PADDOCK_FP64, .rank = 2, .shape = {-1, -1}};
    static const paddock_tensor OUTPUT = {
        .name = "sum", .datatype = PADDOCK_FP64, .rank = 1, .shape = {-1}};
    static const paddock_metadata METADATA = {.name = "sum",
                                              .version = "1",
                                              .platform = "template",
                                              .inputs = &INPUT,
                                              .outputs = &OUTPUT,
                                              .n_inputs = 1,
                                              .n_outputs = 1};
    (void)self, (void)c;
    return &METADATA;
}

static bool model_infer(void *self, paddock_call *c, const paddock_request *rq)
{
    const struct model *m = self;
    const paddock_tensor *in = rq->inputs;
    if (rq->n_inputs != 1 || in->rank != 2 || in->datatype == PADDOCK_BYTES)
        return paddock_fail(c, PADDOCK_E_INPUT, "one table of numbers is wanted");
    double factor = paddock_number(c->host, m->config, "factor");
    size_t rows = (size_t)in->shape[0], columns = (size_t)in->shape[1];
    double *sums = paddock_add_output(c, "sum", PADDOCK_FP64, in->shape, 1);
    if (!sums)
        return false; /* the reason was given */
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            sums[i] += factor * paddock_element(c->host, in, i * columns + k);
    return true;
}

static const paddock_runtime_ops OPS = {
    .open = model_open,
    .close = free,
    .ready = model_ready,
    .metadata = model_metadata,
    .infer = model_infer,
    .parallel = 1,
};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "org.example.template",
               .version = "1.0.0", .summary = "sums of rows", .config = CONFIG, .ops = &OPS);
