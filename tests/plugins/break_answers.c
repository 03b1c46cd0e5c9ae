/* Crashes at the twentieth question of an instance. */
#include <paddock/plugin.h>
#include <stdlib.h>

static void *begin(paddock_call *c, const paddock_value *config)
{
    (void)c, (void)config;
    return calloc(1, sizeof(int));
}

static const paddock_metadata *describe(void *self, paddock_call *c)
{
    static const paddock_tensor INPUT = {
        .name = "input", .datatype = PADDOCK_FP64, .rank = 1, .shape = {-1}};
    static const paddock_metadata METADATA = {
        .name = "broken", .version = "1", .platform = "", .inputs = &INPUT, .n_inputs = 1};
    (void)self, (void)c;
    return &METADATA;
}

static bool infer(void *self, paddock_call *c, const paddock_request *rq)
{
    int *count = self;
    if (rq->n_inputs != 1 || rq->inputs->rank != 1 || rq->inputs->datatype != PADDOCK_FP64)
        return paddock_fail(c, PADDOCK_E_INPUT, "one row of numbers is wanted");
    if (++*count == 20)
        abort();
    return paddock_add_output(c, "output", PADDOCK_FP64, rq->inputs->shape, 1) != NULL;
}

static const paddock_runtime_ops OPS = {
    .open = begin, .close = free, .metadata = describe, .infer = infer};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
