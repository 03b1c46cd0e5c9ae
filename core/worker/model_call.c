/* What a runtime does with a call: outputs and failures. */
#include "worker/host_parts.h"
#include "worker/model.h"
#include "worker/run.h"
#include "worker/tensor.h"

#include <stdio.h>
#include <string.h>

static struct call *in(paddock_call *c)
{
    return (struct call *)c;
}

void host_fail(paddock_call *c, uint32_t error, const char *format, va_list args)
{
    struct call *call = in(c);
    if (call->failed)
        return; /* the first reason is the best */
    call->failed = true;
    call->error = error != PADDOCK_OK && error <= PADDOCK_E_INTERNAL ? error : PADDOCK_E_INTERNAL;
    vsnprintf(call->slot->message, sizeof call->slot->message, format, args);
}

/* Zeroed memory of the answer; NULL if that would be too much. */
static void *output_memory(struct slot *slot, size_t size)
{
    if (size > MODEL_OUTPUT_MAX - slot->used)
        return NULL;
    void *memory = arena_alloc(slot->memory, size ? size : 1);
    if (!memory)
        return NULL;
    slot->used += size;
    memset(memory, 0, size);
    return memory;
}

static void *refuse(struct call *call, const char *name, const char *what)
{
    model_call_fail(call, PADDOCK_E_PROTOCOL, "the output '%.100s' %s", name, what);
    return NULL;
}

void *host_add_output(paddock_call *c, const char *name, uint32_t datatype, const int64_t *shape,
                      uint32_t rank)
{
    struct call *call = in(c);
    struct slot *slot = call->slot;
    size_t count, size, element = tensor_element_size(datatype);
    if (!name)
        return refuse(call, "", "has no name");
    if (slot->answer.n_outputs == MODEL_OUTPUTS)
        return refuse(call, name, "is one too many");
    if (!element)
        return refuse(call, name, "has an unknown datatype");
    if (!tensor_count(shape, rank, &count) || __builtin_mul_overflow(count, element, &size))
        return refuse(call, name, "has an impossible shape");
    size_t len = strlen(name);
    char *copy = output_memory(slot, len + 1);
    void *data = copy ? output_memory(slot, size) : NULL;
    if (!data)
        return refuse(call, name, "is too large");
    memcpy(copy, name, len + 1);
    paddock_tensor *out = &slot->outputs[slot->answer.n_outputs++];
    *out = (paddock_tensor){
        .name = copy, .datatype = datatype, .rank = rank, .data = data, .count = count};
    if (rank)
        memcpy(out->shape, shape, rank * sizeof *shape);
    return data;
}

bool host_set_bytes(paddock_call *c, void *output, size_t index, const char *data, size_t len)
{
    struct slot *slot = in(c)->slot;
    for (uint32_t i = 0; i < slot->answer.n_outputs; i++) {
        const paddock_tensor *t = &slot->outputs[i];
        if (t->data != output)
            continue;
        char *copy =
            t->datatype == PADDOCK_BYTES && index < t->count ? output_memory(slot, len + 1) : NULL;
        if (!copy)
            return refuse(in(c), t->name, "takes no such element") != NULL;
        memcpy(copy, data, len);
        ((paddock_bytes *)output)[index] = (paddock_bytes){.data = copy, .len = len};
        return true;
    }
    return refuse(in(c), "", "does not exist") != NULL;
}
