/* Strategies in their real processes: weights that come, stand, and come back as they were. */
#include "selection/strategies.h"

#include "support/store_wait.h"
#include "support/temp_dir.h"
#include "support/unit.h"
#include "support/worker.h"
#include "base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTCOMES_MAX 20000

/* Everything around the strategies; routes and outcomes are what the test says. */
struct place {
    char data[TEMP_DIR_SIZE], dir[TEMP_DIR_SIZE], bundled[TEMP_DIR_SIZE];
    const char *dirs[2];
    struct worker_settings worker;
    struct catalog *catalog;
    struct store *store;
    struct weights *weights;
    struct strategies *strategies;
    struct strategies_config config;
    struct strategy_source source;
    pthread_mutex_t lock; /* of what follows */
    struct strategy_route routes[4];
    size_t n_routes, n_outcomes;
    struct strategy_outcome *outcomes; /* of every route */
};

static const struct strategy_candidate CANDIDATES[] = {
    {.arm = "old",
     .model_id = "m:1",
     .name = "m",
     .version = "1",
     .status = "stable",
     .configured = 0.9,
     .window_ms = 300000,
     .requests = 1000,
     .errors = 10,
     .mean_ms = 10,
     .p50_ms = 10,
     .p95_ms = 20,
     .p99_ms = 30},
    {.arm = "new",
     .model_id = "m:2",
     .name = "m",
     .version = "2",
     .status = "canary",
     .configured = 0.1,
     .window_ms = 300000,
     .mean_ms = NAN,
     .p50_ms = NAN,
     .p95_ms = NAN,
     .p99_ms = NAN},
};

static bool give_routes(void *ctx, struct arena *a, const struct strategy_route **list, size_t *n)
{
    struct place *p = ctx;
    pthread_mutex_lock(&p->lock);
    *n = p->n_routes;
    *list = (const struct strategy_route *)(void *)arena_copy(a, p->routes, sizeof p->routes);
    pthread_mutex_unlock(&p->lock);
    return true;
}

static bool give_outcomes(void *ctx, const struct strategy_route *route, uint64_t after, size_t max,
                          struct arena *a, struct strategy_outcomes *out)
{
    struct place *p = ctx;
    (void)route;
    pthread_mutex_lock(&p->lock);
    size_t from = after < p->n_outcomes ? (size_t)after : p->n_outcomes;
    out->n = p->n_outcomes - from < max ? p->n_outcomes - from : max;
    out->list = (const struct strategy_outcome *)(void *)arena_copy(a, p->outcomes + from,
                                                                    out->n * sizeof *p->outcomes);
    out->upto = after > from + out->n ? after : from + out->n;
    pthread_mutex_unlock(&p->lock);
    return true;
}

/* From <build>/`folder`; a catalog of few plugins is opened sooner. */
static void copy_plugin(const char *folder, const char *name, const char *dir)
{
    char from[4096], to[4096];
    struct stat st;
    snprintf(from, sizeof from, "%s/%s/%s.so", getenv("PADDOCK_BUILD"), folder, name);
    snprintf(to, sizeof to, "%s/%s.so", dir, name);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    for (ssize_t left = st.st_size, n; left > 0; left -= n)
        if ((n = sendfile(out, in, NULL, (size_t)left)) <= 0)
            fail_msg("%s cannot be copied", from);
    close(in);
    close(out);
}

/* `dir` NULL: a store in memory. */
static void place_make(struct place *p, const char *dir)
{
    struct err e;
    *p = (struct place){.worker = {.program = test_worker_program()}};
    pthread_mutex_init(&p->lock, NULL);
    temp_dir_make(p->data);
    temp_dir_make(p->dir);
    temp_dir_make(p->bundled);
    copy_plugin("tests/plugins", "strategy_moody", p->dir);
    copy_plugin("plugins", "thompson", p->bundled);
    copy_plugin("plugins", "weighted", p->bundled);
    p->dirs[0] = p->dir;
    const struct catalog_config catalog = {.data_dir = p->data,
                                           .bundled_dir = p->bundled,
                                           .dirs = p->dirs,
                                           .worker = &p->worker,
                                           .clock = &CLOCK_SYSTEM};
    p->catalog = catalog_open(&catalog, &e);
    p->store = dir ? store_sqlite_open(dir, &CLOCK_SYSTEM, &e) : store_memory_open(&CLOCK_SYSTEM);
    if (!p->catalog || !p->store)
        fail_msg("%s", e.detail);
    p->weights = weights_new();
    p->outcomes = mem_zero(OUTCOMES_MAX, sizeof *p->outcomes);
    p->source = (struct strategy_source){give_routes, give_outcomes, NULL, NULL, p};
    p->config = (struct strategies_config){.catalog = p->catalog,
                                           .worker = &p->worker,
                                           .store = p->store,
                                           .clock = &CLOCK_SYSTEM,
                                           .weights = p->weights,
                                           .source = &p->source,
                                           .every_ms = 20,
                                           .keep_ms = 40,
                                           .turn_ms = 20000,
                                           .wait_ms = 50};
}

