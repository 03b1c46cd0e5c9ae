/* Outcomes of three nodes on one real Redis against one that is told everything: each is counted
 * once, in one order, on all of them, whatever ends in between. */
#include "selection/facts.h"

#include "base/hash.h"
#include "base/latch.h"
#include "selection/outcomes.h"
#include "support/random.h"
#include "support/redis.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NODES  3
#define NOW    1700000000000
#define WINDOW 600000
#define ROUTES 2

static const char *const NAMES[NODES + 1] = {"a", "b", "c", "d"};
static struct test_redis server;

/* One server's part of it, and who follows its outcomes. */
struct node {
    char dir[TEMP_DIR_SIZE];
    const char *name; /* NULL: it is alone */
    struct manual_clock clock;
    struct store *store;
    struct facts *facts;
    struct outcomes *outcomes;
    uint64_t followed, order; /* how many, and a hash over all with their positions */
    uint64_t position, saved;
};

struct house {
    struct node nodes[NODES + 1], one;
    struct decision_keys *keys;
    char dir[TEMP_DIR_SIZE];
    uint64_t random, nonce;
};

static void follow(void *self, uint64_t position, const struct outcome *o)
{
    struct node *n = self;
    assert_true(position >= n->position);
    n->position = position;
    n->followed++;
    n->order = hash64(o->decision_id, sizeof o->decision_id, n->order + position);
}

static uint64_t saved(void *self)
{
    return ((struct node *)self)->saved;
}

static void anew(void *self)
{
    struct node *n = self;
    n->followed = n->order = n->position = 0;
}

static void node_open(struct node *n)
{
    char url[64];
    struct err e = {0};
    if (n->name) {
        snprintf(url, sizeof url, "redis://127.0.0.1:%u/0", server.port);
        const struct redis_settings settings = {.url = url, .node = n->name, .reply_ms = 2000};
        n->store = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
        if (!n->store)
            fail_msg("%s cannot join: %s", n->name, e.detail);
        n->facts = facts_new(&(struct facts_config){n->store, &n->clock.clock, .no_thread = true});
    }
    const struct outcomes_config config = {.dir = n->dir,
                                           .clock = &n->clock.clock,
                                           .window_ms = WINDOW,
                                           .segment_bytes = 65536,
                                           .facts = n->facts,
                                           .store = n->store,
                                           .followers = {{follow, saved, anew, n}},
                                           .follower_count = 1};
    n->outcomes = outcomes_open(&config, &e);
    if (!n->outcomes || (n->facts && !facts_start(n->facts, &e)))
        fail_msg("%s does not start: %s", n->name ? n->name : "alone", e.detail);
}

static void node_close(struct node *n)
{
    outcomes_close(n->outcomes);
    facts_free(n->facts);
    if (n->store)
        n->store->ops->close(n->store);
    n->outcomes = NULL;
    n->facts = NULL;
    n->store = NULL;
}

/* As after kill -9: what was durable is there, and nothing was told any more. */
static void kill_node(struct node *n)
{
    node_close(n);
    anew(n);
    node_open(n);
}

static void node_init(struct node *n, const char *name)
{
    n->name = name;
    temp_dir_make_fast(n->dir);
    manual_clock_init(&n->clock, NOW);
}

static void house_init(struct house *h)
{
    struct err e = {0};
    char path[TEMP_DIR_SIZE + 8];
    *h = (struct house){.random = 7};
    assert_true(test_redis_say(&server, "FLUSHALL", "+OK"));
    temp_dir_make_fast(h->dir);
    snprintf(path, sizeof path, "%s/keys", h->dir);
    assert_non_null(h->keys = decision_keys_open(path, true, &e));
    for (int i = 0; i <= NODES; i++)
        node_init(&h->nodes[i], NAMES[i]);
    for (int i = 0; i < NODES; i++)
        node_open(&h->nodes[i]);
    node_init(&h->one, NULL);
    node_open(&h->one);
}

