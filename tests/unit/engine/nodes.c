/* Two engines on one Redis: what one has committed is what the other decides on. */
#include "engine/engine.h"

#include "base/mem.h"
#include "registry/errors.h"
#include "store/nodes.h"
#include "support/calls.h"
#include "support/redis.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE 6000 /* times 10 ms */
#define MANY     60

static struct test_redis server;

struct node {
    struct store *store;
    struct engine *engine;
    struct view_reader *reader;
    struct calls calls;
    atomic_uint_fast64_t told, gaps; /* the newest entry that the listener heard of */
};

static void published(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v)
{
    struct node *node = self;
    (void)v;
    for (size_t i = 0; i < n; i++) {
        uint64_t before = atomic_exchange(&node->told, entries[i].seq);
        node->gaps += entries[i].seq != before + 1;
    }
}

static void start_node(struct node *n, const char *name)
{
    struct err e = {0};
    char url[64];
    memset(n, 0, sizeof *n);
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/4", server.port);
    const struct redis_settings settings = {.url = url, .node = name};
    n->store = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
    if (!n->store)
        fail_msg("no store: %s", e.detail);
    const struct engine_config config = {
        .store = n->store, .clock = &CLOCK_SYSTEM, .rules = &TEST_RULES};
    n->engine = engine_start(&config, &e);
    if (!n->engine)
        fail_msg("no engine: %s", e.detail);
    const struct publish_listener listener = {.published = published, .self = n};
    assert_true(engine_listen(n->engine, &listener));
    n->reader = engine_join(n->engine);
    assert_non_null(n->reader);
    calls_init(&n->calls, n->engine);
}

static void stop_node(struct node *n)
{
    calls_release(&n->calls);
    engine_part(n->reader);
    engine_stop(n->engine);
    n->store->ops->close(n->store);
}

struct pair {
    struct node one, two;
};

static int set_up(void **state)
{
    struct pair *p = mem_zero(1, sizeof *p);
    bool runs = server.pid || test_redis_start(&server);
    if (!runs || !test_redis_say(&server, "FLUSHALL", "+OK"))
        return -1;
    start_node(&p->one, "one");
    start_node(&p->two, "two");
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *p = *state;
    stop_node(&p->two);
    stop_node(&p->one);
    free(p);
    return 0;
}

/* --- looking --- */

static uint64_t seq_of(struct node *n)
{
    uint64_t seq = view_seq(view_enter(n->reader));
    view_leave(n->reader);
    return seq;
}

static void wait_for(struct node *n, uint64_t seq)
{
    for (int i = 0; i < PATIENCE && seq_of(n) < seq; i++)
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(seq_of(n), seq);
}

static int64_t revision_of(struct node *n, const char *id)
{
    const struct model *m = view_model(view_enter(n->reader), "default", id);
    int64_t revision = m ? m->entity.revision : 0;
    view_leave(n->reader);
    return revision;
}

static void print_fault(void *ctx, const char *fault)
{
    (void)ctx;
    print_error("fault: %s\n", fault);
}

static void assert_sound(struct node *n)
{
    struct verify_report report;
    struct err e = {0};
    assert_true(store_verify(n->store, print_fault, NULL, &report, &e));
    assert_int_equal(report.faults, 0);
}

static struct call *patch(struct node *n, const char *id, const char *text, int64_t if_match)
{
    char body[128];
    snprintf(body, sizeof body, "{\"description\":\"%s\"}", text);
    struct call *call = call_new(&n->calls, model_patch, id, body);
    call->c.if_match = if_match;
    return call;
}

/* --- tests --- */

static void what_one_commits_the_other_takes_in(void **state)
{
    struct pair *p = *state;
    engine_follow(p->two.engine);
    register_model(&p->one.calls, "m", 1);
    wait_for(&p->two, seq_of(&p->one));
    assert_int_equal(revision_of(&p->two, "m:1"), 1);
    register_model(&p->two.calls, "n", 1); /* with an incarnation of its own */
    engine_follow(p->one.engine);
    wait_for(&p->one, seq_of(&p->two));
    for (int i = 0; i < PATIENCE && atomic_load(&p->one.told) < seq_of(&p->two); i++)
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(atomic_load(&p->one.told), seq_of(&p->two));
    assert_int_equal(atomic_load(&p->one.gaps) + atomic_load(&p->two.gaps), 0);
    assert_sound(&p->one);
}

