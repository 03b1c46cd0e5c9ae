/* A model that adds up its inputs, with as much misbehaviour as its description asks for. */
#include <paddock/plugin.h>

#include <stdlib.h>

static const paddock_field FIELDS[] = {
    {.name = "metadata", .type = PADDOCK_FIELD_BOOLEAN, .preset = "true", .doc = "says what it is"},
    {.name = "inputs",
     .type = PADDOCK_FIELD_INTEGER,
     .min = 1,
     .max = 8,
     .preset = "1",
     .doc = "n"},
    {.name = "fails", .type = PADDOCK_FIELD_BOOLEAN, .preset = "false", .doc = "fails when asked"},
    {.name = NULL},
};

struct sum {
    const paddock_host *host;
    bool metadata, fails;
    paddock_tensor inputs[8], output;
    paddock_metadata says;
};

static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static void *open_sum(paddock_call *c, const paddock_value *config)
{
    struct sum *s = calloc(1, sizeof *s);
    if (!s) {
        paddock_fail(c, PADDOCK_E_INTERNAL, "no memory");
        return NULL;
    }
    s->host = c->host;
    s->metadata = paddock_boolean(c->host, config, "metadata");
    s->fails = paddock_boolean(c->host, config, "fails");
    size_t n = (size_t)paddock_integer(c->host, config, "inputs");
    for (size_t i = 0; i < n; i++) {
        s->inputs[i].name = n == 1 ? "x" : NAMES[i];
        s->inputs[i].datatype = PADDOCK_FP32;
        s->inputs[i].rank = n == 1 ? 2 : 1;
        s->inputs[i].shape[0] = s->inputs[i].shape[1] = -1;
    }
    s->output = (paddock_tensor){.name = "sum", .datatype = PADDOCK_FP64, .rank = 1, .shape = {-1}};
    s->says = (paddock_metadata){.name = "sum",
                                 .version = "1",
                                 .platform = "test",
                                 .inputs = s->inputs,
                                 .outputs = &s->output,
                                 .n_inputs = n,
                                 .n_outputs = 1};
    return s;
}

static void close_sum(void *self)
{
    free(self);
}

static bool ready(void *self, paddock_call *c)
{
    const struct sum *s = self;
    return !s->fails || paddock_fail(c, PADDOCK_E_UNAVAILABLE, "it is told to fail");
}

static const paddock_metadata *metadata(void *self, paddock_call *c)
{
    const struct sum *s = self;
    if (!s->metadata)
        paddock_fail(c, PADDOCK_E_NOT_FOUND, "it says nothing");
    return s->metadata ? &s->says : NULL;
}

static bool infer(void *self, paddock_call *c, const paddock_request *rq)
{
    const struct sum *s = self;
    if (s->fails)
        return paddock_fail(c, PADDOCK_E_MODEL, "it is told to fail");
    int64_t rows = rq->inputs[0].shape[0];
    double *out = paddock_add_output(c, "sum", PADDOCK_FP64, &rows, 1);
    void *text = paddock_add_output(c, "text", PADDOCK_BYTES, &rows, 1);
    if (!out || !text)
        return false;
    for (size_t k = 0; k < rq->n_inputs; k++) {
        size_t width = rq->inputs[k].count / (size_t)rows;
        for (size_t i = 0; i < rq->inputs[k].count; i++)
            out[i / width] += paddock_element(c->host, &rq->inputs[k], i);
    }
    for (size_t i = 0; i < (size_t)rows; i++)
        if (!paddock_set_bytes(c, text, i, out[i] > 0 ? "positive" : "negative", 8))
            return false;
    return true;
}

static const paddock_runtime_ops OPS = {open_sum, close_sum, ready, metadata, infer, 1};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "test.sum", .version = "1.0.0",
               .summary = "adds up", .config = FIELDS, .ops = &OPS);
