/* The engine over a memory store whose commits the tests can hold, fail and overtake. */
#include "engine/engine.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "support/calls.h"
#include "support/store_double.h"
#include "support/store_wait.h"

#include <stdlib.h>
#include <string.h>

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

static void start(struct fixture *f, size_t mailbox_limit)
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

static void stop(struct fixture *f)
{
    calls_release(&f->calls);
    engine_part(f->reader);
    engine_stop(f->engine);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    manual_clock_init(&f->clock, NOW);
    f->memory = store_memory_open(&f->clock.clock);
    store_double_init(&f->store, f->memory);
    start(f, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
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
static char *view_text(struct fixture *f)
{
    struct bytes b = BYTES_INIT(SIZE_MAX);
    const struct view *v = view_enter(f->reader);
    bytes_printf(&b, "seq %llu\n", (unsigned long long)view_seq(v));
    for (int kind = 0; kind < ENTITY_KIND_COUNT; kind++)
        view_each(v, (enum entity_kind)kind, write_entity, &b);
    view_leave(f->reader);
    return bytes_take(&b, NULL);
}

static int64_t revision_of(struct fixture *f, const char *id)
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
static void assert_sound(struct fixture *f)
{
    struct verify_report report;
    struct err e = {0};
    assert_true(store_verify(f->memory, print_fault, NULL, &report, &e));
    assert_int_equal(report.faults, 0);
}

static struct call *patch(struct fixture *f, const char *id, const char *description)
{
    char body[128];
    snprintf(body, sizeof body, "{\"description\":\"%s\"}", description);
    return call_new(&f->calls, model_patch, id, body);
}

/* Hold a first commit back, so that what is sent until release_batch() becomes one batch. */
static struct call *begin_batch(struct fixture *f, const char *id)
{
    store_double_hold(&f->store, true);
    struct call *first = patch(f, id, "first");
    call_send(first);
    store_double_await(&f->store);
    return first;
}

static void release_batch(struct fixture *f, struct call *first)
{
    store_double_hold(&f->store, false);
    calls_wait(&f->calls);
    call_free(first);
}

/* --- tests --- */

static void a_command_is_committed_published_and_answered(void **state)
{
    struct fixture *f = *state;
    struct call *call = call_new(&f->calls, model_register, NULL,
                                 "{\"name\":\"m\",\"version\":\"1\",\"type\":\"classifier\"}");
    assert_true(call_wait(call));
    assert_int_equal(call->c.answer.status, 201);
    assert_int_equal(call->c.answer.revision, 1);
    assert_int_equal(call->c.seq, 2); /* the model and its registered model */
    assert_int_equal(revision_of(f, "m:1"), 1);
    call_free(call);

    struct arena *a = arena_new(1 << 20);
    struct journal_read read = {.arena = a};
    assert_true(wait_journal(f->memory, &read));
    assert_int_equal(read.n, 2);
    assert_int_equal(read.entries[0].at, NOW);
    assert_string_equal(read.entries[0].actor_id, "tester");
    arena_free(a);
    assert_sound(f);

    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.commands, 1);
    assert_int_equal(stats.batches, 1);
    assert_int_equal(stats.seq, 2);
    assert_true(stats.available);
}

static void a_refusal_costs_no_commit(void **state)
{
    struct fixture *f = *state;
    struct call *call = patch(f, "none", "x");
    assert_false(call_wait(call));
    assert_ptr_equal(call->c.err.kind, &MODEL_NOT_FOUND);
    assert_int_equal(call->c.seq, 0);
    call_free(call);
    register_model(&f->calls, "m", 1);
    assert_int_equal(store_double_commits(&f->store), 1);
    /* The same value again is no change. */
    struct call *same = call_new(&f->calls, model_patch, "m:1", "{\"description\":\"\"}");
    assert_true(call_wait(same));
    assert_int_equal(same->c.seq, 0);
    assert_int_equal(store_double_commits(&f->store), 1);
    call_free(same);
}

static void those_who_wait_share_one_commit(void **state)
{
    struct fixture *f = *state;
    struct call *calls[60];
    for (int i = 0; i < 60; i++)
        register_model(&f->calls, "m", i);
    unsigned before = store_double_commits(&f->store);
    struct call *first = begin_batch(f, "m:0");
    for (int i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof id, "m:%d", i);
        calls[i] = patch(f, id, "changed");
        call_send(calls[i]);
    }
    release_batch(f, first);
    assert_int_equal(store_double_commits(&f->store), before + 2);
    for (int i = 0; i < 60; i++) {
        assert_true(calls[i]->c.ok);
        assert_int_equal(calls[i]->order, 61 + i + 1); /* answered as they came */
        call_free(calls[i]);
    }
    struct engine_stats stats;
    engine_stats(f->engine, &stats);
    assert_int_equal(stats.batch_commands_max, 60);
    assert_sound(f);
}