static void start(struct place *p)
{
    struct err e;
    p->strategies = strategies_start(&p->config, &e);
    assert_non_null(p->strategies);
}

static void place_release(struct place *p)
{
    strategies_stop(p->strategies);
    weights_free(p->weights);
    catalog_close(p->catalog);
    p->store->ops->close(p->store);
    pthread_mutex_destroy(&p->lock);
    free(p->outcomes);
    temp_dir_remove(p->data);
    temp_dir_remove(p->dir);
    temp_dir_remove(p->bundled);
}

static void add_route(struct place *p, const char *route, const char *strategy, const char *params)
{
    pthread_mutex_lock(&p->lock);
    size_t i = 0;
    while (i < p->n_routes && strcmp(p->routes[i].route, route) != 0)
        i++;
    p->routes[i] = (struct strategy_route){.ns = "default",
                                           .route = route,
                                           .uid = 7,
                                           .strategy = strategy,
                                           .params = params,
                                           .candidates = CANDIDATES,
                                           .n = 2};
    if (i == p->n_routes)
        p->n_routes++;
    pthread_mutex_unlock(&p->lock);
}

/* The same outcomes whoever asks: the new model is a little better. */
static void add_outcomes(struct place *p, size_t until)
{
    uint64_t random = 11;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < until; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        bool new = (random >> 40) % 2, good = (random >> 50) % 100 < (new ? 12 : 10);
        p->outcomes[i] = (struct strategy_outcome){.offset = i + 1,
                                                   .decision_id = "d",
                                                   .model_id = new ? "m:2" : "m:1",
                                                   .name = "reward",
                                                   .value = good,
                                                   .propensity = 0.5,
                                                   .at_ms = 1};
    }
    p->n_outcomes = until;
    pthread_mutex_unlock(&p->lock);
}

static void pause_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Until the route is so fresh and was told so much. */
static struct strategy_status wait_status(struct place *p, const char *route,
                                          enum strategy_freshness wanted, uint64_t offset)
{
    struct strategy_status st = {.turns = 0};
    for (int i = 0; i < 60000; i++) {
        if (strategies_status(p->strategies, "default", route, &st) && st.freshness == wanted &&
            st.offset >= offset)
            return st;
        pause_a_moment();
    }
    fail_msg("%s is %s at %" PRIu64 ": %s", route, STRATEGY_FRESHNESS_NAMES[st.freshness],
             st.offset, st.error);
    return st;
}

static const struct weights_set *set_of(struct place *p, const char *route, struct arena *a)
{
    return weights_copy(p->weights, WEIGHTS_STRATEGY, "default", route, a);
}

static void assert_same_weights(const struct weights_set *a, const struct weights_set *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->arm_count, b->arm_count);
    for (size_t i = 0; i < a->arm_count; i++) {
        assert_string_equal(a->arms[i].arm, b->arms[i].arm);
        assert_memory_equal(&a->arms[i].weight, &b->arms[i].weight, sizeof(double));
        assert_memory_equal(&a->arms[i].score, &b->arms[i].score, sizeof(double));
        assert_true(weights_propensity(a, &a->arms[i]) == weights_propensity(b, &b->arms[i]));
    }
}

