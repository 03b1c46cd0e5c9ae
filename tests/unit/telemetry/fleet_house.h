/* fleet_house: three nodes on one real Redis, and one that is fed everything. */
#ifndef PADDOCK_TESTS_TELEMETRY_FLEET_HOUSE_H
#define PADDOCK_TESTS_TELEMETRY_FLEET_HOUSE_H

#include "fixture.h"

#include "support/random.h"
#include "support/redis.h"
#include "store/wait.h"
#include "telemetry/fleet.h"
#include "telemetry/series.h"
#include "telemetry/snapshot.h"

#include "stats/codec.h"

#include <math.h>
#include <signal.h>
#include <time.h>

#define NODES  3
#define MODELS 4

static const char *const NAMES[NODES] = {"a", "b", "c"};
static struct test_redis server;

/* Of the stores, whose threads look at it whenever they like. */
static atomic_int_fast64_t store_ms;

static inline int64_t store_wall(void *self)
{
    (void)self;
    return atomic_load(&store_ms);
}

static struct clock store_clock = {.wall_ms = store_wall}; /* and the system's monotonic one */

struct house {
    struct fixture nodes[NODES], one; /* `one`: alone, and has everything */
    uint64_t random;
};

/* --- nodes --- */

static inline void join(struct fixture *f, const char *name)
{
    char url[64];
    struct err e = {0};
    snprintf(url, sizeof url, "redis://127.0.0.1:%u/0", server.port);
    const struct redis_settings settings = {.url = url, .node = name, .reply_ms = 500};
    f->store = f->inner = store_redis_open(&settings, &store_clock, &e);
    if (!f->store)
        fail_msg("%s cannot join: %s", name, e.detail);
    f->config.store = f->store;
    fixture_open(f);
}

/* `threads`: rounds and roll-ups by themselves, as in a server. */
static inline void house_init(struct house *h, int nodes, bool threads)
{
    *h = (struct house){0};
    h->random = 17;
    store_clock.mono_ns = CLOCK_SYSTEM.mono_ns;
    atomic_store(&store_ms, START);
    assert_true(test_redis_say(&server, "FLUSHALL", "+OK"));
    for (int i = 0; i < nodes; i++) {
        fixture_prepare(&h->nodes[i]);
        h->nodes[i].config.no_roll_up_thread = !threads;
        h->nodes[i].store->ops->close(h->nodes[i].store);
        join(&h->nodes[i], NAMES[i]);
    }
    fixture_init(&h->one);
}

static inline void house_release(struct house *h)
{
    for (int i = 0; i < NODES; i++)
        if (h->nodes[i].telemetry)
            fixture_release(&h->nodes[i]);
    fixture_release(&h->one);
}

/* kill -9, and start again. */
static inline void kill_node(struct house *h, int i)
{
    struct fixture *f = &h->nodes[i];
    telemetry_abandon(f->telemetry);
    f->store->ops->close(f->store);
    join(f, NAMES[i]);
}

static inline void move_clocks(struct house *h, int64_t ms)
{
    for (int i = 0; i < NODES; i++)
        h->nodes[i].clock.wall_ms += ms;
    h->one.clock.wall_ms += ms;
    atomic_store(&store_ms, h->one.clock.wall_ms);
}

/* Everybody tells, then everybody hears. */
static inline void meet(struct house *h)
{
    struct err e = {0};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NODES; i++)
            if (h->nodes[i].telemetry && !fleet_round(h->nodes[i].telemetry->fleet, &e))
                fail_msg("%s: %s", NAMES[i], e.detail);
}