/* Sends n commands in one batch and demands these outcomes; NULL: granted. */
static void assert_batch(struct fixture *f, struct call **calls, const struct err_kind **kinds,
                         size_t n)
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

static void a_refused_command_harms_no_neighbour(void **state)
{
    static const char X1[] = "{\"name\":\"x\",\"version\":\"1\",\"type\":\"classifier\"}";
    static const char X2[] = "{\"name\":\"x\",\"version\":\"2\",\"type\":\"classifier\"}";
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    struct call *calls[] = {
        call_new(&f->calls, model_register, NULL, X1),
        call_new(&f->calls, model_register, NULL, X1), /* there by now, though not on disk */
        patch(f, "none", "x"),
        call_new(&f->calls, model_register, NULL, X2),
        call_new(&f->calls, model_patch, "x:1", "{\"description\":3}"),
        call_new(&f->calls, model_patch, "x:1", "{\"description\":\"new\"}"),
        call_new(&f->calls, model_delete, "x:2", NULL),
        call_new(&f->calls, model_patch, "x:2", "{\"description\":\"late\"}"),
    };
    const struct err_kind *kinds[LEN(calls)] = {
        NULL, &MODEL_EXISTS, &MODEL_NOT_FOUND, NULL, &ERR_INVALID, NULL, NULL, &MODEL_NOT_FOUND};
    assert_batch(f, calls, kinds, LEN(calls));
    assert_int_equal(revision_of(f, "x:1"), 2);
    assert_int_equal(revision_of(f, "x:2"), 0);
    assert_sound(f);
}

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

struct heard {
    uint64_t seqs[64], view_seqs[64];
    size_t n;
};

static void hear(void *self, const struct journal_entry *entries, size_t n, const struct view *v)
{
    struct heard *h = self;
    for (size_t i = 0; i < n; i++) {
        h->view_seqs[h->n] = view_seq(v);
        h->seqs[h->n++] = entries[i].seq;
    }
}

static void listeners_hear_each_entry_once_in_order(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.n = 0};
    struct publish_listener listener = {hear, &heard};
    for (int i = 0; i < 8; i++)
        assert_true(engine_listen(f->engine, &listener));
    assert_false(engine_listen(f->engine, &listener));
    stop(f);
    start(f, 0);
    assert_true(engine_listen(f->engine, &listener));
    register_model(&f->calls, "m", 1);
    struct call *first = begin_batch(f, "m:1");
    struct call *more[] = {patch(f, "m:1", "a"), patch(f, "none", "b"), patch(f, "m:1", "c")};
    for (size_t i = 0; i < LEN(more); i++)
        call_send(more[i]);
    release_batch(f, first);
    for (size_t i = 0; i < LEN(more); i++)
        call_free(more[i]);
    assert_int_equal(heard.n, 5);
    const uint64_t views[] = {2, 2, 3, 5, 5};
    for (size_t i = 0; i < heard.n; i++) {
        assert_int_equal(heard.seqs[i], i + 1);
        assert_int_equal(heard.view_seqs[i], views[i]);
    }
}

