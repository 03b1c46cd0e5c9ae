/* Says that it may be asked side by side, and may not. */
#include <paddock/plugin.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

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
    static const paddock_tensor INPUT = {
        .name = "input", .datatype = PADDOCK_FP64, .rank = 1, .shape = {-1}};
    static const paddock_metadata METADATA = {
        .name = "broken", .version = "1", .platform = "", .inputs = &INPUT, .n_inputs = 1};
    (void)self, (void)c;
    return &METADATA;
}

static bool infer(void *self, paddock_call *c, const paddock_request *rq)
{
    static atomic_int inside;
    (void)self;
    if (rq->n_inputs != 1 || rq->inputs->rank != 1 || rq->inputs->datatype != PADDOCK_FP64)
        return paddock_fail(c, PADDOCK_E_INPUT, "one row of numbers is wanted");
    if (atomic_fetch_add(&inside, 1) > 0)
        abort(); /* as shared memory without a lock would, only not always */
    usleep(2000);
    bool good = paddock_add_output(c, "output", PADDOCK_FP64, rq->inputs->shape, 1) != NULL;
    atomic_fetch_sub(&inside, 1);
    return good;
}

static const paddock_runtime_ops OPS = {
    .open = begin, .close = end, .metadata = describe, .infer = infer, .parallel = 1};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