/* Neither hears of the other here, so all of it is found out by committing. */
static void a_refusal_is_of_the_end_of_the_journal(void **state)
{
    struct pair *p = *state;
    register_model(&p->one.calls, "m", 1);
    struct call *call = patch(&p->two, "m:1", "there", -1);
    assert_true(call_wait(call)); /* not 404 */
    call_free(call);
    call = patch(&p->one, "m:1", "late", 1);
    assert_false(call_wait(call)); /* nor granted */
    assert_ptr_equal(call->c.err.kind, &REVISION_MISMATCH);
    call_free(call);
    call = patch(&p->one, "m:1", "right", 2);
    assert_true(call_wait(call));
    assert_int_equal(call->c.answer.revision, 3);
    call_free(call);
    assert_int_equal(seq_of(&p->one), 4);
    assert_sound(&p->two);
}

static void all_at_once_nothing_is_lost(void **state)
{
    struct pair *p = *state;
    struct node *nodes[] = {&p->one, &p->two};
    struct call *calls[MANY];
    register_model(&p->one.calls, "m", 1);
    for (int i = 0; i < MANY; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", i);
        calls[i] = patch(nodes[i % 2], "m:1", text, -1);
        call_send(calls[i]);
    }
    calls_wait(&p->one.calls);
    calls_wait(&p->two.calls);
    bool seen[MANY + 3] = {false};
    for (int i = 0; i < MANY; i++) {
        assert_true(calls[i]->c.ok);
        int64_t revision = calls[i]->c.answer.revision;
        assert_in_range(revision, 2, MANY + 1);
        assert_false(seen[revision]); /* each its own */
        seen[revision] = true;
        call_free(calls[i]);
    }
    engine_follow(p->one.engine);
    engine_follow(p->two.engine);
    wait_for(&p->one, MANY + 2);
    wait_for(&p->two, MANY + 2);
    assert_int_equal(revision_of(&p->one, "m:1"), MANY + 1);
    assert_int_equal(revision_of(&p->two, "m:1"), MANY + 1);
    assert_sound(&p->one);
}

static void who_is_far_behind_loads_anew_and_tells_all(void **state)
{
    struct pair *p = *state;
    register_model(&p->one.calls, "m", 1);
    for (int i = 0; i < 1100; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", i);
        struct call *call = patch(&p->one, "m:1", text, -1);
        assert_true(call_wait(call));
        call_free(call);
    }
    struct call *call = patch(&p->two, "m:1", "last", -1);
    assert_true(call_wait(call));
    assert_int_equal(call->c.answer.revision, 1102);
    call_free(call);
    assert_int_equal(seq_of(&p->two), 1103);
    assert_int_equal(atomic_load(&p->two.told), 1103);
    assert_int_equal(atomic_load(&p->two.gaps), 0);
}

static struct call *with_key(struct node *n, const char *text, uint64_t body)
{
    struct call *call = patch(n, "m:1", text, -1);
    call->c.key = "key";
    call->c.key_body_hash = body;
    call->c.key_expires_ms = clock_wall_ms(&CLOCK_SYSTEM) + 1000000;
    return call;
}

static void a_key_counts_on_both(void **state)
{
    struct pair *p = *state;
    register_model(&p->one.calls, "m", 1);
    struct call *call = with_key(&p->one, "once", 7), *again, *other;
    assert_true(call_wait(call));
    again = with_key(&p->two, "once", 7);
    assert_true(call_wait(again));
    assert_non_null(again->c.kept);
    struct kept_answer kept;
    uint64_t body;
    assert_true(kept_answer_decode(again->c.kept, again->c.kept_len, again->c.arena, &body, &kept));
    assert_int_equal(body, 7);
    assert_int_equal(kept.status, call->c.answer.status);
    assert_string_equal(kept.body, call->c.answer.body);
    other = with_key(&p->two, "other", 8);
    assert_false(call_wait(other));
    assert_ptr_equal(other->c.err.kind, &KEY_REUSED);
    assert_int_equal(revision_of(&p->two, "m:1"), 2);
    call_free(call);
    call_free(again);
    call_free(other);
}

static atomic_bool sent;

/* Holds the engine until more commands wait than have room in its tries. */
static bool waits_for_the_others(struct command *c, struct head *h, struct changes *out,
                                 struct err *e)
{
    (void)h, (void)out;
    while (!atomic_load(&sent))
        nanosleep(&(const struct timespec){.tv_nsec = 1000000}, NULL);
    (void)c;
    return fail(e, &ERR_INVALID, "it wants nothing");
}

