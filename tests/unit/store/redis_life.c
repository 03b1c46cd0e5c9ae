/* What befalls a Redis, and what the store makes of it. */
#include "store/redis_scripts_impl.h"
#include "support/redis.h"
#include "support/store_wait.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct test_redis server;

struct life {
    struct store *store;
    uint64_t seq;
};

static struct store *open_as(const char *login, const char *node, bool loss, struct err *e)
{
    char url[256];
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%u/2", login, server.port);
    const struct redis_settings settings = {
        .url = url, .node = node, .accept_loss = loss, .reply_ms = 1000};
    return store_redis_open(&settings, &CLOCK_SYSTEM, e);
}

static void open_store(struct life *l)
{
    struct err e = {0};
    *l = (struct life){.store = open_as("", "one", false, &e)};
    if (!l->store)
        fail_msg("cannot open: %s", e.detail);
}

static void close_store(struct life *l)
{
    if (l->store)
        l->store->ops->close(l->store);
    l->store = NULL;
}

static void say(const char *line)
{
    if (!test_redis_say(&server, line, "+OK"))
        fail_msg("Redis does not say OK to '%s'", line);
}

static int empty_server(void **state)
{
    (void)state;
    bool runs = server.pid || test_redis_start(&server);
    return runs && test_redis_say(&server, "FLUSHALL", "+OK") ? 0 : -1;
}

static bool commit(struct life *l, const char *id, struct store_commit *c)
{
    struct store_row row = {"model", "a", id, 7, 1, "{}", 2};
    struct journal_entry entry = {.seq = l->seq + 1,
                                  .at = 1,
                                  .ns = "a",
                                  .action = "model.updated",
                                  .entity = "model",
                                  .entity_id = id,
                                  .actor_id = "ann",
                                  .text = "{}",
                                  .text_len = 2};
    memset(entry.hash, 'a', sizeof entry.hash - 1);
    struct store_group group = {.rows = &row, .n_rows = 1, .entries = &entry, .n_entries = 1};
    *c = (struct store_commit){.groups = &group, .n_groups = 1, .head_seq = l->seq};
    bool ok = wait_commit(l->store, c);
    l->seq += ok;
    return ok;
}

static bool count_row(void *ctx, const struct store_row *r, struct err *e)
{
    (void)r;
    (void)e;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned rows(struct life *l)
{
    unsigned n = 0;
    struct store_head head;
    struct err e = {0};
    if (!l->store->ops->load(l->store, count_row, &n, &head, &e))
        fail_msg("cannot load: %s", e.detail);
    assert_int_equal(head.seq, l->seq);
    return n;
}

/* It comes back by itself; how long that takes is the machine's affair. */
static void commit_at_last(struct life *l, const char *id)
{
    struct store_commit c;
    for (int i = 0; i < 3000; i++) {
        if (commit(l, id, &c))
            return;
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    fail_msg("it does not come back: %s", c.err.detail);
}

static void one_that_may_lose_something_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bad, *good;
    } CASES[] = {{"maxmemory-policy", "allkeys-lru", "noeviction"},
                 {"appendfsync", "everysec", "always"},
                 {"appendonly", "no", "yes"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char line[128];
        struct err e = {0};
        snprintf(line, sizeof line, "CONFIG SET %s %s", CASES[i].name, CASES[i].bad);
        say(line);
        assert_null(open_as("", "one", false, &e));
        assert_ptr_equal(e.kind, &ERR_CONFIG);
        assert_non_null(strstr(e.detail, CASES[i].name));
        assert_non_null(strstr(e.detail, "--redis-accept-loss"));
        struct life l = {.store = open_as("", "one", true, &e)};
        assert_non_null(l.store);
        close_store(&l);
        snprintf(line, sizeof line, "CONFIG SET %s %s", CASES[i].name, CASES[i].good);
        say(line);
    }
}

/* As docs/operations/redis.md has it. */
#define LOGIN                                                                           \
    "ACL SETUSER paddock on >x ~paddock:* +@all -@admin -@dangerous +info +config|get " \
    "+cluster"

static void a_login_needs_all_that_scripts_do_and_no_more(void **state)
{
    (void)state;
    static const char *const LACKING[] = {"xadd", "sadd", "zrem", "pexpire", "xread", "eval"};
    struct err e = {0};
    say(LOGIN);
    struct life l = {.store = open_as("paddock:x@", "one", false, &e)};
    if (!l.store)
        fail_msg("the login of the docs is refused: %s", e.detail);
    commit_at_last(&l, "m");
    close_store(&l);
    for (size_t i = 0; i < sizeof LACKING / sizeof *LACKING; i++) {
        char line[64];
        snprintf(line, sizeof line, "ACL SETUSER paddock -%s", LACKING[i]);
        say(line);
        assert_null(open_as("paddock:x@", "one", false, &e));
        assert_non_null(strstr(e.detail, LACKING[i]));
        say(LOGIN);
    }
    assert_true(test_redis_say(&server, "ACL DELUSER paddock", ":1"));
}

/* What a script calls is asked for at the start. */
static void the_rights_are_those_of_all_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCRIPTS; i++)
        for (const char *at = REDIS_SCRIPTS[i]; (at = strstr(at, "call('")); at++) {
            char name[64];
            snprintf(name, sizeof name, "try('%.*s'", (int)strcspn(at + 6, "'"), at + 6);
            if (!strstr(REDIS_RIGHTS, name))
                fail_msg("%s is missing", name);
        }
}