/* The same, as soon as all have a connection again. */
static inline void meet_at_last(struct house *h)
{
    for (int i = 0; i < NODES; i++) {
        struct err e = {0};
        int patience = 6000;
        while (!fleet_round(h->nodes[i].telemetry->fleet, &e)) {
            if (--patience == 0)
                fail_msg("%s: %s", NAMES[i], e.detail);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    meet(h);
}

/* --- records --- */

static inline void put_line(struct house *h, struct bytes *b, int64_t now)
{
    static const int64_t AGES[] = {0,          0,        0,       SECOND,  20 * SECOND,
                                   MINUTE * 5, HOUR * 3, DAY * 2, 10 * DAY};
    const uint64_t r = random_u64(&h->random);
    const int64_t age = AGES[r % (sizeof AGES / sizeof *AGES)];
    bytes_printf(b, "{\"latency_ms\":%.17g,\"timestamp\":%lld", random_latency(&h->random),
                 (long long)(now - age));
    if (r / 16 % 5 == 0)
        bytes_printf(b, ",\"success\":false,\"error_type\":\"e%d\"", (int)(r / 256 % 7));
    if (r / 16 % 3 == 0)
        bytes_printf(b, ",\"scores\":{\"s%d\":%d}", (int)(r / 512 % 4), (int)(r / 4096 % 100));
    bytes_text(b, "}\n");
}

/* The same records to a node and to the one. */
static inline void send_some(struct house *h, int node, int batches)
{
    for (int i = 0; i < batches; i++) {
        struct bytes b = BYTES_INIT(1 << 20);
        const uint64_t model = 1 + random_u64(&h->random) % MODELS;
        for (uint64_t n = 1 + random_u64(&h->random) % 40; n; n--)
            put_line(h, &b, h->one.clock.wall_ms);
        fixture_send(&h->nodes[node], model, b.data);
        fixture_send(&h->one, model, b.data);
        bytes_release(&b);
    }
}

/* --- comparing --- */

static inline bool take_row(void *ctx, const char *key, int64_t at, const char *id,
                            const void *data, size_t len)
{
    (void)key, (void)id;
    const void *bytes = slot_row_open(data, len, &len);
    return bytes && snapshot_add(ctx, at, bytes, len);
}

/* The latencies of a tier, all that is kept of them, as bytes. */
static inline void latencies_of(struct fixture *f, uint64_t uid, enum tier tier, struct bytes *out)
{
    struct err e = {0};
    struct snapshot s;
    struct tally sum;
    struct live *l = models_find(&f->telemetry->models, uid);
    assert_non_null(l);
    snapshot_init(&s);
    tally_init(&sum, TIERS[tier].scale);
    const int64_t now = f->clock.wall_ms, from = tier_oldest(tier, now, f->telemetry->retention_ms);
    assert_true(snapshot_take(&s, l, tier, from, now + DAY, 0, &e));
    char key[SERIES_KEY_SIZE];
    series_key(f->telemetry->space, (int)tier, uid, key);
    struct series_read read = {
        .key = key, .from = from, .to = now + DAY, .each = take_row, .ctx = &s};
    if (tier == TIER_6H)
        assert_true(store_read_wait(f->store, &read, &e));
    snapshot_sort(&s);
    assert_true(snapshot_sum(&s, 0, INT64_MAX, &sum, &e) >= 0);
    assert_true(sketch_encode(&sum.latency, out));
    tally_release(&sum);
    snapshot_release(&s);
    live_release(l, &f->telemetry->rings);
}

static inline void same_words(const struct metrics *a, const struct metrics *b)
{
    assert_int_equal(a->n_errors, b->n_errors);
    for (size_t i = 0; i < a->n_errors; i++) {
        assert_string_equal(a->errors[i].type, b->errors[i].type);
        assert_int_equal(a->errors[i].count, b->errors[i].count);
    }
    assert_int_equal(a->n_scores, b->n_scores);
    for (size_t i = 0; i < a->n_scores; i++) {
        const struct score_summary *x = &a->scores[i], *y = NULL;
        for (size_t k = 0; k < b->n_scores; k++)
            if (strcmp(b->scores[k].name, x->name) == 0)
                y = &b->scores[k];
        assert_non_null(y);
        assert_int_equal(x->count, y->count);
        assert_true(x->min == y->min && x->max == y->max);
        assert_true(fabs(x->mean - y->mean) < 1e-9 * (1 + fabs(y->mean)));
    }
}

static inline void same_window(struct fixture *f, struct fixture *one, uint64_t uid, int64_t window)
{
    struct metrics_query q = {.window_ms = window,
                              .quantiles = {0.1, 0.999},
                              .n_quantiles = 2,
                              .method = METHOD_PROMQL, /* never from the ring, which is a node's */
                              .resolution_ms = window / 10};
    struct metrics a = fixture_ask(f, uid, &q), b = fixture_ask(one, uid, &q);
    assert_int_equal(a.total, b.total);
    assert_int_equal(a.failure, b.failure);
    assert_int_equal(a.lifetime.total, b.lifetime.total);
    assert_int_equal(a.lifetime.failure, b.lifetime.failure);
    assert_int_equal(a.from, b.from);
    assert_memory_equal(a.latency.quantiles, b.latency.quantiles, 2 * sizeof(double));
    if (a.total)
        assert_true(a.latency.mean == b.latency.mean && a.latency.p99 == b.latency.p99 &&
                    a.latency.min == b.latency.min && a.latency.max == b.latency.max);
    same_words(&a, &b);
    assert_int_equal(a.n_series, b.n_series);
    for (size_t i = 0; i < a.n_series; i++)
        assert_memory_equal(&a.series[i], &b.series[i], sizeof a.series[i]);
}

/* `seconds`: also slots of 5 s, which a start does not bring back. */
static inline void all_the_same(struct house *h, bool seconds)
{
    static const int64_t WINDOWS[] = {MINUTE, HOUR, DAY, 6 * DAY, 60 * DAY};
    for (int i = 0; i < NODES; i++)
        for (uint64_t uid = 1; h->nodes[i].telemetry && uid <= MODELS; uid++) {
            for (size_t w = seconds ? 0 : 1; w < sizeof WINDOWS / sizeof *WINDOWS; w++)
                same_window(&h->nodes[i], &h->one, uid, WINDOWS[w]);
            for (enum tier t = seconds ? TIER_5S : TIER_MINUTE; t < TIER_COUNT; t++) {
                struct bytes a = BYTES_INIT(1 << 20), b = BYTES_INIT(1 << 20);
                latencies_of(&h->nodes[i], uid, t, &a);
                latencies_of(&h->one, uid, t, &b);
                assert_int_equal(a.len, b.len);
                assert_memory_equal(a.data, b.data, a.len);
                bytes_release(&a);
                bytes_release(&b);
            }
        }
}

static inline void stop_node(struct house *h, int i)
{
    struct fixture *f = &h->nodes[i];
    telemetry_close(f->telemetry);
    f->store->ops->close(f->store);
    f->telemetry = NULL;
}

static inline void everybody_rolls_up(struct house *h)
{
    meet(h);
    for (int i = 0; i < NODES; i++)
        if (h->nodes[i].telemetry)
            fixture_roll_up(&h->nodes[i]);
}

/* In main(): a Redis, the tests, and what becomes of them. */
static inline int house_run(int (*tests)(void))
{
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = test_redis_start(&server) ? tests() : 1;
    test_redis_release(&server);
    return failed;
}

/* Has the node counted as many as one node that was sent everything? */
static inline bool has_as_many(struct house *h, int i)
{
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        if (fixture_window(&h->nodes[i], uid, HOUR).total !=
            fixture_window(&h->one, uid, HOUR).total)
            return false;
    return true;
}

/* Queries that go on beside all else. */
static inline void all_answer(struct house *h)
{
    for (int i = 0; i < NODES; i++)
        for (uint64_t uid = 1; uid <= MODELS; uid++)
            fixture_window(&h->nodes[i], uid, 2 * HOUR);
}

#endif