/* What thompson says of all outcomes when nothing happens in between. */
static const struct weights_set *undisturbed(size_t outcomes, struct arena *a)
{
    struct place p;
    place_make(&p, NULL);
    add_route(&p, "r", "thompson", NULL);
    add_outcomes(&p, outcomes);
    start(&p);
    wait_status(&p, "r", STRATEGY_FRESH, outcomes);
    const struct weights_set *set = set_of(&p, "r", a);
    place_release(&p);
    return set;
}

/* ---- tests ---- */

static void weights_are_published(void **state)
{
    struct place p;
    struct arena *a = arena_new(1 << 20);
    (void)state;
    place_make(&p, NULL);
    add_route(&p, "fixed", "weighted", "{\"weights\":{\"old\":90,\"new\":10}}");
    add_route(&p, "bandit", "thompson", NULL);
    add_outcomes(&p, 12000); /* more than fit into one turn */
    start(&p);
    struct strategy_status st = wait_status(&p, "bandit", STRATEGY_FRESH, 12000);
    assert_true(st.pid > 0 && st.answered_at_ms > 0 && !st.restored);
    wait_status(&p, "fixed", STRATEGY_FRESH, 0);
    const struct weights_set *set = set_of(&p, "fixed", a);
    assert_string_equal(set->by, "weighted");
    assert_true(weights_propensity(set, &set->arms[0]) == 0.9);
    set = set_of(&p, "bandit", a);
    assert_string_equal(set->arms[1].arm, "new");
    assert_true(set->arms[1].weight > 0.9 && strstr(set->arms[1].parts, "chance_best"));
    pthread_mutex_lock(&p.lock); /* the bandit's route goes */
    p.n_routes = 1;
    pthread_mutex_unlock(&p.lock);
    while (strategies_status(p.strategies, "default", "bandit", &st))
        pause_a_moment();
    assert_null(set_of(&p, "bandit", a));
    arena_free(a);
    place_release(&p);
}

static void a_bad_strategy_costs_freshness_only(void **state)
{
    static const struct {
        const char *mood, *error;
    } MOODS[] = {
        {"crash", "SIGABRT"}, {"exit", "it ended"},      {"nan", "nan"},
        {"hang", "in time"},  {"print", "descriptor 3"}, {"grab", "it ended"},
    };
    struct arena *a = arena_new(1 << 20);
    (void)state;
    for (size_t i = 0; i < sizeof MOODS / sizeof *MOODS; i++) {
        struct place p;
        char params[100];
        place_make(&p, NULL);
        if (strcmp(MOODS[i].mood, "hang") == 0)
            p.config.turn_ms = 300;
        snprintf(params, sizeof params, "{\"mood\":\"%s\",\"after\":3}", MOODS[i].mood);
        add_route(&p, "bad", "test.moody", params);
        add_route(&p, "good", "thompson", NULL);
        add_outcomes(&p, 2);
        start(&p);
        wait_status(&p, "bad", STRATEGY_FRESH, 2);
        double before = set_of(&p, "bad", a)->arms[0].weight;
        add_outcomes(&p, 100);
        struct strategy_status st = wait_status(&p, "bad", STRATEGY_STALE, 0);
        if (!strstr(st.error, MOODS[i].error))
            fail_msg("%s: wanted '%s', got '%s'", MOODS[i].mood, MOODS[i].error, st.error);
        assert_true(set_of(&p, "bad", a)->arms[0].weight == before);
        wait_status(&p, "good", STRATEGY_FRESH, 100);              /* its neighbour goes on */
        add_route(&p, "bad", "test.moody", "{\"mood\":\"good\"}"); /* mended */
        st = wait_status(&p, "bad", STRATEGY_FRESH, 100);
        assert_string_equal(st.error, "");
        assert_true(set_of(&p, "bad", a)->arms[0].score == 100); /* nothing twice, nothing lost */
        place_release(&p);
    }
    arena_free(a);
}

static void who_refuses_is_silent(void **state)
{
    struct place p;
    struct arena *a = arena_new(1 << 20);
    (void)state;
    place_make(&p, NULL);
    add_route(&p, "r", "test.moody", "{\"mood\":\"refuse\"}");
    add_route(&p, "none", "org.example.nobody", NULL);
    start(&p);
    wait_status(&p, "r", STRATEGY_SILENT, 0);
    struct strategy_status st = wait_status(&p, "none", STRATEGY_STALE, 0);
    assert_non_null(strstr(st.error, "there is no strategy"));
    assert_null(set_of(&p, "r", a));
    add_route(&p, "r", "test.moody", "{\"mood\":\"merry\"}"); /* a stored route may be older than
                                                                 the plugin */
    st = wait_status(&p, "r", STRATEGY_STALE, 0);
    assert_non_null(strstr(st.error, "/mood"));
    arena_free(a);
    place_release(&p);
}

