#include "support/house.h"

#include "support/worker.h"

#include "base/mem.h"
#include "registry/documents.h"
#include "validation/run_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t wall_ms(void *self)
{
    return clock_wall_ms(&CLOCK_SYSTEM) + atomic_load(&((struct house *)self)->ahead_ms);
}

static int64_t mono_ns(void *self)
{
    (void)self;
    return clock_mono_ns(&CLOCK_SYSTEM); /* workers' deadlines are of this one */
}

int64_t house_now(const struct house *h)
{
    return clock_wall_ms(&h->clock);
}

void house_set_clock(struct house *h, int64_t ms)
{
    atomic_fetch_add(&h->ahead_ms, ms - house_now(h));
}

/* --- building --- */

/* The catalog wants files that only their owner may change. */
static void copy_plugin(const char *dir, const char *name)
{
    char from[4096], to[TEMP_DIR_SIZE + 64], piece[65536];
    size_t len;
    FILE *in = fopen(test_plugin(name, from, sizeof from), "re");
    assert_non_null(in);
    snprintf(to, sizeof to, "%s/%s.so", dir, name);
    FILE *out = fopen(to, "we");
    assert_non_null(out);
    while ((len = fread(piece, 1, sizeof piece, in)) > 0)
        assert_int_equal(fwrite(piece, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0644), 0);
}

static void open_catalog(struct house *h, const char *const *plugins)
{
    struct err e = {0};
    temp_dir_make(h->data);
    temp_dir_make(h->plugins);
    for (; *plugins; plugins++)
        copy_plugin(h->plugins, *plugins);
    h->dirs[0] = h->plugins;
    h->worker = (struct worker_settings){.program = test_worker_program()};
    h->catalog = catalog_open(
        &(struct catalog_config){
            .data_dir = h->data, .dirs = h->dirs, .worker = &h->worker, .clock = &CLOCK_SYSTEM},
        &e);
    if (!h->catalog)
        fail_msg("%s", e.detail);
}

void house_open(struct house *h, const char *const *plugins, int64_t ms)
{
    struct err e = {0};
    *h = (struct house){.workers = 2, .queue_max = 100, .rules = TEST_RULES};
    h->clock = (struct clock){wall_ms, mono_ns, h};
    house_set_clock(h, ms);
    h->store = store_memory_open(&h->clock);
    open_catalog(h, plugins);
    assert_true(policies_shipped_dir(h->shipped, sizeof h->shipped));
    h->policy_dirs[0] = h->shipped;
    h->policies = policies_open(h->policy_dirs, &CLOCK_SYSTEM, &e);
    if (!h->policies)
        fail_msg("%s", e.detail);
    house_start(h);
}

void house_start(struct house *h)
{
    static const char *const NONE[] = {NULL};
    struct err e = {0};
    const struct validation_config config = {
        .store = h->store,
        .clock = &h->clock,
        .catalog = h->catalog,
        .policies = h->policies,
        .worker = &h->worker,
        .dataset_dirs = NONE,
        .exec_dirs = NONE,
        .model_dirs = NONE,
        .severity_policy = "default",
        .workers = h->workers,
        .queue_max = h->queue_max,
        .keep_runs_ms = h->keep_runs_ms,
    };
    h->validation = validation_open(&config, &e);
    assert_non_null(h->validation);
    h->rules.test_types = validation_test_types(h->validation);
    h->engine = engine_start(&(struct engine_config){.store = h->store,
                                                     .clock = &h->clock,
                                                     .rules = &h->rules,
                                                     .gate = validation_gate(h->validation)},
                             &e);
    if (!h->engine)
        fail_msg("%s", e.detail);
    calls_init(&h->calls, h->engine);
    if (!validation_start(h->validation, h->engine, &e))
        fail_msg("%s", e.detail);
}

void house_stop(struct house *h)
{
    validation_stop(h->validation);
    calls_release(&h->calls);
    engine_stop(h->engine);
    validation_close(h->validation);
}