static void what_is_no_master_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    say("REPLICAOF 127.0.0.1 1");
    assert_null(open_as("", "one", true, &e));
    assert_non_null(strstr(e.detail, "replica"));
    say("REPLICAOF NO ONE");
    test_redis_signal(&server, SIGKILL);
    assert_null(open_as("", "one", true, &e));
    assert_non_null(strstr(e.detail, "cannot connect"));
}

static void a_node_of_a_cluster_is_refused(void **state)
{
    (void)state;
    static const char *const CLUSTER[] = {"--cluster-enabled", "yes", "--databases", "1", NULL};
    struct test_redis node;
    struct err e = {0};
    char url[64];
    test_redis_init(&node);
    node.args = CLUSTER;
    assert_true(test_redis_start(&node));
    snprintf(url, sizeof url, "redis://127.0.0.1:%u", node.port);
    assert_null(
        store_redis_open(&(struct redis_settings){.url = url, .node = "one"}, &CLOCK_SYSTEM, &e));
    assert_non_null(strstr(e.detail, "cluster"));
    test_redis_release(&node);
}

static void a_password_lets_in_and_is_not_told(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"", ":geheimnis@"};
    struct life l = {0};
    struct err e = {0};
    struct store_commit c;
    say("CONFIG SET requirepass geheim");
    for (size_t i = 0; i < 2; i++) {
        assert_null(open_as(WRONG[i], "one", false, &e));
        assert_null(strstr(e.detail, "geheim"));
    }
    l.store = open_as(":geheim@", "one", false, &e);
    assert_non_null(l.store);
    assert_true(commit(&l, "m", &c));
    close_store(&l);
    char url[128];
    snprintf(url, sizeof url, "redis+unix://default:geheim@%s/socket?db=2", server.dir);
    const struct redis_settings settings = {.url = url, .node = "one"};
    l.store = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
    assert_non_null(l.store);
    assert_int_equal(rows(&l), 1);
    close_store(&l);
    test_redis_signal(&server, SIGKILL); /* with the password */
}

/* A node that is started again while its earlier start seems to live: that one is out. */
static void one_start_of_a_directory_at_a_time(void **state)
{
    (void)state;
    struct life l;
    struct err e = {0};
    struct store_commit c;
    open_store(&l);
    assert_true(commit(&l, "m", &c));
    struct store *second = open_as("", "one", false, &e);
    assert_non_null(second);
    assert_false(commit(&l, "n", &c));
    assert_ptr_equal(c.err.kind, &ERR_IO);
    assert_false(c.moved);
    struct life after = {.store = second, .seq = l.seq};
    assert_int_equal(rows(&after), 1);
    close_store(&l);
    assert_true(commit(&after, "n", &c));
    close_store(&after);
}