static void a_key_is_kept_with_its_changes(void **state)
{
    struct fixture *f = *state;
    struct call *call = call_new(&f->calls, model_register, NULL,
                                 "{\"name\":\"m\",\"version\":\"1\",\"type\":\"classifier\"}");
    call->c.key = "tester default /registry k1";
    call->c.key_body_hash = 42;
    call->c.key_expires_ms = NOW + 1000;
    assert_true(call_wait(call));
    /* Also when nothing changed. */
    struct call *same = call_new(&f->calls, model_patch, "m:1", "{\"description\":\"\"}");
    same->c.key = "k2";
    same->c.key_expires_ms = NOW + 500;
    assert_true(call_wait(same));

    struct idempotency *t = idempotency_new(10, 1 << 20);
    struct arena *a = arena_new(1 << 20);
    struct kept_answer kept;
    struct err e = {0};
    assert_true(engine_restore_keys(f->memory, t, NOW + 600, &e));
    assert_int_equal(idempotency_begin(t, "k2", 0, NOW + 600, a, &kept, &e), KEY_NEW); /* expired */
    assert_int_equal(idempotency_begin(t, call->c.key, 43, NOW + 600, a, &kept, &e), KEY_FAIL);
    assert_ptr_equal(e.kind, &KEY_REUSED);
    assert_int_equal(idempotency_begin(t, call->c.key, 42, NOW + 600, a, &kept, &e), KEY_REPLAY);
    assert_int_equal(kept.status, 201);
    assert_non_null(strstr(kept.headers, "ETag: \"1\"\r\n"));
    assert_non_null(strstr(kept.headers, "Location: /"));
    assert_string_equal(kept.type, "application/json; charset=utf-8");
    assert_int_equal(kept.body_len, call->c.answer.body_len);
    assert_memory_equal(kept.body, call->c.answer.body, kept.body_len);
    arena_free(a);
    idempotency_free(t);
    call_free(call);
    call_free(same);
}

static void a_full_mailbox_refuses_and_the_caller_keeps_the_command(void **state)
{
    struct fixture *f = *state;
    register_model(&f->calls, "m", 1);
    stop(f);
    start(f, 2);
    struct call *first = begin_batch(f, "m:1");
    struct call *waiting[] = {patch(f, "m:1", "a"), patch(f, "m:1", "b")};
    call_send(waiting[0]);
    call_send(waiting[1]);
    struct call *extra = patch(f, "m:1", "c");
    struct err e = {0};
    assert_false(engine_submit(f->engine, &extra->c, &e));
    assert_ptr_equal(e.kind, &ERR_BUSY);
    call_free(extra);
    release_batch(f, first);
    assert_true(waiting[0]->c.ok && waiting[1]->c.ok);
    call_free(waiting[0]);
    call_free(waiting[1]);
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

static void at_most_256_threads_read(void **state)
{
    struct fixture *f = *state;
    struct view_reader *readers[256];
    size_t n = 0;
    while (n < LEN(readers) && (readers[n] = engine_join(f->engine)))
        n++;
    assert_int_equal(n, 255); /* one is the fixture's */
    for (size_t i = 0; i < n; i++)
        engine_part(readers[i]);
    struct view_reader *again = engine_join(f->engine);
    assert_non_null(again);
    engine_part(again);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_committed_published_and_answered),
        TEST(a_refusal_costs_no_commit),
        TEST(those_who_wait_share_one_commit),
        TEST(a_refused_command_harms_no_neighbour),
        TEST(nobody_sees_what_is_not_committed),
        TEST(a_failed_commit_leaves_all_as_it_was),
        TEST(a_store_that_comes_back_is_noticed_without_a_command),
        TEST(after_a_restart_all_is_as_before),
        TEST(another_writer_makes_it_load_and_decide_again),
        TEST(listeners_hear_each_entry_once_in_order),
        TEST(a_key_is_kept_with_its_changes),
        TEST(a_full_mailbox_refuses_and_the_caller_keeps_the_command),
        TEST(stopping_finishes_what_was_taken),
        TEST(damaged_entities_refuse_the_start),
        TEST(at_most_256_threads_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
