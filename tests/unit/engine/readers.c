/* Readers of views while commands change, fail and delete: for ThreadSanitizer and
 * AddressSanitizer, and for the promise that a view is one moment. */
#include "engine/engine.h"

#include "support/calls.h"
#include "support/store_double.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define READERS 3
#define WRITERS 2
#define ROUNDS  150
#define NAMES   10

struct watch {
    struct engine *engine;
    atomic_bool over;
    atomic_uint views, broken;
};

struct count {
    size_t models, names;
    int64_t versions;
};

static bool count_model(const struct entity *e, void *ctx)
{
    struct count *c = ctx;
    /* Touch what a reader would. */
    c->models += strlen(e->json) == e->json_len && strlen(model_of(e)->version) > 0;
    return true;
}

static bool count_name(const struct entity *e, void *ctx)
{
    struct count *c = ctx;
    c->names++;
    c->versions += registered_model_of(e)->versions;
    return true;
}

/* In each view the registered models say how many models there are. */
static void *watch(void *arg)
{
    struct watch *w = arg;
    struct view_reader *r = engine_join(w->engine);
    uint64_t last = 0;
    while (!atomic_load(&w->over)) {
        struct count c = {0};
        const struct view *v = view_enter(r);
        view_each(v, ENTITY_MODEL, count_model, &c);
        view_each(v, ENTITY_REGISTERED_MODEL, count_name, &c);
        bool whole = c.models == (size_t)c.versions && c.models == view_count(v, ENTITY_MODEL) &&
                     view_seq(v) >= last;
        last = view_seq(v);
        view_leave(r);
        atomic_fetch_add(&w->broken, !whole);
        atomic_fetch_add(&w->views, 1);
    }
    engine_part(r);
    return NULL;
}

struct writer {
    struct calls calls;
    struct store_double *store;
    int number;
    unsigned done;
};

/* Registers, changes and deletes; now and then the store fails. */
static void *write_models(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char id[32], body[128];
        struct call *calls[3];
        snprintf(id, sizeof id, "n%d:%d-%d", i % NAMES, w->number, i);
        snprintf(body, sizeof body,
                 "{\"name\":\"n%d\",\"version\":\"%d-%d\",\"type\":\"classifier\"}", i % NAMES,
                 w->number, i);
        store_double_fail(w->store, i % 10 == 9);
        calls[0] = call_new(&w->calls, model_register, NULL, body);
        calls[1] = call_new(&w->calls, model_patch, id, "{\"description\":\"changed\"}");
        calls[2] = call_new(&w->calls, i % 3 ? model_delete : model_patch, id, i % 3 ? NULL : "{}");
        for (int k = 0; k < 3; k++)
            call_send(calls[k]);
        calls_wait(&w->calls);
        for (int k = 0; k < 3; k++) {
            w->done += calls[k]->c.ok;
            call_free(calls[k]);
        }
    }
    return NULL;
}

static void every_view_is_one_moment(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *memory = store_memory_open(&CLOCK_SYSTEM);
    struct store_double store;
    store_double_init(&store, memory);
    struct engine_config config = {
        .store = &store.store, .clock = &CLOCK_SYSTEM, .rules = &TEST_RULES};
    struct watch w = {.engine = engine_start(&config, &e)};
    assert_non_null(w.engine);
    pthread_t readers[READERS], writers[WRITERS];
    struct writer writer[WRITERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, watch, &w), 0);
    for (int i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){.store = &store, .number = i};
        calls_init(&writer[i].calls, w.engine);
        assert_int_equal(pthread_create(&writers[i], NULL, write_models, &writer[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
        assert_true(writer[i].done > ROUNDS);
        calls_release(&writer[i].calls);
    }
    atomic_store(&w.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_true(atomic_load(&w.views) > 0);
    assert_int_equal(atomic_load(&w.broken), 0);
    engine_stop(w.engine);

    struct verify_report report;
    assert_true(store_verify(memory, NULL, NULL, &report, &e));
    assert_int_equal(report.faults, 0);
    store_double_release(&store);
    memory->ops->close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_view_is_one_moment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
