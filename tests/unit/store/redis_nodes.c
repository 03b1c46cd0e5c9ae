/* Several nodes on one Redis: what each makes of what the others write, and who decides. */
#include "store/nodes.h"
#include "support/redis.h"
#include "support/store_wait.h"
#include "support/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE 6000 /* times 10 ms */

static struct test_redis server;

/* One node, and how far it has the journal. */
struct node {
    struct store *store;
    uint64_t seq, next_uid;
};

static struct node join(const char *name)
{
    char url[64];
    struct err e = {0};
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/3", server.port);
    const struct redis_settings settings = {.url = url, .node = name, .version = "1.2.3"};
    struct node n = {.store = store_redis_open(&settings, &CLOCK_SYSTEM, &e), .next_uid = 1};
    if (!n.store)
        fail_msg("%s cannot join: %s", name, e.detail);
    return n;
}

static void part(struct node *n)
{
    if (n->store)
        n->store->ops->close(n->store);
    n->store = NULL;
}

static int empty_server(void **state)
{
    (void)state;
    bool runs = server.pid || test_redis_start(&server);
    return runs && test_redis_say(&server, "FLUSHALL", "+OK") ? 0 : -1;
}

struct wish {
    const char *id;
    int64_t revision;
    bool gone, duty;
    const char *key; /* of a kept answer */
};

static bool commit(struct node *n, const struct wish *w, struct store_commit *c)
{
    char value[64];
    int len = snprintf(value, sizeof value, "{\"revision\":%d}", (int)w->revision);
    struct store_row row = {
        "model", "a", w->id, 7, w->revision, w->gone ? NULL : value, w->gone ? 0 : (size_t)len};
    struct journal_entry entry = {.seq = n->seq + 1,
                                  .at = 1,
                                  .ns = "a",
                                  .action = "model.updated",
                                  .entity = "model",
                                  .entity_id = w->id,
                                  .actor_id = "ann",
                                  .text = value,
                                  .text_len = (size_t)len};
    memset(entry.hash, 'a', sizeof entry.hash - 1);
    struct store_key key = {w->key, "answer", 6, clock_wall_ms(&CLOCK_SYSTEM) + 1000000};
    struct store_group group = {.rows = &row,
                                .n_rows = 1,
                                .entries = &entry,
                                .n_entries = 1,
                                .keys = &key,
                                .n_keys = w->key != NULL};
    *c = (struct store_commit){.groups = &group,
                               .n_groups = 1,
                               .head_seq = n->seq,
                               .next_uid = n->next_uid,
                               .duty = w->duty,
                               .new_keys = &w->key,
                               .n_new_keys = w->key != NULL};
    bool ok = wait_commit(n->store, c);
    n->seq += ok;
    return ok;
}

/* --- tailing --- */

struct seen {
    unsigned entries, rows, gone;
    uint64_t first;
    char last[32];
};

static bool see_entry(void *ctx, const struct journal_entry *entry, struct err *e)
{
    struct seen *s = ctx;
    (void)e;
    s->first = s->entries++ ? s->first : entry->seq;
    return true;
}

static bool see_row(void *ctx, const struct store_row *r, struct err *e)
{
    struct seen *s = ctx;
    (void)e;
    assert_string_equal(r->kind, "model");
    assert_string_equal(r->ns, "a");
    s->rows++;
    s->gone += r->value == NULL;
    if (r->value)
        snprintf(s->last, sizeof s->last, "%.*s", (int)r->value_len, r->value);
    return true;
}

static bool catch_up(struct node *n, struct seen *s)
{
    struct err e = {0};
    struct store_head head;
    bool whole = false;
    *s = (struct seen){0};
    const struct store_tail tail = {see_entry, see_row, s};
    if (!n->store->ops->tail(n->store, &(struct store_head){.seq = n->seq}, &tail, &head, &whole,
                             &e))
        fail_msg("cannot tail: %s", e.detail);
    n->seq = whole ? head.seq : n->seq;
    n->next_uid = head.next_uid;
    return whole;
}