/* After a fail-over a client sends a lot again at once. */
static void many_keys_that_were_used_fill_a_batch(void **state)
{
    enum { KEYS = 250 };
    struct pair *p = *state;
    struct call *calls[2][KEYS], *first;
    char keys[KEYS][16];
    register_model(&p->one.calls, "m", 1);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < KEYS; i++) {
            calls[k][i] = with_key(k ? &p->two : &p->one, "once", 7);
            snprintf(keys[i], sizeof keys[i], "key-%d", i);
            calls[k][i]->c.key = keys[i];
        }
        atomic_store(&sent, false);
        first = call_new(k ? &p->two.calls : &p->one.calls, waits_for_the_others, NULL, NULL);
        call_send(first);
        for (int i = 0; i < KEYS; i++)
            call_send(calls[k][i]);
        atomic_store(&sent, true);
        calls_wait(first->calls);
        call_free(first);
    }
    for (int i = 0; i < KEYS; i++) {
        assert_true(calls[0][i]->c.ok && calls[1][i]->c.ok);
        assert_null(calls[0][i]->c.kept);
        assert_non_null(calls[1][i]->c.kept);
        call_free(calls[0][i]);
        call_free(calls[1][i]);
    }
    assert_int_equal(seq_of(&p->two), seq_of(&p->one));
}

/* Whenever it is decided the other node is faster, and each time it takes some more memory. */
static bool is_overtaken(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    static unsigned number;
    char text[16];
    (void)h, (void)out, (void)e;
    snprintf(text, sizeof text, "%u", ++number);
    struct call *other = patch(c->args, "m:1", text, -1);
    arena_zero(c->arena, (size_t)6 << 20);
    bool ok = call_wait(other);
    call_free(other);
    return ok;
}

static void who_is_always_overtaken_is_told(void **state)
{
    struct pair *p = *state;
    register_model(&p->one.calls, "m", 1);
    struct call *call = call_new(&p->two.calls, is_overtaken, NULL, NULL);
    call->c.args = &p->one;
    assert_false(call_wait(call)); /* before its arena is full, which would end the process */
    assert_ptr_equal(call->c.err.kind, &ERR_BUSY);
    call_free(call);
    call = patch(&p->two, "m:1", "at last", -1);
    assert_true(call_wait(call));
    call_free(call);
}

/* Of a newer version, say. It shows what it has, and is not ready for changes. */
static void who_cannot_read_what_others_wrote_says_so(void **state)
{
    struct pair *p = *state;
    struct engine_stats stats;
    register_model(&p->one.calls, "m", 1);
    assert_true(test_redis_say(&server,
                               "EVAL \"redis.call('select',4) redis.call('hset',"
                               "'paddock:{c}:entities','model\\\\0default\\\\0m:1','1 1 damaged') "
                               "return {ok='OK'}\" 0",
                               "+OK"));
    struct call *call = patch(&p->two, "m:1", "x", -1);
    assert_false(call_wait(call));
    engine_stats(p->two.engine, &stats);
    assert_false(stats.available);
    engine_stats(p->one.engine, &stats);
    assert_true(stats.available);
    call_free(call);
}

static void a_duty_is_refused_but_for_the_decider(void **state)
{
    struct pair *p = *state;
    register_model(&p->one.calls, "m", 1);
    struct call *call = patch(&p->two, "m:1", "mine", -1), *beside = patch(&p->two, "m:1", "x", -1);
    call->c.duty = true;
    call_send(call);
    call_send(beside);
    calls_wait(&p->two.calls);
    assert_false(call->c.ok);
    assert_ptr_equal(call->c.err.kind, &ERR_BUSY);
    assert_true(beside->c.ok); /* it harms nobody */
    call_free(call);
    call_free(beside);
    call = patch(&p->one, "m:1", "mine", -1);
    call->c.duty = true;
    assert_true(call_wait(call));
    call_free(call);
}

#define NODES(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(what_one_commits_the_other_takes_in),
        NODES(a_refusal_is_of_the_end_of_the_journal),
        NODES(all_at_once_nothing_is_lost),
        NODES(who_is_far_behind_loads_anew_and_tells_all),
        NODES(a_key_counts_on_both),
        NODES(many_keys_that_were_used_fill_a_batch),
        NODES(who_is_always_overtaken_is_told),
        NODES(who_cannot_read_what_others_wrote_says_so),
        NODES(a_duty_is_refused_but_for_the_decider),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_redis_release(&server);
    return failed;
}
