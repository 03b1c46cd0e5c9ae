/* Three nodes on one real Redis against one that is fed everything: the same figures, to the byte
 * where they are sketches, whatever ends in between. */
#include "fixture.h"

#include "support/random.h"
#include "support/redis.h"
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

static int64_t store_wall(void *self)
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

static void join(struct fixture *f, const char *name)
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
static void house_init(struct house *h, int nodes, bool threads)
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

static void house_release(struct house *h)
{
    for (int i = 0; i < NODES; i++)
        if (h->nodes[i].telemetry)
            fixture_release(&h->nodes[i]);
    fixture_release(&h->one);
}

/* kill -9, and start again. */
static void kill_node(struct house *h, int i)
{
    struct fixture *f = &h->nodes[i];
    telemetry_abandon(f->telemetry);
    f->store->ops->close(f->store);
    join(f, NAMES[i]);
}

static void move_clocks(struct house *h, int64_t ms)
{
    for (int i = 0; i < NODES; i++)
        h->nodes[i].clock.wall_ms += ms;
    h->one.clock.wall_ms += ms;
    atomic_store(&store_ms, h->one.clock.wall_ms);
}

/* Everybody tells, then everybody hears. */
static void meet(struct house *h)
{
    struct err e = {0};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NODES; i++)
            if (h->nodes[i].telemetry && !fleet_round(h->nodes[i].telemetry->fleet, &e))
                fail_msg("%s: %s", NAMES[i], e.detail);
}

/* The same, as soon as all have a connection again. */
static void meet_at_last(struct house *h)
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

static void put_line(struct house *h, struct bytes *b, int64_t now)
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
static void send_some(struct house *h, int node, int batches)
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

static bool take_row(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                     size_t len)
{
    (void)key, (void)id;
    const void *bytes = slot_row_open(data, len, &len);
    return bytes && snapshot_add(ctx, at, bytes, len);
}

/* The latencies of a tier, all that is kept of them, as bytes. */
static void latencies_of(struct fixture *f, uint64_t uid, enum tier tier, struct bytes *out)
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
        assert_true(series_read_wait(f->store, &read, &e));
    snapshot_sort(&s);
    assert_true(snapshot_sum(&s, 0, INT64_MAX, &sum, &e) >= 0);
    assert_true(sketch_encode(&sum.latency, out));
    tally_release(&sum);
    snapshot_release(&s);
    live_release(l, &f->telemetry->rings);
}

static void same_words(const struct metrics *a, const struct metrics *b)
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

static void same_window(struct fixture *f, struct fixture *one, uint64_t uid, int64_t window)
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
static void all_the_same(struct house *h, bool seconds)
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

/* --- tests --- */

static void every_node_has_the_figures_of_all(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    move_clocks(&h, 10 * SECOND); /* 5 s slots are whole from here on */
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, (int)(random_u64(&h.random) % 4));
        if (round % 3)
            meet(&h);
        if (round % 7 == 6)
            fixture_roll_up(&h.nodes[round % NODES]);
        move_clocks(&h, round % 10 == 9 ? 2 * HOUR : 3 * SECOND);
    }
    for (int i = 0; i < NODES; i++)
        send_some(&h, i, 3);
    meet(&h);
    all_the_same(&h, true);
    house_release(&h);
}

/* kill -9 before the records are told, after, with rows and without. */
static void a_node_that_is_killed_loses_and_doubles_nothing(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 24; round++) {
        const int victim = (int)(random_u64(&h.random) % NODES);
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, (int)(random_u64(&h.random) % 3));
        if (round % 4 == 1)
            meet(&h);
        if (round % 4 == 2) /* told, not heard */
            assert_true(fleet_ship(h.nodes[victim].telemetry->fleet, &e));
        if (round % 5 == 3)
            fixture_roll_up(&h.nodes[victim]);
        if (round % 5 == 4)
            fixture_roll_up(&h.nodes[(victim + 1) % NODES]);
        kill_node(&h, victim);
        move_clocks(&h, round % 8 == 7 ? 6 * HOUR : 20 * SECOND);
    }
    meet(&h);
    all_the_same(&h, false);
    for (int i = 0; i < NODES; i++) {
        fixture_roll_up(&h.nodes[i]);
        kill_node(&h, i);
    }
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

static const struct store_ops *whole_ops;

static void append_without_marks(struct store *s, struct series_append *a)
{
    a->n_marks = 0;
    whole_ops->append(s, a);
}

static void roll_up_without_marks(struct fixture *f)
{
    whole_ops = f->store->ops;
    struct store_ops dying = *whole_ops;
    dying.append = append_without_marks;
    f->store->ops = &dying;
    fixture_roll_up(f);
    f->store->ops = whole_ops;
}

/* kill -9 in the middle of a roll-up: rows of models are there, and not yet the marks that say how
 * far all of them are, so the streams are read again from where the marks before say. */
static void a_node_that_dies_while_it_rolls_up_doubles_nothing(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, 3);
        meet(&h);
        roll_up_without_marks(&h.nodes[round % NODES]);
        kill_node(&h, round % NODES);
        move_clocks(&h, round == 3 ? 7 * HOUR : MINUTE);
        meet(&h);
        all_the_same(&h, false);
    }
    house_release(&h);
}