static void nothing_is_lost_when_its_process_is_killed(void **state)
{
    struct place p;
    struct arena *a = arena_new(1 << 20);
    const struct weights_set *wanted = undisturbed(6000, a);
    (void)state;
    place_make(&p, NULL);
    add_route(&p, "r", "thompson", NULL);
    start(&p);
    for (size_t told = 500; told <= 6000; told += 500) {
        add_outcomes(&p, told);
        struct strategy_status st = wait_status(&p, "r", STRATEGY_FRESH, told);
        if (told % 1000 == 0 && st.pid > 0)
            assert_int_equal(kill(st.pid, SIGKILL), 0);
    }
    struct strategy_status st = {.restarts = 0};
    for (int i = 0; i < 60000 && st.restarts < 1; i++, pause_a_moment())
        assert_true(strategies_status(p.strategies, "default", "r", &st));
    assert_true(st.restarts > 0);
    wait_status(&p, "r", STRATEGY_FRESH, 6000);
    assert_same_weights(set_of(&p, "r", a), wanted);
    arena_free(a);
    place_release(&p);
}

/* A server that learns, in a process of its own, until it is killed; it says when it has learned
 * enough. */
static _Noreturn void serve_until_killed(const char *dir, size_t outcomes, int tell)
{
    struct place p;
    place_make(&p, dir);
    add_route(&p, "r", "thompson", NULL);
    start(&p);
    for (size_t told = 100;; told += told < outcomes ? 100 : 0) {
        add_outcomes(&p, told);
        wait_status(&p, "r", STRATEGY_FRESH, told);
        if (told == outcomes && write(tell, p.data, sizeof p.data) > 0 &&
            write(tell, p.dir, sizeof p.dir) > 0 && write(tell, p.bundled, sizeof p.bundled) > 0)
            for (;;)
                pause();
    }
}

static void nothing_is_lost_when_the_server_is_killed(void **state)
{
    struct place p;
    int ends[2];
    char dir[TEMP_DIR_SIZE], left[3][TEMP_DIR_SIZE];
    struct arena *a = arena_new(1 << 20);
    (void)state;
    temp_dir_make(dir);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve_until_killed(dir, 2000, ends[1]);
    close(ends[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(read(ends[0], left[i], sizeof left[i]), sizeof left[i]);
    close(ends[0]);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 3; i++)
        temp_dir_remove(left[i]);
    place_make(&p, dir);
    add_route(&p, "r", "thompson", NULL);
    add_outcomes(&p, 3000); /* the log has all of them, and what came while nobody served */
    start(&p);
    struct strategy_status st = wait_status(&p, "r", STRATEGY_FRESH, 3000);
    assert_true(st.restored);
    const struct weights_set *got = set_of(&p, "r", a);
    strategies_stop(p.strategies);
    p.strategies = NULL;
    assert_same_weights(got, undisturbed(3000, a));

    /* A restart in peace: the very ranges, before anybody was asked. */
    add_route(&p, "r", "thompson", NULL);
    p.n_outcomes = 0; /* the log cannot be read yet */
    weights_free(p.weights);
    p.weights = p.config.weights = weights_new();
    start(&p);
    const struct weights_set *kept = NULL;
    for (int i = 0; i < 60000 && !(kept = set_of(&p, "r", a)); i++)
        pause_a_moment();
    assert_same_weights(kept, got);
    assert_int_equal(kept->share_count, got->share_count);
    assert_memory_equal(kept->shares, got->shares, kept->share_count * sizeof *kept->shares);
    arena_free(a);
    place_release(&p);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_when_the_server_is_killed), /* forks: first */
        cmocka_unit_test(weights_are_published),
        cmocka_unit_test(a_bad_strategy_costs_freshness_only),
        cmocka_unit_test(who_refuses_is_silent),
        cmocka_unit_test(nothing_is_lost_when_its_process_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