static void a_moved_head_refuses_until_the_rest_is_known(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct seen seen;
    one.next_uid = 8;
    assert_true(commit(&one, &(struct wish){.id = "m", .revision = 1}, &c));
    assert_true(commit(&one, &(struct wish){.id = "m", .revision = 2}, &c));
    assert_true(commit(&one, &(struct wish){.id = "n", .revision = 1}, &c));
    assert_true(commit(&one, &(struct wish){.id = "n", .gone = true}, &c));
    assert_false(commit(&two, &(struct wish){.id = "x", .revision = 1}, &c));
    assert_true(c.moved);
    struct store_stats stats; /* a store that refused for that reason is well */
    two.store->ops->stats(two.store, &stats);
    assert_int_equal(stats.commit_failures, 0);
    assert_int_equal(stats.unavailable_since, 0);
    assert_true(catch_up(&two, &seen));
    assert_int_equal(seen.entries, 4);
    assert_int_equal(seen.first, 1);
    assert_int_equal(seen.rows, 2); /* each entity once, as it is now */
    assert_int_equal(seen.gone, 1);
    assert_string_equal(seen.last, "{\"revision\":2}");
    assert_int_equal(two.next_uid, 8);
    assert_true(commit(&two, &(struct wish){.id = "x", .revision = 1}, &c));
    assert_true(catch_up(&two, &seen)); /* nothing new */
    assert_int_equal(seen.entries + seen.rows, 0);
    part(&two);
    part(&one);
}

static void a_check_writes_nothing(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct seen seen;
    for (int i = 0; i < 2; i++) {
        c = (struct store_commit){.check_only = true, .head_seq = two.seq, .next_uid = 1};
        assert_true(wait_commit(two.store, &c));
    }
    assert_true(commit(&one, &(struct wish){.id = "m", .revision = 1}, &c));
    c = (struct store_commit){.check_only = true, .head_seq = two.seq, .next_uid = 1};
    assert_false(wait_commit(two.store, &c));
    assert_true(c.moved);
    assert_true(catch_up(&two, &seen));
    c = (struct store_commit){.check_only = true, .head_seq = two.seq, .next_uid = 1};
    assert_true(wait_commit(two.store, &c));
    assert_int_equal(two.seq, 1);
    part(&two);
    part(&one);
}

static void a_key_that_another_used_is_found(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct seen seen;
    assert_true(commit(&one, &(struct wish){.id = "m", .revision = 1, .key = "k"}, &c));
    assert_true(catch_up(&two, &seen));
    assert_false(commit(&two, &(struct wish){.id = "n", .revision = 1, .key = "k"}, &c));
    assert_true(c.kept);
    assert_int_equal(c.kept_at, 0);
    assert_true(commit(&two, &(struct wish){.id = "n", .revision = 1, .key = "other"}, &c));
    part(&two);
    part(&one);
}

/* More than one answer holds: the oldest, and that there is more. */
static void far_behind_is_told_in_pages(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct seen seen;
    for (int i = 1; i <= 1030; i++)
        assert_true(commit(&one, &(struct wish){.id = "m", .revision = i}, &c));
    assert_false(catch_up(&two, &seen));
    assert_int_equal(seen.entries, 1024);
    assert_int_equal(seen.rows, 0);
    two.seq = 1024;
    assert_true(catch_up(&two, &seen));
    assert_int_equal(seen.entries, 6);
    assert_int_equal(seen.rows, 1);
    part(&two);
    part(&one);
}

/* --- hearing --- */

static void moved(void *ctx, uint64_t seq)
{
    atomic_store((atomic_uint_fast64_t *)ctx, seq);
}