void house_close(struct house *h)
{
    house_stop(h);
    catalog_close(h->catalog);
    policies_close(h->policies);
    h->store->ops->close(h->store);
    temp_dir_remove(h->data);
    temp_dir_remove(h->plugins);
}

int house_set_up(void **state, const char *const *plugins, int64_t wall_ms)
{
    struct house *h = mem_zero(1, sizeof *h);
    house_open(h, plugins, wall_ms);
    *state = h;
    return 0;
}

int house_tear_down(void **state)
{
    house_close(*state);
    free(*state);
    return 0;
}

/* --- commands --- */

static struct call *call_of(struct house *h, decide_fn *decide, const struct document_type *type,
                            const char *id, const char *body)
{
    struct call *call = call_new(&h->calls, decide, id, body);
    if (type)
        call->c.args = (void *)(uintptr_t)type;
    return call;
}

void house_do(struct house *h, decide_fn *decide, const struct document_type *type, const char *id,
              const char *body)
{
    struct call *call = call_of(h, decide, type, id, body);
    if (!call_wait(call))
        fail_msg("%s %s: %s %s", id ? id : "", body ? body : "", call->c.err.detail,
                 call->c.err.members ? call->c.err.members : "");
    call_free(call);
}

const char *house_refused(struct house *h, decide_fn *decide, const char *id, const char *body,
                          const struct err_kind *kind, struct arena *a)
{
    struct call *call = call_of(h, decide, NULL, id, body);
    assert_false(call_wait(call));
    if (call->c.err.kind != kind)
        fail_msg("%s: %s", id, call->c.err.detail);
    const char *members = call->c.err.members ? arena_text(a, call->c.err.members) : NULL;
    call_free(call);
    return members;
}

void house_model(struct house *h, const char *name, const char *status)
{
    char id[128], body[64];
    register_model(&h->calls, name, 1);
    snprintf(id, sizeof id, "%s:1", name);
    if (!status)
        return;
    house_do(h, model_transition, NULL, id, "{\"status\":\"canary\"}");
    snprintf(body, sizeof body, "{\"status\":\"%s\"}", status);
    if (strcmp(status, "canary") != 0)
        house_do(h, model_transition, NULL, id, body);
}

void house_test(struct house *h, const char *test_id, const char *name, const char *type,
                const char *more)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"test_id\":\"%s\",\"name\":\"%s\",\"model_name\":\"%s\",\"type\":\"%s\"%s%s}",
             test_id, test_id, name, type, *more ? "," : "", more);
    house_do(h, document_create, &TEST_CASE_TYPE, NULL, body);
}

/* --- runs --- */

struct queued {
    struct run_wish *wish;
    atomic_bool done;
};

static void wish_done(struct run_wish *w)
{
    atomic_store(&((struct queued *)w->owner)->done, true);
}

void house_run(struct house *h, const char *model_id, struct run_wish *w)
{
    struct queued q = {.wish = w};
    w->ns = "default";
    w->model_id = model_id;
    w->done = wish_done;
    w->owner = &q;
    validation_run(h->validation, w);
    HOUSE_AWAIT(atomic_load(&q.done));
}

static bool is_over(struct house *h, const char *run_id)
{
    struct bytes b = BYTES_INIT(RUN_TEXT_MAX);
    bool live = validation_live(h->validation, "default", run_id, &b);
    bytes_release(&b);
    return !live;
}

void house_read(struct house *h, const char *run_id, struct arena *a, struct run *out)
{
    struct err e = {0};
    HOUSE_AWAIT(is_over(h, run_id));
    if (!run_get(h->store, "default", run_id, a, out, &e))
        fail_msg("%s", e.detail);
}

void house_run_whole(struct house *h, const char *model_id, struct arena *a, struct run *out)
{
    struct run_wish w = {.trial = false};
    house_run(h, model_id, &w);
    if (!w.ok)
        fail_msg("%s", w.err.detail);
    house_read(h, w.run_id, a, out);
}
