/* What the engine does with commands: batches, refusals, listeners, keys, bounds. */
#include "unit/engine/fixture.h"

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
    struct publish_listener listener = {.published = hear, .self = &heard};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_committed_published_and_answered),
        TEST(a_refusal_costs_no_commit),
        TEST(those_who_wait_share_one_commit),
        TEST(a_refused_command_harms_no_neighbour),
        TEST(listeners_hear_each_entry_once_in_order),
        TEST(a_key_is_kept_with_its_changes),
        TEST(a_full_mailbox_refuses_and_the_caller_keeps_the_command),
        TEST(at_most_256_threads_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