static void house_release(struct house *h)
{
    for (int i = 0; i <= NODES; i++) {
        node_close(&h->nodes[i]);
        temp_dir_remove(h->nodes[i].dir);
    }
    node_close(&h->one);
    temp_dir_remove(h->one.dir);
    decision_keys_close(h->keys);
    temp_dir_remove(h->dir);
}

static void round_of(struct node *n)
{
    struct err e = {0};
    for (int patience = 6000; !facts_round(n->facts, &e); patience--) {
        if (patience == 0)
            fail_msg("%s: %s", n->name, e.detail);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* Everybody tells, then everybody hears. */
static void meet(struct house *h)
{
    for (int round = 0; round < 2; round++)
        for (int i = 0; i <= NODES; i++)
            if (h->nodes[i].facts)
                round_of(&h->nodes[i]);
}

static struct outcome outcome(struct house *h)
{
    const uint64_t r = random_u64(&h->random);
    struct outcome o = {.model_uid = 7 + r % 3, .value = (double)(r / 8 % 16) / 4, .at_ms = NOW};
    o.decision = (struct decision_facts){.at_ms = NOW - (int64_t)(r / 128 % 1000),
                                         .propensity = 0.25,
                                         .route_uid = 1 + r / 131072 % ROUTES,
                                         .served_uid = o.model_uid,
                                         .arm = (uint32_t)(o.model_uid),
                                         .nonce = ++h->nonce};
    snprintf(o.name, sizeof o.name, "%s", r / 1048576 % 4 ? "reward" : "clicks");
    decision_id_make(h->keys, &o.decision, o.decision_id);
    return o;
}

static void written(struct outcomes_write *w)
{
    latch_open(w->owner);
}

static struct outcomes_write send(struct node *n, const struct outcome *list, size_t count)
{
    struct err e = {0};
    struct latch done;
    struct outcomes_write w = {.list = list, .n = count, .done = written, .owner = &done};
    latch_init(&done);
    assert_true(outcomes_append(n->outcomes, &w, &e));
    latch_wait(&done);
    assert_true(w.ok);
    return w;
}

/* To one of the nodes, sometimes to another as well; to the one that is alone in any case. */
static void send_some(struct house *h, int batches)
{
    struct outcome list[5];
    for (int i = 0; i < batches; i++) {
        const uint64_t r = random_u64(&h->random);
        const size_t n = 1 + r % 5;
        for (size_t k = 0; k < n; k++)
            list[k] = outcome(h);
        (void)send(&h->nodes[r / 8 % NODES], list, n);
        if (r / 64 % 3 == 0)
            (void)send(&h->nodes[r / 512 % NODES], list, 1 + r / 4096 % n);
        (void)send(&h->one, list, n);
    }
}

struct sums {
    uint64_t count, counters, hash;
};

/* Values are quarters, so sums are the same in any order. */
static void add(void *ctx, const struct outcome_count *c)
{
    struct sums *s = ctx;
    const struct {
        uint64_t route, model, arm, count;
        double sum, squares, weight, weighted;
    } row = {c->route_uid, c->model_uid,   c->arm,    c->count,
             c->sum,       c->sum_squares, c->weight, c->weighted_sum};
    s->count += c->count;
    s->counters++;
    s->hash += hash64(&row, sizeof row, hash64(c->name, strlen(c->name), 0)); /* in any order */
}

static struct sums sums_of(struct node *n)
{
    struct sums s = {0};
    outcomes_each(n->outcomes, 0, add, &s);
    return s;
}

static void same(struct node *n, struct node *as)
{
    const struct sums is = sums_of(n), wanted = sums_of(as);
    assert_int_equal(is.count, wanted.count);
    assert_int_equal(is.counters, wanted.counters);
    assert_true(is.hash == wanted.hash);
}

static void all_count_the_same(struct house *h)
{
    for (int i = 0; i <= NODES; i++)
        if (h->nodes[i].outcomes)
            same(&h->nodes[i], &h->one);
}

static void all_the_same(struct house *h)
{
    all_count_the_same(h);
    for (int i = 0; i <= NODES; i++)
        if (h->nodes[i].outcomes) {
            assert_int_equal(h->nodes[i].followed, h->nodes[0].followed);
            assert_true(h->nodes[i].order == h->nodes[0].order);
        }
    assert_int_equal(h->nodes[0].followed, h->one.followed);
}

/* ---- tests ---- */

static void every_node_counts_all_once(void **state)
{
    struct house h;
    uint64_t accepted = 0;
    (void)state;
    house_init(&h);
    for (int i = 0; i < 10; i++) {
        send_some(&h, 30);
        meet(&h);
        all_the_same(&h);
    }
    for (int i = 0; i < NODES; i++) {
        struct outcomes_stats s;
        outcomes_stats(h.nodes[i].outcomes, &s);
        accepted += s.accepted;
        assert_int_equal(s.untold_bytes, 0);
    }
    assert_int_equal(accepted, sums_of(&h.one).count); /* what all say adds up */
    house_release(&h);
}

static void what_came_elsewhere_is_a_duplicate(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    const struct outcome o = outcome(&h);
    assert_int_equal(send(&h.nodes[0], &o, 1).accepted, 1);
    assert_int_equal(send(&h.nodes[1], &o, 1).accepted, 1); /* it cannot know yet */
    meet(&h);
    assert_int_equal(send(&h.nodes[2], &o, 1).duplicate, 1);
    meet(&h);
    for (int i = 0; i < NODES; i++)
        assert_int_equal(sums_of(&h.nodes[i]).count, 1);
    house_release(&h);
}

static void ends_of_nodes_lose_and_double_nothing(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    for (int i = 0; i < 12; i++) {
        struct err e = {0};
        send_some(&h, 10);
        if (i % 2)
            round_of(&h.nodes[(i + 1) % NODES]);
        kill_node(&h.nodes[i % NODES]);
        if (i % 4 == 3)
            assert_true(facts_put_away(h.nodes[i % NODES].facts, &e));
    }
    meet(&h);
    for (int i = 0; i < NODES; i++)
        kill_node(&h.nodes[i]); /* they follow from the beginning: nothing of it is put away */
    all_the_same(&h);
    house_release(&h);
}

static void a_large_write_travels_in_pieces(void **state)
{
    enum { MANY = 2500 };
    static struct outcome list[MANY];
    struct house h;
    (void)state;
    house_init(&h);
    for (int i = 0; i < MANY; i++)
        list[i] = outcome(&h);
    assert_int_equal(send(&h.nodes[1], list, MANY).accepted, MANY);
    assert_int_equal(send(&h.one, list, MANY).accepted, MANY);
    kill_node(&h.nodes[1]);
    meet(&h);
    all_the_same(&h);
    struct facts_stats s;
    facts_stats(h.nodes[0].facts, &s);
    assert_int_equal(s.heard, 3);
    house_release(&h);
}

/* What is put away and followed leaves the stream; who comes late has all the same. */
static void who_comes_late_has_everything(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h);
    send_some(&h, 100);
    meet(&h);
    for (int i = 0; i < NODES; i++)
        h.nodes[i].saved = h.nodes[i].position;
    for (int i = 0; i < NODES; i++) /* one of them is the decider */
        assert_true(facts_put_away(h.nodes[i].facts, &e));
    assert_true(test_redis_say(&server, "XLEN paddock:{c}:facts:0", ":1\r"));
    h.nodes[NODES].saved = h.nodes[0].saved;
    node_open(&h.nodes[NODES]);
    same(&h.nodes[NODES], &h.one);
    assert_int_equal(h.nodes[NODES].followed, 0);
    const uint64_t before = h.one.followed;
    send_some(&h, 20);
    meet(&h);
    all_count_the_same(&h);
    assert_int_equal(h.nodes[NODES].followed, h.one.followed - before);
    house_release(&h);
}

/* kill -9 of Redis: what was told is there, what was not is told once. */
static void redis_that_is_away_gets_everything_once(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    send_some(&h, 20);
    round_of(&h.nodes[0]);
    test_redis_signal(&server, SIGKILL);
    send_some(&h, 20);
    struct err e = {0};
    assert_false(facts_round(h.nodes[0].facts, &e));
    assert_true(test_redis_start(&server));
    meet(&h);
    all_the_same(&h);
    house_release(&h);
}

/* A failover to a replica that was behind, as far as the common stream goes: entries are gone, and
 * their hashes; some numbers are given anew before everybody looks. */
static void what_redis_lost_is_told_again(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    send_some(&h, 20);
    meet(&h);
    assert_true(test_redis_say(&server, "COPY paddock:{c}:facts was:{c}:f", ":1"));
    assert_true(test_redis_say(&server, "COPY paddock:{c}:facts:0 was:{c}:s", ":1"));
    assert_true(test_redis_say(&server, "COPY paddock:{c}:facts:new was:{c}:n", ":1"));
    send_some(&h, 20);
    meet(&h);
    assert_true(test_redis_say(&server, "RENAME was:{c}:f paddock:{c}:facts", "+OK"));
    assert_true(test_redis_say(&server, "RENAME was:{c}:s paddock:{c}:facts:0", "+OK"));
    assert_true(test_redis_say(&server, "RENAME was:{c}:n paddock:{c}:facts:new", "+OK"));
    send_some(&h, 20);
    for (int i = 0; i < 8; i++) { /* the first one goes beyond what the others had heard */
        send_some(&h, 1);
        round_of(&h.nodes[0]);
    }
    meet(&h);
    all_the_same(&h);
    house_release(&h);
}

/* Nodes that counted each for itself: what they have is told once, and the rest goes on. */
static void what_was_counted_before_is_taken_along(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    for (int i = 0; i < NODES; i++) {
        struct node *n = &h.nodes[i];
        node_close(n);
        n->name = NULL;
        node_open(n);
    }
    for (int i = 0; i < 60; i++) {
        const struct outcome o = outcome(&h);
        (void)send(&h.nodes[i % NODES], &o, 1);
        (void)send(&h.one, &o, 1);
    }
    assert_true(test_redis_say(&server, "FLUSHALL", "+OK"));
    for (int i = 0; i < NODES; i++) {
        struct node *n = &h.nodes[i];
        node_close(n);
        n->name = NAMES[i];
        anew(n);
        node_open(n);
    }
    meet(&h);
    all_count_the_same(&h);
    for (int i = 0; i < NODES; i++)
        assert_int_equal(h.nodes[i].followed, 0);
    kill_node(&h.nodes[0]);
    send_some(&h, 20);
    meet(&h);
    all_count_the_same(&h);
    house_release(&h);
}

/* An import brings counters, and not the stream: it goes on behind them. */
static void counters_that_were_moved_go_on(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h);
    send_some(&h, 50);
    meet(&h);
    for (int i = 0; i < NODES; i++) {
        h.nodes[i].saved = h.nodes[i].position;
        assert_true(facts_put_away(h.nodes[i].facts, &e));
    }
    const uint64_t before = h.nodes[0].position;
    for (int i = 0; i < NODES; i++) {
        node_close(&h.nodes[i]);
        temp_dir_remove(h.nodes[i].dir);
        temp_dir_make_fast(h.nodes[i].dir);
        anew(&h.nodes[i]);
    }
    assert_true(test_redis_say(&server, "DEL paddock:{c}:facts paddock:{c}:facts:0", ":2"));
    for (int i = 0; i < NODES; i++)
        node_open(&h.nodes[i]);
    send_some(&h, 20);
    meet(&h);
    all_count_the_same(&h);
    for (int i = 0; i < NODES; i++)
        assert_true(h.nodes[i].position > before);
    house_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_counts_all_once),
        cmocka_unit_test(what_came_elsewhere_is_a_duplicate),
        cmocka_unit_test(ends_of_nodes_lose_and_double_nothing),
        cmocka_unit_test(a_large_write_travels_in_pieces),
        cmocka_unit_test(who_comes_late_has_everything),
        cmocka_unit_test(redis_that_is_away_gets_everything_once),
        cmocka_unit_test(what_redis_lost_is_told_again),
        cmocka_unit_test(what_was_counted_before_is_taken_along),
        cmocka_unit_test(counters_that_were_moved_go_on),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = test_redis_start(&server) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    test_redis_release(&server);
    return failed;
}
