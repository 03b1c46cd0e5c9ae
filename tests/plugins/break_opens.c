/* Does not open, and does not say why. */
#include <paddock/plugin.h>

static void *begin(paddock_call *c, const paddock_value *config)
{
    (void)c, (void)config;
    return NULL;
}

static void end(void *self)
{
    (void)self;
}

static bool infer(void *self, paddock_call *c, const paddock_request *rq)
{
    (void)self;
    if (rq->n_inputs != 1 || rq->inputs->rank != 1 || rq->inputs->datatype != PADDOCK_FP64)
        return paddock_fail(c, PADDOCK_E_INPUT, "one row of numbers is wanted");
    return paddock_add_output(c, "output", PADDOCK_FP64, rq->inputs->shape, 1) != NULL;
}

static const paddock_runtime_ops OPS = {.open = begin, .close = end, .infer = infer};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "org.example.broken",
               .version = "1.0.0", .summary = "breaks a rule", .config = NULL, .ops = &OPS);
