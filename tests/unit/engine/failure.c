/* What the engine does when the store fails, stops, or is somebody else's too. */
#include "unit/engine/fixture.h"

static void nobody_sees_what_is_not_committed(void **state)
{
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    char *before = view_text(f);
    struct call *first = begin_batch(f, "m:1"); /* decided, not committed */
    char *now = view_text(f);
    assert_string_equal(now, before);
    assert_int_equal(first->order, 0);
    release_batch(f, first);
    assert_int_equal(revision_of(f, "m:1"), 2);
    free(before);
    free(now);
}

static void a_failed_commit_leaves_all_as_it_was(void **state)
{
    static const char NEW[] = "{\"name\":\"new\",\"type\":\"classifier\"}";
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    char *before = view_text(f);
    store_double_fail(&f->store, true);
    struct call *calls[] = {
        patch(f, "none", "x"), /* rests on what is committed: keeps its 404 */
        patch(f, "m:1", "lost"), call_new(&f->calls, model_register, NULL, NEW),
        patch(f, "none", "x"), /* might rest on what was not */
    };
    const struct err_kind *kinds[LEN(calls)] = {&MODEL_NOT_FOUND, &ERR_IO, &ERR_IO, &ERR_IO};
    assert_batch(f, calls, kinds, LEN(calls));
    char *after = view_text(f);
    assert_string_equal(after, before);
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_false(stats.available);
    assert_int_equal(stats.unavailable_since, NOW);
    assert_int_equal(stats.failed_batches, 2);

    store_double_fail(&f->store, false);
    struct call *again = patch(f, "m:1", "kept");
    assert_true(call_wait(again));
    assert_int_equal(again->c.answer.revision, 2);
    assert_int_equal(again->c.seq, 3); /* no number was lost */
    call_free(again);
    register_model(&f->calls, "new", 1);
    engine_stats(f->engine, &stats);
    assert_true(stats.available);
    assert_sound(f);
    free(before);
    free(after);
}

static void a_store_that_comes_back_is_noticed_without_a_command(void **state)
{
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    store_double_fail(&f->store, true);
    struct call *lost = patch(f, "m:1", "lost");
    assert_false(call_wait(lost));
    call_free(lost);
    store_double_fail(&f->store, false);
    struct engine_stats stats;
    for (int i = 0; i < 400; i++) {
        engine_stats(f->engine, &stats);
        if (stats.available)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(stats.available);
}

/* Some of everything, with refusals. */
static void live_a_little(struct fixture *f)
{
    for (int i = 0; i < 300; i++) {
        char id[32], name[8], text[32];
        f->clock.wall_ms += 1000;
        snprintf(name, sizeof name, "n%d", i % 7);
        snprintf(id, sizeof id, "%s:%d", name, i % 5);
        snprintf(text, sizeof text, "text %d", i);
        struct call *call =
            i % 11 == 10 ? call_new(&f->calls, model_delete, id, NULL) : patch(f, id, text);
        if (!call_wait(call) && i % 11 != 10 && call->c.err.kind == &MODEL_NOT_FOUND)
            register_model(&f->calls, name, i % 5);
        call_free(call);
    }
}

static void after_a_restart_all_is_as_before(void **state)
{
    struct fixture *f = *state;
    live_a_little(f);
    char *before = view_text(f);
    stop(f);
    start(f, 0);
    char *after = view_text(f);
    assert_string_equal(after, before);
    live_a_little(f); /* numbers, chains and incarnations go on */
    assert_sound(f);
    free(before);
    free(after);
}

static void another_writer_makes_it_load_and_decide_again(void **state)
{
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    /* A second node on the same store changes the model, then the first one wants to. */
    struct engine *first = f->engine;
    struct engine_config config = {
        .store = f->memory, .clock = &f->clock.clock, .rules = &TEST_RULES};
    struct err e;
    struct engine *second = engine_start(&config, &e);
    assert_non_null(second);
    f->calls.engine = second;
    struct call *theirs = patch(f, "m:1", "theirs");
    assert_true(call_wait(theirs));
    register_model(&f->calls, "m", 2);
    f->calls.engine = first;
    assert_int_equal(revision_of(f, "m:1"), 1); /* not known here yet */

    struct call *conditional = patch(f, "m:1", "ours");
    conditional->c.if_match = 1;
    assert_false(call_wait(conditional));
    assert_ptr_equal(conditional->c.err.kind, &REVISION_MISMATCH);
    struct call *ours = patch(f, "m:1", "ours");
    assert_true(call_wait(ours));
    assert_int_equal(ours->c.answer.revision, 3);
    assert_int_equal(revision_of(f, "m:2"), 1);
    call_free(theirs);
    call_free(ours);
    call_free(conditional);
    engine_stop(second);
    assert_sound(f);
}

static void *let_go_soon(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    store_double_hold(arg, false);
    return NULL;
}

static void stopping_finishes_what_was_taken(void **state)
{
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    struct call *first = begin_batch(f, "m:1");
    struct call *waiting[] = {patch(f, "m:1", "a"), patch(f, "m:1", "b")};
    call_send(waiting[0]);
    call_send(waiting[1]);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, let_go_soon, &f->store), 0);
    engine_part(f->reader);
    engine_stop(f->engine);
    pthread_join(thread, NULL);
    assert_int_equal(f->calls.under_way, 0);
    assert_true(first->c.ok && waiting[0]->c.ok && waiting[1]->c.ok);
    assert_int_equal(waiting[1]->c.answer.revision, 4);
    call_free(first);
    call_free(waiting[0]);
    call_free(waiting[1]);
    calls_release(&f->calls);
    start(f, 0);
    assert_int_equal(revision_of(f, "m:1"), 4);
}

static bool refuse_start(struct fixture *f, const struct store_row *row, const char *detail)
{
    struct store *memory = store_memory_open(&f->clock.clock);
    struct store_group group = {.rows = row, .n_rows = 1};
    struct store_commit commit = {.groups = &group, .n_groups = 1};
    assert_true(wait_commit(memory, &commit));
    struct engine_config config = {.store = memory, .clock = &f->clock.clock, .rules = &TEST_RULES};
    struct err e = {0};
    struct engine *en = engine_start(&config, &e);
    bool refused = !en && e.kind == &ERR_CORRUPT && strstr(e.detail, detail);
    if (!refused)
        print_error("started, or said: %s\n", e.detail);
    if (en)
        engine_stop(en);
    memory->ops->close(memory);
    return refused;
}

static void damaged_entities_refuse_the_start(void **state)
{
    struct fixture *f = *state;
    static const char HEALTH[] = "{";
    const struct store_row unknown = {"gizmo", "default", "g", 1, 1, "{}", 2};
    const struct store_row damaged = {"model", "default", "m:1", 1, 1, HEALTH, 1};
    assert_true(refuse_start(f, &unknown, "gizmo"));
    assert_true(refuse_start(f, &damaged, "m:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_sees_what_is_not_committed),
        TEST(a_failed_commit_leaves_all_as_it_was),
        TEST(a_store_that_comes_back_is_noticed_without_a_command),
        TEST(after_a_restart_all_is_as_before),
        TEST(another_writer_makes_it_load_and_decide_again),
        TEST(stopping_finishes_what_was_taken),
        TEST(damaged_entities_refuse_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