static void what_others_write_is_heard_of(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    atomic_uint_fast64_t heard = 0;
    two.store->ops->watch(two.store, moved, &heard);
    for (int i = 1; i <= 3; i++) {
        assert_true(commit(&one, &(struct wish){.id = "m", .revision = i}, &c));
        for (int k = 0; k < PATIENCE && atomic_load(&heard) < one.seq; k++)
            nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
        assert_int_equal(atomic_load(&heard), one.seq);
    }
    two.store->ops->watch(two.store, NULL, NULL);
    part(&two);
    part(&one);
}

/* --- losing --- */

static void redis_does(const char *lua)
{
    char line[512];
    snprintf(line, sizeof line, "EVAL \"redis.call('select',3) %s return {ok='OK'}\" 0", lua);
    assert_true(test_redis_say(&server, line, "+OK"));
}

static void wait_for_epoch(struct node *n, uint64_t epoch)
{
    for (int i = 0; i < PATIENCE && store_epoch(n->store) != epoch; i++)
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(store_epoch(n->store), epoch);
}

/* As long as before, but not what was there: as if restored, and written to by others since. */
static void another_history_of_the_same_length_is_a_new_epoch(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct store_stats stats;
    struct seen seen;
    struct store_head head;
    struct err e = {0};
    const struct store_tail tail = {see_entry, see_row, &seen};
    bool whole;
    atomic_uint_fast64_t heard = 99;
    for (int i = 1; i <= 2; i++)
        assert_true(commit(&one, &(struct wish){.id = "m", .revision = i}, &c));
    one.store->ops->watch(one.store, moved, &heard);
    redis_does("local t=redis.call('hget','paddock:{c}:journal','2') "
               "redis.call('hset','paddock:{c}:journal','2',(string.gsub(t,'aaaa','bbbb'))) "
               "redis.call('hset','paddock:{c}:meta','head','2 '..string.rep('b',64))");
    struct store_head known = {.seq = 2};
    memset(known.hash, 'a', sizeof known.hash - 1);
    assert_false(one.store->ops->tail(one.store, &known, &tail, &head, &whole, &e));
    assert_ptr_equal(e.kind, &ERR_IO);
    c = (struct store_commit){.check_only = true, .head_seq = 2, .head_hash = known.hash};
    assert_false(wait_commit(one.store, &c));
    assert_true(c.moved);
    wait_for_epoch(&one, 2);
    wait_for_epoch(&two, 2); /* one loss is one epoch, whoever notices */
    assert_int_equal(atomic_load(&heard), 2);
    one.store->ops->stats(one.store, &stats);
    assert_int_equal(stats.losses, 1);
    memset(known.hash, 'b', sizeof known.hash - 1);
    c = (struct store_commit){.check_only = true, .head_seq = 2, .head_hash = known.hash};
    assert_true(wait_commit(one.store, &c));
    assert_true(one.store->ops->tail(one.store, &known, &tail, &head, &whole, &e));
    assert_int_equal(head.epoch, 2);
    assert_string_equal(head.hash, known.hash);
    assert_true(head.next_uid > 1000000); /* no incarnation of what was lost is used again */
    one.store->ops->watch(one.store, NULL, NULL);
    part(&two);
    part(&one);
}

/* Restored from before this node came, and shorter. */
static void who_came_after_what_was_restored_goes_on(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    for (int i = 1; i <= 3; i++)
        assert_true(commit(&two, &(struct wish){.id = "m", .revision = i}, &c));
    redis_does("redis.call('hdel','paddock:{c}:journal','3') "
               "redis.call('hset','paddock:{c}:meta','seq','2') "
               "redis.call('hdel','paddock:{c}:starts','two') "
               "redis.call('hdel','paddock:{c}:spaces','two') "
               "redis.call('del','paddock:{c}:node:two','paddock:{c}:moved')");
    wait_for_epoch(&two, 2);
    wait_for_epoch(&one, 2);
    two.seq = 2;
    assert_true(commit(&two, &(struct wish){.id = "m", .revision = 3}, &c));
    char space[STORE_SPACE_SIZE];
    store_space(two.store, space);
    assert_string_equal(space, ".1");
    part(&two);
    part(&one);
}

