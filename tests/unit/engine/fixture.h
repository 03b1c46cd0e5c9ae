/* fixture: an engine over a memory store whose commits the tests can hold, fail and overtake. */
#ifndef PADDOCK_TESTS_ENGINE_FIXTURE_H
#define PADDOCK_TESTS_ENGINE_FIXTURE_H

#include "engine/engine.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "support/calls.h"
#include "support/store_double.h"
#include "support/store_wait.h"

#include <stdlib.h>
#include <string.h>

#define MAYBE_UNUSED __attribute__((unused))

#define LEN(array) (sizeof(array) / sizeof *(array))
#define NOW        1700000000000

struct fixture {
    struct manual_clock clock;
    struct store *memory;
    struct store_double store;
    struct engine *engine;
    struct view_reader *reader;
    struct calls calls;
};

MAYBE_UNUSED static void start(struct fixture *f, size_t mailbox_limit)
{
    struct err e = {0};
    struct engine_config config = {
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .rules = &TEST_RULES,
        .mailbox_limit = mailbox_limit,
    };
    f->engine = engine_start(&config, &e);
    if (!f->engine)
        fail_msg("no engine: %s", e.detail);
    f->reader = engine_join(f->engine);
    assert_non_null(f->reader);
    calls_init(&f->calls, f->engine);
}

MAYBE_UNUSED static void stop(struct fixture *f)
{
    calls_release(&f->calls);
    engine_part(f->reader);
    engine_stop(f->engine);
}

MAYBE_UNUSED static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    manual_clock_init(&f->clock, NOW);
    f->memory = store_memory_open(&f->clock.clock);
    store_double_init(&f->store, f->memory);
    start(f, 0);
    *state = f;
    return 0;
}

MAYBE_UNUSED static int tear_down(void **state)
{
    struct fixture *f = *state;
    stop(f);
    store_double_release(&f->store);
    f->memory->ops->close(f->memory);
    free(f);
    return 0;
}

/* --- looking --- */

static bool write_entity(const struct entity *e, void *ctx)
{
    bytes_printf(ctx, "%s %s %s uid %llu: %s\n", ENTITY_TYPES[e->kind].name, e->ns, e->id,
                 (unsigned long long)e->uid, e->json);
    return true;
}

/* The whole view as text, for comparison. */
MAYBE_UNUSED static char *view_text(struct fixture *f)
{
    struct bytes b = BYTES_INIT(SIZE_MAX);
    const struct view *v = view_enter(f->reader);
    bytes_printf(&b, "seq %llu\n", (unsigned long long)view_seq(v));
    for (int kind = 0; kind < ENTITY_KIND_COUNT; kind++)
        view_each(v, (enum entity_kind)kind, write_entity, &b);
    view_leave(f->reader);
    return bytes_take(&b, NULL);
}

MAYBE_UNUSED static int64_t revision_of(struct fixture *f, const char *id)
{
    const struct model *m = view_model(view_enter(f->reader), "default", id);
    int64_t revision = m ? m->entity.revision : 0;
    view_leave(f->reader);
    return revision;
}

static void print_fault(void *ctx, const char *fault)
{
    (void)ctx;
    print_error("fault: %s\n", fault);
}

/* The stored journal is whole and fits the stored entities. */
MAYBE_UNUSED static void assert_sound(struct fixture *f)
{
    struct verify_report report;
    struct err e = {0};
    assert_true(store_verify(f->memory, print_fault, NULL, &report, &e));
    assert_int_equal(report.faults, 0);
}

MAYBE_UNUSED static struct call *patch(struct fixture *f, const char *id, const char *description)
{
    char body[128];
    snprintf(body, sizeof body, "{\"description\":\"%s\"}", description);
    return call_new(&f->calls, model_patch, id, body);
}

/* Hold a first commit back, so that what is sent until release_batch() becomes one batch. */
MAYBE_UNUSED static struct call *begin_batch(struct fixture *f, const char *id)
{
    store_double_hold(&f->store, true);
    struct call *first = patch(f, id, "first");
    call_send(first);
    store_double_await(&f->store);
    return first;
}

MAYBE_UNUSED static void release_batch(struct fixture *f, struct call *first)
{
    store_double_hold(&f->store, false);
    calls_wait(&f->calls);
    call_free(first);
}

/* Sends n commands in one batch and demands these outcomes; NULL: granted. */
MAYBE_UNUSED static void assert_batch(struct fixture *f, struct call **calls,
                                      const struct err_kind **kinds, size_t n)
{
    struct call *first = begin_batch(f, "m:1");
    for (size_t i = 0; i < n; i++)
        call_send(calls[i]);
    release_batch(f, first);
    for (size_t i = 0; i < n; i++) {
        if (calls[i]->c.ok != !kinds[i])
            fail_msg("command %zu: %s", i, calls[i]->c.ok ? "granted" : calls[i]->c.err.detail);
        if (kinds[i])
            assert_ptr_equal(calls[i]->c.err.kind, kinds[i]);
        call_free(calls[i]);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