static void stop_node(struct house *h, int i)
{
    struct fixture *f = &h->nodes[i];
    telemetry_close(f->telemetry);
    f->store->ops->close(f->store);
    f->telemetry = NULL;
}

static void everybody_rolls_up(struct house *h)
{
    meet(h);
    for (int i = 0; i < NODES; i++)
        if (h->nodes[i].telemetry)
            fixture_roll_up(&h->nodes[i]);
}

static bool stream_is_empty(int place)
{
    char line[64];
    snprintf(line, sizeof line, "XLEN paddock:{c}:deltas:%d", place); /* 0 where there is none */
    return test_redis_say(&server, line, ":0");
}

/* What all rows have leaves Redis; who comes later, or comes back after long, has it nonetheless.
 */
static void a_node_that_comes_late_has_everything(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, 2, false);
    for (int round = 0; round < 6; round++) {
        send_some(&h, round % 2, 4);
        move_clocks(&h, round == 3 ? 7 * HOUR : MINUTE);
        everybody_rolls_up(&h);
    }
    everybody_rolls_up(&h); /* the first to roll up has tidied before the last had its marks */
    for (int place = 0; place < 2; place++)
        assert_true(stream_is_empty(place));
    all_the_same(&h, false);

    fixture_prepare(&h.nodes[2]);
    h.nodes[2].clock.wall_ms = h.one.clock.wall_ms;
    h.nodes[2].store->ops->close(h.nodes[2].store);
    join(&h.nodes[2], NAMES[2]);
    meet(&h);
    all_the_same(&h, false);

    send_some(&h, 2, 4);
    stop_node(&h, 2); /* in good order; then for longer than it is waited for */
    for (int round = 0; round < 4; round++) {
        send_some(&h, round % 2, 4);
        move_clocks(&h, 5 * MINUTE);
        everybody_rolls_up(&h);
    }
    join(&h.nodes[2], NAMES[2]);
    meet(&h);
    all_the_same(&h, false);
    kill_node(&h, 2);
    meet(&h);
    all_the_same(&h, false);
    house_release(&h);
}

/* Redis hangs, so what was sent is not known to have come, and comes when it goes on; then it is
 * killed; meanwhile all nodes go on counting. */
static void redis_that_is_away_gets_everything_once(void **state)
{
    struct house h;
    struct err e = {0};
    (void)state;
    house_init(&h, NODES, false);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < NODES; i++)
            send_some(&h, i, 3);
        test_redis_signal(&server, round % 2 ? SIGSTOP : SIGKILL);
        for (int i = 0; i < NODES; i++) {
            assert_false(fleet_ship(h.nodes[i].telemetry->fleet, &e));
            send_some(&h, i, 3);
            same_window(&h.nodes[i], &h.nodes[i], 1, HOUR); /* it answers */
        }
        for (int k = 0; k < 40; k++) { /* more slots than are kept apart */
            move_clocks(&h, 7 * SECOND);
            send_some(&h, k % NODES, 2);
        }
        if (round == 2)
            telemetry_abandon(h.nodes[0].telemetry); /* and one node with it */
        if (round % 2)
            test_redis_signal(&server, SIGCONT);
        else
            assert_true(test_redis_start(&server));
        if (round == 2) {
            h.nodes[0].store->ops->close(h.nodes[0].store);
            join(&h.nodes[0], NAMES[0]);
        }
        meet_at_last(&h);
        all_the_same(&h, false);
    }
    house_release(&h);
}

/* Queries go on beside all that. */
static void all_answer(struct house *h)
{
    for (int i = 0; i < NODES; i++)
        for (uint64_t uid = 1; uid <= MODELS; uid++)
            fixture_window(&h->nodes[i], uid, 2 * HOUR);
}

static bool has_as_many(struct house *h, int i)
{
    for (uint64_t uid = 1; uid <= MODELS; uid++)
        if (fixture_window(&h->nodes[i], uid, HOUR).total !=
            fixture_window(&h->one, uid, HOUR).total)
            return false;
    return true;
}

static void by_themselves_they_come_to_the_same(void **state)
{
    struct house h;
    (void)state;
    house_init(&h, NODES, true);
    for (int k = 0; k < 40; k++) {
        send_some(&h, k % NODES, 2);
        if (k % 8 == 7)
            fixture_roll_up(&h.nodes[k % NODES]);
        all_answer(&h);
    }
    for (int i = 0; i < NODES; i++)
        for (int patience = 6000; !has_as_many(&h, i); patience--) {
            assert_true(patience > 0);
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    all_the_same(&h, false);
    house_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_has_the_figures_of_all),
        cmocka_unit_test(a_node_that_is_killed_loses_and_doubles_nothing),
        cmocka_unit_test(a_node_that_dies_while_it_rolls_up_doubles_nothing),
        cmocka_unit_test(a_node_that_comes_late_has_everything),
        cmocka_unit_test(by_themselves_they_come_to_the_same),
        cmocka_unit_test(redis_that_is_away_gets_everything_once),
    };
    if (!test_redis_there())
        return 77;
    test_redis_init(&server);
    int failed = test_redis_start(&server) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    test_redis_release(&server);
    return failed;
}
