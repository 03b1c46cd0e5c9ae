/* How many durable commands a second 64 waiting submitters get from the engine on SQLite, on the
 * disk that holds the temporary directory. Printed, not asserted; what is asserted is that none is
 * lost. */
#include "engine/engine.h"

#include "base/json.h"
#include "support/calls.h"
#include "support/temp_dir.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUBMITTERS 64
#define RUN_NS     500000000

struct flood {
    struct engine *engine;
    atomic_bool over;
    atomic_uint under_way;
};

/* One submitter: when its command is answered it sends the next, on the engine's thread. */
struct submitter {
    struct command c;
    struct flood *flood;
    char id[16];
    json_t *bodies[2]; /* in turn, so that each is a change */
    unsigned answered, failed;
    int64_t sent_ns, slowest_ns;
};

static int64_t now_ns(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

static void send(struct submitter *s)
{
    struct err e;
    arena_reset(s->c.arena);
    s->c.body = s->bodies[s->answered & 1];
    s->sent_ns = now_ns();
    if (!engine_submit(s->flood->engine, &s->c, &e))
        abort();
}

static void answered(struct command *c)
{
    struct submitter *s = c->owner;
    int64_t took = now_ns() - s->sent_ns;
    s->answered++;
    s->failed += !c->ok || !c->seq;
    if (took > s->slowest_ns)
        s->slowest_ns = took;
    if (atomic_load(&s->flood->over))
        atomic_fetch_sub(&s->flood->under_way, 1);
    else
        send(s);
}

static void submitter_init(struct submitter *s, struct flood *flood, int number)
{
    *s = (struct submitter){.flood = flood};
    snprintf(s->id, sizeof s->id, "m:%d", number);
    for (int i = 0; i < 2; i++) {
        char body[64];
        int len = snprintf(body, sizeof body, "{\"description\":\"text %d\"}", i);
        s->bodies[i] = json_read(body, (size_t)len, NULL);
    }
    s->c = (struct command){
        .arena = arena_new(64 << 20),
        .ns = "default",
        .actor = {"token", "tester", NULL},
        .if_match = -1,
        .id = s->id,
        .decide = model_patch,
        .done = answered,
        .owner = s,
    };
}

static void submitter_release(struct submitter *s)
{
    json_decref(s->bodies[0]);
    json_decref(s->bodies[1]);
    arena_free(s->c.arena);
}

static struct engine *start(struct store *store)
{
    struct err e = {0};
    struct engine_config config = {.store = store, .clock = &CLOCK_SYSTEM, .rules = &TEST_RULES};
    struct engine *en = engine_start(&config, &e);
    if (!en)
        fail_msg("no engine: %s", e.detail);
    return en;
}

static void sleep_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

static void report(struct submitter *all, int64_t took_ns, struct store *store, unsigned batches)
{
    unsigned done = 0;
    int64_t slowest = 0;
    struct store_stats stats;
    store->ops->stats(store, &stats);
    for (int i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(all[i].failed, 0);
        done += all[i].answered;
        slowest = all[i].slowest_ns > slowest ? all[i].slowest_ns : slowest;
    }
    print_message("%d submitters: %.0f durable commands/s, %.1f per commit, commit mean %.2f ms, "
                  "slowest answer %.1f ms\n",
                  SUBMITTERS, done / ((double)took_ns / 1e9), (double)done / batches,
                  stats.commit_seconds_sum / (double)stats.commits * 1e3, (double)slowest / 1e6);
}

static void durable_commands_a_second(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE];
    struct err e = {0};
    static struct submitter all[SUBMITTERS];
    struct flood flood = {.under_way = SUBMITTERS};
    struct calls calls;
    temp_dir_make(dir);
    struct store *store = store_sqlite_open(dir, &CLOCK_SYSTEM, &e);
    assert_non_null(store);
    flood.engine = start(store);
    calls_init(&calls, flood.engine);
    for (int i = 0; i < SUBMITTERS; i++)
        register_model(&calls, "m", i);
    calls_release(&calls);
    struct engine_stats before, after;
    engine_stats(flood.engine, &before);

    int64_t begun = now_ns();
    for (int i = 0; i < SUBMITTERS; i++) {
        submitter_init(&all[i], &flood, i);
        send(&all[i]);
    }
    sleep_ns(RUN_NS);
    atomic_store(&flood.over, true);
    while (atomic_load(&flood.under_way))
        sleep_ns(1000000);
    int64_t took = now_ns() - begun;

    engine_stats(flood.engine, &after);
    report(all, took, store, (unsigned)(after.batches - before.batches));
    engine_stop(flood.engine);
    store->ops->close(store);

    store = store_sqlite_open(dir, &CLOCK_SYSTEM, &e);
    assert_non_null(store);
    flood.engine = start(store);
    struct view_reader *r = engine_join(flood.engine);
    const struct view *v = view_enter(r);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(view_model(v, "default", all[i].id)->entity.revision, 1 + all[i].answered);
    view_leave(r);
    engine_part(r);
    engine_stop(flood.engine);
    store->ops->close(store);
    for (int i = 0; i < SUBMITTERS; i++)
        submitter_release(&all[i]);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durable_commands_a_second)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
