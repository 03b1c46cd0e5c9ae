/* Evidence of an experiment on three nodes with one real Redis against one node that hears of
 * everything: whoever looks, each request counts once. */
#include "selection/experiment_evidence.h"

#include "selection/selector.h"
#include "support/random.h"
#include "support/redis.h"
#include "support/unit.h"

#include "stats/codec.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define NODES 3
#define UID   1
#define ROUTE 2
#define SINCE 100

static const char *const NAMES[NODES] = {"a", "b", "c"};
static struct test_redis server;

struct node {
    struct store *store;
    struct facts *facts;
    struct experiment_evidence *evidence;
    struct evidence_slot slot; /* of its last look */
};

struct house {
    struct node nodes[NODES];
    struct experiment_evidence *one;
    struct evidence_slot all, sum; /* of the one; of all looks */
    uint64_t random, upto;         /* upto: of the last look, as it is in the store */
};

static void listen_to(struct experiment_evidence *e, uint64_t upto)
{
    const struct evidence_watch w = {.uid = UID,
                                     .route_uid = ROUTE,
                                     .treatment_count = 2,
                                     .arms = {10, 11, 12},
                                     .models = {20, 21, 22},
                                     .since_ms = SINCE,
                                     .metric_count = 2,
                                     .scores = {"", "reward"},
                                     .upto = upto};
    evidence_watch(e, &w);
}

static void node_open(struct house *h, int i)
{
    char url[64];
    struct err e = {0};
    struct node *n = &h->nodes[i];
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/0", server.port);
    const struct redis_settings settings = {.url = url, .node = NAMES[i], .reply_ms = 2000};
    n->store = store_redis_open(&settings, &CLOCK_SYSTEM, &e);
    if (!n->store)
        fail_msg("%s cannot join: %s", NAMES[i], e.detail);
    n->facts = facts_new(&(struct facts_config){n->store, &CLOCK_SYSTEM, .no_thread = true});
    n->evidence = evidence_new(n->facts);
    evidence_slot_init(&n->slot);
    listen_to(n->evidence, h->upto);
    if (!facts_start(n->facts, &e))
        fail_msg("%s does not start: %s", NAMES[i], e.detail);
}

static void node_close(struct node *n)
{
    facts_free(n->facts);
    evidence_free(n->evidence);
    evidence_slot_release(&n->slot);
    n->store->ops->close(n->store);
}

static void house_init(struct house *h)
{
    *h = (struct house){.random = 3, .one = evidence_new(NULL)};
    assert_true(test_redis_say(&server, "FLUSHALL", "+OK"));
    evidence_slot_init(&h->all);
    evidence_slot_init(&h->sum);
    listen_to(h->one, 0);
    for (int i = 0; i < NODES; i++)
        node_open(h, i);
}

static void house_release(struct house *h)
{
    for (int i = 0; i < NODES; i++)
        node_close(&h->nodes[i]);
    evidence_free(h->one);
    evidence_slot_release(&h->all);
    evidence_slot_release(&h->sum);
}