/* --- deciding --- */

static void wait_until_it_decides(struct node *n)
{
    for (int i = 0; i < PATIENCE && !store_decides(n->store); i++)
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(store_decides(n->store));
}

static void one_decides_and_is_replaced_when_it_goes(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct store_commit c;
    struct seen seen;
    const struct wish duty = {.id = "m", .revision = 1, .duty = true};
    assert_true(store_decides(one.store));
    assert_false(store_decides(two.store));
    assert_false(commit(&two, &duty, &c));
    assert_true(c.deposed);
    assert_true(commit(&one, &duty, &c));
    part(&one);
    wait_until_it_decides(&two);
    assert_true(catch_up(&two, &seen));
    assert_true(commit(&two, &(struct wish){.id = "m", .revision = 2, .duty = true}, &c));
    /* One that does not know yet that it was overtaken is refused all the same. */
    test_redis_say(&server,
                   "EVAL \"redis.call('select',3) redis.call('set','paddock:{c}:decider','x/1') "
                   "return redis.status_reply('OK')\" 0",
                   "+OK");
    assert_true(store_decides(two.store));
    assert_false(commit(&two, &(struct wish){.id = "m", .revision = 3, .duty = true}, &c));
    assert_true(c.deposed);
    assert_false(store_decides(two.store));
    assert_true(commit(&two, &(struct wish){.id = "m", .revision = 3}, &c));
    part(&two);
}

/* --- places and the list --- */

static void assert_space(struct node *n, const char *space)
{
    char is[STORE_SPACE_SIZE];
    store_space(n->store, is);
    assert_string_equal(is, space);
}

static void each_has_a_place_of_its_own(void **state)
{
    (void)state;
    struct err e = {0};
    char url[64];
    struct node one = join("one");
    assert_space(&one, "");
    part(&one);
    struct node other = join("other"); /* alone: it goes on with what the first has left */
    assert_space(&other, "");
    struct node two = join("two");
    assert_space(&two, ".1");
    part(&two);
    two = join("two");
    assert_space(&two, ".1");
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/3", server.port);
    const struct redis_settings back = {.url = url, .node = "one"};
    assert_null(store_redis_open(&back, &CLOCK_SYSTEM, &e));
    assert_non_null(strstr(e.detail, "another directory (other)"));
    part(&two);
    part(&other);
}

struct listed {
    unsigned n, alive, self, decide;
};

static bool list(void *ctx, const struct node_report *r)
{
    struct listed *l = ctx;
    l->n++;
    l->alive += r->alive;
    l->self += r->self;
    l->decide += r->decides;
    assert_string_equal(r->version, "1.2.3");
    assert_true(r->heartbeat_ms > 0 && r->started_ms > 0);
    return true;
}

static void each_knows_the_others(void **state)
{
    (void)state;
    struct node one = join("one"), two = join("two");
    struct listed l = {0};
    for (int i = 0; i < PATIENCE && l.n < 2; i++) {
        l = (struct listed){0};
        store_nodes(one.store, list, &l);
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(l.n, 2);
    assert_int_equal(l.alive, 2);
    assert_int_equal(l.self, 1);
    assert_int_equal(l.decide, 1);
    part(&two);
    part(&one);
}

#define NODES(fn) cmocka_unit_test_setup(fn, empty_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(a_moved_head_refuses_until_the_rest_is_known),
        NODES(a_check_writes_nothing),
        NODES(a_key_that_another_used_is_found),
        NODES(far_behind_is_told_in_pages),
        NODES(what_others_write_is_heard_of),
        NODES(another_history_of_the_same_length_is_a_new_epoch),
        NODES(who_came_after_what_was_restored_goes_on),
        NODES(one_decides_and_is_replaced_when_it_goes),
        NODES(each_has_a_place_of_its_own),
        NODES(each_knows_the_others),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_redis_release(&server);
    return failed;
}
