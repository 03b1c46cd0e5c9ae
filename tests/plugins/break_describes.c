/* Describes a tensor that there cannot be. */
#include <paddock/plugin.h>

static void *begin(paddock_call *c, const paddock_value *config)
{
    static int self;
    (void)c, (void)config;
    return &self;
}

static void end(void *self)
{
    (void)self;
}

static const paddock_metadata *describe(void *self, paddock_call *c)
{
    static const paddock_tensor INPUT = {.name = "input", .datatype = 99, .rank = 1};
    static const paddock_metadata METADATA = {
        .name = "broken", .version = "1", .platform = "", .inputs = &INPUT, .n_inputs = 1};
    (void)self, (void)c;
    return &METADATA;
}

static bool infer(void *self, paddock_call *c, const paddock_request *rq)
{
    (void)self;
    if (rq->n_inputs != 1 || rq->inputs->rank != 1 || rq->inputs->datatype != PADDOCK_FP64)
        return paddock_fail(c, PADDOCK_E_INPUT, "one row of numbers is wanted");
    return paddock_add_output(c, "output", PADDOCK_FP64, rq->inputs->shape, 1) != NULL;
}

static const paddock_runtime_ops OPS = {
    .open = begin, .close = end, .metadata = describe, .infer = infer};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