/* What the control plane's `meta` says, or something else of one line. */
static bool format_is(const char *format)
{
    char want[8];
    snprintf(want, sizeof want, "+%s", format);
    return test_redis_say(&server,
                          "EVAL \"redis.call('select',2) return {ok=redis.call('hget',"
                          "'paddock:{c}:meta','format')}\" 0",
                          want);
}

/* Of a version that wants Redis for itself, and refuses what says 2. */
static void beside_an_older_version_none_starts(void **state)
{
    (void)state;
    struct err e = {0};
    struct life l;
    say("EVAL \"redis.call('select',2) redis.call('hset','paddock:{c}:meta','format','1') "
        "return redis.call('set','paddock:{c}:node','old/1')\" 0");
    assert_null(open_as("", "one", false, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "older version (old/1)"));
    assert_true(format_is("1")); /* that one may start again */
    say("EVAL \"redis.call('select',2) redis.call('del','paddock:{c}:node') "
        "return {ok='OK'}\" 0");
    open_store(&l);
    assert_true(format_is("2"));
    close_store(&l);
}

/* Whoever meets a Redis without its data does not come back. */
static void who_is_not_sure_of_what_is_stored_stays_away(void **state)
{
    (void)state;
    struct life l;
    struct store_commit c = {0};
    open_store(&l);
    assert_true(commit(&l, "a", &c));
    test_redis_say(&server, "FLUSHALL", "+OK");
    test_redis_signal(&server, SIGKILL);
    assert_true(test_redis_start(&server));
    for (int i = 0; i < 3000 && !strstr(c.err.detail, "start this server again"); i++) {
        assert_false(commit(&l, "b", &c));
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_non_null(strstr(c.err.detail, "start this server again"));
    close_store(&l);
    open_store(&l);
    assert_int_equal(rows(&l), 0);
    assert_true(commit(&l, "a", &c));
    close_store(&l);
}

static void scripts_that_were_flushed_come_back(void **state)
{
    (void)state;
    struct life l;
    struct store_commit c;
    open_store(&l);
    assert_true(commit(&l, "a", &c));
    say("SCRIPT FLUSH");
    assert_true(commit(&l, "b", &c));
    assert_true(commit(&l, "c", &c));
    assert_int_equal(rows(&l), 3);
    close_store(&l);
}

static void when_it_is_gone_calls_fail_until_it_is_back(void **state)
{
    (void)state;
    struct life l;
    struct store_commit c;
    struct store_stats stats;
    struct store_head head;
    struct err e = {0};
    open_store(&l);
    assert_true(commit(&l, "a", &c));
    test_redis_signal(&server, SIGKILL);
    for (int i = 0; i < 5; i++) {
        assert_false(commit(&l, "b", &c));
        assert_ptr_equal(c.err.kind, &ERR_IO);
        assert_false(c.moved);
    }
    assert_false(l.store->ops->load(l.store, count_row, &(unsigned){0}, &head, &e));
    assert_ptr_equal(e.kind, &ERR_IO);
    l.store->ops->stats(l.store, &stats);
    assert_false(stats.available);
    assert_true(stats.unavailable_since > 0);
    assert_true(test_redis_start(&server));
    commit_at_last(&l, "b");
    for (int i = 0; i < 3000 && !stats.available; i++) { /* both connections are back */
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
        l.store->ops->stats(l.store, &stats);
    }
    assert_true(stats.available);
    assert_int_equal(rows(&l), 2); /* what was acknowledged before the kill is there */
    close_store(&l);
}

static void one_that_hangs_holds_nobody_for_long(void **state)
{
    (void)state;
    struct life l;
    struct store_commit c;
    open_store(&l);
    commit_at_last(&l, "a");
    test_redis_signal(&server, SIGSTOP);
    assert_false(commit(&l, "b", &c)); /* given up; nobody knows whether it was done */
    assert_ptr_equal(c.err.kind, &ERR_IO);
    assert_false(commit(&l, "b", &c));
    test_redis_signal(&server, SIGCONT);
    for (int i = 0; i < 3000; i++) {
        if (commit(&l, "c", &c))
            break;
        if (c.moved)
            l.seq++; /* it had been */
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_true(c.ok);
    unsigned n = rows(&l);
    assert_true(n == l.seq && (n == 2 || n == 3));
    close_store(&l);
}

static void one_that_is_full_refuses_writes_only(void **state)
{
    (void)state;
    struct life l;
    struct store_commit c;
    open_store(&l);
    assert_true(commit(&l, "a", &c));
    say("CONFIG SET maxmemory 1");
    assert_false(commit(&l, "b", &c));
    assert_ptr_equal(c.err.kind, &ERR_IO);
    assert_int_equal(rows(&l), 1);
    say("CONFIG SET maxmemory 0");
    commit_at_last(&l, "b");
    assert_int_equal(rows(&l), 2);
    close_store(&l);
}

/* What is moved into the queue of a node (the result of a run) is let go if nothing else comes for
 * so long: that node does not come back. */
static void what_nobody_takes_ends(void **state)
{
    (void)state;
    char url[64], answer[32] = "";
    struct err e = {0};
    struct arena *arena = arena_new(1 << 20);
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/0", server.port);
    const struct redis_settings settings = {.url = url, .node = "one"};
    struct store *store = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
    if (!store)
        fail_msg("cannot open: %s", e.detail);
    struct queue_request push = {.op = QUEUE_PUSH, .queue = "runs", .arena = arena},
                         claim = {.op = QUEUE_CLAIM,
                                  .queue = "runs",
                                  .worker = "w",
                                  .claim_ms = 60000,
                                  .arena = arena};
    const int64_t keep_ms[] = {60000, 1};
    for (int i = 0; i < 2; i++) {
        push.id = push.data = i ? "b" : "a";
        push.len = 1;
        assert_true(wait_queue(store, &push));
        struct queue_request c = claim, move = {.op = QUEUE_MOVE,
                                                .queue = "runs",
                                                .to = "gone",
                                                .id = push.id,
                                                .worker = "w",
                                                .data = "result",
                                                .len = 6,
                                                .keep_ms = keep_ms[i],
                                                .arena = arena};
        assert_true(wait_queue(store, &c) && c.found);
        assert_true(wait_queue(store, &move) && move.found);
        if (i == 0) /* for a minute it is there */
            assert_true(
                test_redis_say(&server, "HLEN paddock:{c}:q:gone:jobs", ":1") &&
                test_redis_ask(&server, "PTTL paddock:{c}:q:gone:jobs", answer, sizeof answer) &&
                strtol(answer + 1, NULL, 10) > 0);
    }
    const char all[] = "EXISTS paddock:{c}:q:gone:jobs paddock:{c}:q:gone:data "
                       "paddock:{c}:q:gone:free paddock:{c}:q:gone:claimed";
    for (int i = 0; i < 6000 && !test_redis_say(&server, all, ":0"); i++)
        nanosleep(&(const struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(test_redis_say(&server, all, ":0"));
    claim.queue = "gone";
    assert_true(wait_queue(store, &claim) && !claim.found);
    store->ops->close(store);
    arena_free(arena);
}

#define LIFE(fn) cmocka_unit_test_setup(fn, empty_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(one_that_may_lose_something_is_refused),
        LIFE(what_is_no_master_is_refused),
        LIFE(a_login_needs_all_that_scripts_do_and_no_more),
        cmocka_unit_test(the_rights_are_those_of_all_scripts),
        LIFE(a_node_of_a_cluster_is_refused),
        LIFE(one_start_of_a_directory_at_a_time),
        LIFE(beside_an_older_version_none_starts),
        LIFE(who_is_not_sure_of_what_is_stored_stays_away),
        LIFE(scripts_that_were_flushed_come_back),
        LIFE(when_it_is_gone_calls_fail_until_it_is_back),
        LIFE(one_that_hangs_holds_nobody_for_long),
        LIFE(one_that_is_full_refuses_writes_only),
        LIFE(what_nobody_takes_ends),
        LIFE(a_password_lets_in_and_is_not_told),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_redis_release(&server);
    return failed;
}
