#include "worker/model.h"

#include "base/mem.h"
#include "extend/plugin_fields.h"
#include "worker/host_parts.h"
#include "worker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_slot(void *arg)
{
    struct slot *slot = arg;
    arena_free(slot->memory);
    for (size_t i = 0; i < slot->n_rows; i++)
        free(slot->row_data[i]);
    free(slot->row_data);
    free(slot->rows);
    free(slot);
}

struct slot *model_slot(struct model *m)
{
    struct slot *slot = pthread_getspecific(m->slots);
    if (slot)
        return slot;
    slot = mem_zero(1, sizeof *slot);
    slot->memory = arena_new(2ull * MODEL_OUTPUT_MAX);
    slot->answer.outputs = slot->outputs;
    slot->answer.message = slot->message;
    if (pthread_setspecific(m->slots, slot) != 0) {
        free_slot(slot);
        return NULL;
    }
    return slot;
}

void model_call_start(struct call *c, struct slot *slot, uint64_t timeout_ms)
{
    uint64_t now = run_now_ns(),
             own = timeout_ms > UINT64_MAX / 2000000 ? UINT64_MAX : now + timeout_ms * 1000000;
    *c = (struct call){.slot = slot};
    c->pub.host = &HOST;
    c->pub.scratch = RUN.test.scratch;
    c->pub.deadline_ns = timeout_ms && own < RUN.deadline_ns ? own : RUN.deadline_ns;
    slot->message[0] = '\0';
}

void model_call_fail(struct call *c, uint32_t error, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    host_fail(&c->pub, error, fmt, args);
    va_end(args);
}

/* The description without its kind, checked by the runtime's own fields. */
static bool check_config(const struct model_source *source, const paddock_plugin *plugin,
                         struct model *out, struct err *e)
{
    json_t *config = json_copy((json_t *)(uintptr_t)source->runtime);
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    json_object_del(config, "kind");
    out->config = plugin_fields_check(plugin->config, config, "", CONFIG_FROM_SERVER, f);
    if (!out->config)
        fail(e, &ERR_INVALID, "the runtime of %s: %s %s", source->model_id,
             f->listed ? f->list[0].pointer : "", f->listed ? f->list[0].detail : "is wrong");
    json_decref(config);
    arena_free(a);
    return out->config != NULL;
}

static bool open_runtime(const struct model_source *source, const paddock_plugin *plugin,
                         struct model *out, struct err *e)
{
    struct slot *slot = model_slot(out);
    struct call call;
    if (!slot)
        return fail(e, &ERR_MEMORY, "no memory");
    model_call_start(&call, slot, WORKER_LOAD_MS);
    out->self = out->ops->open(&call.pub, (const paddock_value *)out->config);
    if (out->self)
        return true;
    return fail(e, &ERR_INVALID, "the runtime '%s' of %s: %s", plugin->id, source->model_id,
                *slot->message ? slot->message : "open() failed without a reason");
}

bool model_open(const struct model_source *source, const char *scratch, struct model *out,
                struct err *e)
{
    struct loaded loaded;
    *out = (struct model){
        .pub = {.host = &HOST,
                .model_id = source->model_id,
                .name = source->name,
                .version = source->version,
                .status = source->status,
                .runtime = ""},
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .metadata_lock = PTHREAD_MUTEX_INITIALIZER,
    };
    RUN.test.scratch = scratch;
    if (pthread_key_create(&out->slots, free_slot) != 0)
        return fail(e, &ERR_MEMORY, "no key for a model");
    if (!source->runtime)
        return true;
    if (!load_plugin(source->fd, source->runtime_file, NULL, &loaded, e))
        return false;
    if (loaded.plugin->kind != PADDOCK_KIND_RUNTIME)
        return fail(e, &ERR_INVALID, "%s is no runtime", source->runtime_file);
    out->ops = loaded.plugin->ops;
    out->pub.runtime = loaded.plugin->id;
    return check_config(source, loaded.plugin, out, e) &&
           open_runtime(source, loaded.plugin, out, e);
}

void model_close(struct model *m)
{
    if (m->self)
        m->ops->close(m->self);
    m->self = NULL;
}
