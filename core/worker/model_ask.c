/* What a test asks of a model. */
#include "worker/host_parts.h"
#include "worker/model.h"
#include "worker/run.h"
#include "worker/tensor.h"

#include <stdio.h>
#include <string.h>

static struct model *in(paddock_model *m)
{
    return (struct model *)m;
}

/* The runtime may be called, and this thread is the one that does. */
static bool enter(struct model *m, struct call *call)
{
    if (!m->self) {
        model_call_fail(call, PADDOCK_E_CONFIG, "%s has no runtime", m->pub.model_id);
        return false;
    }
    if (!m->ops->parallel)
        pthread_mutex_lock(&m->lock);
    return true;
}

static void leave(struct model *m)
{
    if (!m->ops->parallel)
        pthread_mutex_unlock(&m->lock);
}

/* The last word on a call that the runtime says has failed. */
static uint32_t outcome(struct call *call, bool ok)
{
    if (!ok && !call->failed)
        model_call_fail(call, PADDOCK_E_INTERNAL, "the runtime failed without a reason");
    return call->failed ? call->error : PADDOCK_OK;
}

uint32_t host_ready(paddock_model *pub, uint64_t timeout_ms)
{
    struct model *m = in(pub);
    struct slot *slot = model_slot(m);
    struct call call;
    if (!slot)
        return PADDOCK_E_INTERNAL;
    model_call_start(&call, slot, timeout_ms);
    if (!enter(m, &call))
        return outcome(&call, false);
    bool ok = !m->ops->ready || m->ops->ready(m->self, &call.pub);
    leave(m);
    return outcome(&call, ok);
}

/* ---- metadata ---- */

static const char *keep_text(struct model *m, const char *text)
{
    return arena_text(m->kept, text && strlen(text) < 4096 ? text : "");
}

static bool keep_tensors(struct model *m, const paddock_tensor *in_list, size_t n,
                         const paddock_tensor **out)
{
    if (n > MODEL_OUTPUTS)
        return false;
    paddock_tensor *list = arena_zero(m->kept, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        if (in_list[i].rank > PADDOCK_MAX_RANK || !tensor_element_size(in_list[i].datatype))
            return false;
        list[i] = in_list[i];
        list[i].name = keep_text(m, in_list[i].name);
        list[i].data = NULL;
        list[i].count = 0;
    }
    *out = list;
    return true;
}

/* A copy of our own, since the runtime's is only good until its next call. */
static bool keep_metadata(struct model *m, const paddock_metadata *from)
{
    m->kept = arena_new(4u << 20);
    paddock_metadata *out = arena_zero(m->kept, sizeof *out);
    out->name = keep_text(m, from->name);
    out->version = keep_text(m, from->version);
    out->platform = keep_text(m, from->platform);
    out->n_inputs = from->n_inputs;
    out->n_outputs = from->n_outputs;
    if (!keep_tensors(m, from->inputs, from->n_inputs, &out->inputs) ||
        !keep_tensors(m, from->outputs, from->n_outputs, &out->outputs)) {
        arena_free(m->kept);
        m->kept = NULL;
        return false;
    }
    m->metadata = out;
    return true;
}

static void ask_metadata(struct model *m, struct call *call)
{
    if (!m->ops->metadata) {
        model_call_fail(call, PADDOCK_E_NOT_FOUND, "the runtime '%s' has no metadata",
                        m->pub.runtime);
        return;
    }
    const paddock_metadata *found = m->ops->metadata(m->self, &call->pub);
    uint32_t error = outcome(call, found != NULL);
    if (found && error == PADDOCK_OK && !keep_metadata(m, found))
        model_call_fail(call, PADDOCK_E_PROTOCOL, "the metadata describe impossible tensors");
}

const paddock_metadata *host_metadata(paddock_model *pub, uint64_t timeout_ms)
{
    struct model *m = in(pub);
    struct slot *slot = model_slot(m);
    struct call call;
    if (!slot)
        return NULL;
    model_call_start(&call, slot, timeout_ms);
    pthread_mutex_lock(&m->metadata_lock);
    if (!m->metadata && enter(m, &call)) {
        ask_metadata(m, &call);
        leave(m);
    }
    const paddock_metadata *out = m->metadata;
    pthread_mutex_unlock(&m->metadata_lock);
    return out;
}

/* ---- asking ---- */

static bool request_fits(const paddock_request *rq, struct call *call)
{
    for (size_t i = 0; i < rq->n_inputs; i++) {
        const paddock_tensor *t = &rq->inputs[i];
        size_t count;
        bool fits = t->name && tensor_element_size(t->datatype) &&
                    tensor_count(t->shape, t->rank, &count) && count == t->count &&
                    (t->data || count == 0);
        if (!fits) {
            run_fault("input %zu of a request has no name, an unknown datatype, or a shape that "
                      "is not its count",
                      i);
            model_call_fail(call, PADDOCK_E_INPUT, "input %zu of the request is malformed", i);
            return false;
        }
    }
    return true;
}

const paddock_answer *host_infer(paddock_model *pub, const paddock_request *rq)
{
    static const paddock_answer none = {.error = PADDOCK_E_INTERNAL, .message = "no memory"};
    struct model *m = in(pub);
    struct slot *slot = model_slot(m);
    struct call call;
    if (!slot)
        return &none;
    uint64_t start = run_now_ns();
    model_call_start(&call, slot, rq->timeout_ms);
    arena_reset(slot->memory);
    slot->used = 0;
    slot->answer.n_outputs = 0;
    bool ok = false;
    if (request_fits(rq, &call) && enter(m, &call)) {
        ok = m->ops->infer(m->self, &call.pub, rq);
        leave(m);
    }
    slot->answer.error = outcome(&call, ok);
    if (slot->answer.error != PADDOCK_OK)
        slot->answer.n_outputs = 0;
    slot->answer.duration_ns = run_now_ns() - start;
    return &slot->answer;
}

const char *host_model_message(paddock_model *pub)
{
    struct slot *slot = model_slot(in(pub));
    return slot ? slot->message : "no memory";
}