static void round_of(struct node *n)
{
    struct err e = {0};
    for (int patience = 6000; !facts_round(n->facts, &e); patience--) {
        if (patience == 0)
            fail_msg("%s", e.detail);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void meet(struct house *h)
{
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NODES; i++)
            round_of(&h->nodes[i]);
}

/* What one request is, to a node and to the one. Shares and scores are such that sums are exact. */
static void send_some(struct house *h, int node, int n)
{
    for (; n; n--) {
        const uint64_t r = random_u64(&h->random);
        const uint32_t arm = r % 4 < 2 ? 0 : (uint32_t)(r % 4 - 1);
        const struct evidence_request q = {.decision = {.flags = DECISION_DRAWN,
                                                        .reason = SELECTION_EXPERIMENT,
                                                        .route_uid = ROUTE,
                                                        .at_ms = SINCE + 1,
                                                        .propensity = arm ? 0.25 : 0.5,
                                                        .arm = 10 + arm,
                                                        .served_uid = 20 + arm},
                                           .latency_ms = random_latency(&h->random),
                                           .failure = r / 16 % 8 == 0};
        evidence_request(h->nodes[node].evidence, &q);
        evidence_request(h->one, &q);
        if (r / 128 % 3)
            continue;
        evidence_score(h->nodes[node].evidence, &q.decision, "reward", 6, 0.5);
        evidence_score(h->one, &q.decision, "reward", 6, 0.5);
    }
}

static void add(struct evidence_slot *sum, const struct evidence_slot *s)
{
    for (int i = 0; i < EVIDENCE_ARMS; i++) {
        sum->requests[i] += s->requests[i];
        sum->errors[i] += s->errors[i];
        sum->planned[i] += s->planned[i];
        assert_true(sketch_merge(&sum->latency[i], &s->latency[i]));
        for (int k = 0; k < EXPERIMENT_GUARDRAILS; k++)
            moments_merge(&sum->scores[i][k], &s->scores[i][k]);
    }
    sum->score_count += s->score_count;
}

static void same(const struct evidence_slot *a, const struct evidence_slot *b)
{
    for (int i = 0; i < EVIDENCE_ARMS; i++) {
        struct bytes x = BYTES_INIT(SKETCH_ENCODED_MAX), y = BYTES_INIT(SKETCH_ENCODED_MAX);
        assert_int_equal(a->requests[i], b->requests[i]);
        assert_int_equal(a->errors[i], b->errors[i]);
        assert_true(fabs(a->planned[i] - b->planned[i]) < 1e-6);
        assert_true(sketch_encode(&a->latency[i], &x) && sketch_encode(&b->latency[i], &y));
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
        assert_int_equal(a->scores[i][1].count, b->scores[i][1].count);
        bytes_release(&x);
        bytes_release(&y);
    }
    assert_int_equal(a->score_count, b->score_count);
}

/* A node looks, its look is kept, and the others take it: they let go what it has. */
static void look(struct house *h, int node)
{
    struct node *n = &h->nodes[node];
    h->upto = evidence_take(n->evidence, UID, &n->slot);
    add(&h->sum, &n->slot);
    for (int i = 0; i < NODES; i++)
        evidence_looked(h->nodes[i].evidence, UID, h->upto);
}

static void compare(struct house *h)
{
    struct evidence_slot came;
    evidence_slot_init(&came);
    (void)evidence_take(h->one, UID, &came);
    add(&h->all, &came);
    evidence_slot_release(&came);
    same(&h->sum, &h->all);
}

/* ---- tests ---- */

static void whoever_looks_has_what_came_to_all(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < NODES; k++)
            send_some(&h, k, 20);
        meet(&h);
        for (int k = 0; k < NODES;
             k++) { /* all would see the same, and it stays until it is kept */
            (void)evidence_take(h.nodes[k].evidence, UID, &h.nodes[k].slot);
            same(&h.nodes[k].slot, &h.nodes[0].slot);
        }
        if (i % 3)
            continue;
        look(&h, i / 3 % NODES);
        compare(&h);
    }
    house_release(&h);
}

/* What was told is looked at by somebody else, and what was looked at by nobody again. */
static void a_decider_that_dies_takes_nothing_along(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h);
    for (int i = 0; i < 9; i++) {
        for (int k = 0; k < NODES; k++)
            send_some(&h, k, 20);
        meet(&h);
        node_close(&h.nodes[i % NODES]); /* it had all of it, and has kept no look */
        node_open(&h, i % NODES);
        send_some(&h, (i + 1) % NODES, 5);
        meet(&h);
        look(&h, i % 2 ? i % NODES : (i + 1) % NODES);
        compare(&h);
        for (int k = 0; k < NODES; k++)
            assert_true(facts_put_away(h.nodes[k].facts, &e));
    }
    house_release(&h);
}

static void while_redis_is_away_it_waits(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h);
    send_some(&h, 0, 20);
    meet(&h);
    test_redis_signal(&server, SIGKILL);
    for (int i = 0; i < 3; i++) {
        send_some(&h, i, 20);
        assert_false(facts_round(h.nodes[i].facts, &e));
        send_some(&h, i, 20);
    }
    assert_true(test_redis_start(&server));
    meet(&h);
    look(&h, 2);
    compare(&h);
    house_release(&h);
}

/* Who begins to listen a moment after the others has what they have told by then. */
static void who_listens_late_has_what_came_just_before(void **state)
{
    struct house h;
    (void)state;
    house_init(&h);
    evidence_drop(h.nodes[1].evidence, UID);
    send_some(&h, 0, 20);
    meet(&h);
    listen_to(h.nodes[1].evidence, 0);
    send_some(&h, 1, 20);
    meet(&h);
    look(&h, 1);
    compare(&h);
    house_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_looks_has_what_came_to_all),
        cmocka_unit_test(a_decider_that_dies_takes_nothing_along),
        cmocka_unit_test(while_redis_is_away_it_waits),
        cmocka_unit_test(who_listens_late_has_what_came_just_before),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = test_redis_start(&server) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    test_redis_release(&server);
    return failed;
}
