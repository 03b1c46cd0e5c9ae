/* experiments_lab: experiments as they run: the real thread over a real engine and a store, with a
 * clock that the test sets. What arms measured is told to the evidence directly; a slot is over
 * when the clock says so, so nothing here depends on how fast the machine is. */
#ifndef PADDOCK_TESTS_EXPERIMENTS_LAB_H
#define PADDOCK_TESTS_EXPERIMENTS_LAB_H

#include "selection/experiments.h"

#include "base/json.h"
#include "registry/experiment.h"
#include "registry/health.h"
#include "registry/route.h"
#include "selection/selector.h"

#include "support/calls.h"
#include "support/store_wait.h"
#include "support/unit.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNUSED_OK __attribute__((unused))

enum { SLOT_MS = 500, ARMS = 3 }; /* steps of a second: a slot is half of one */

#define AWAIT(condition)                                           \
    do {                                                           \
        int left_ = 12000;                                         \
        for (; !(condition) && left_; left_--)                     \
            usleep(5000);                                          \
        if (!left_)                                                \
            fail_msg("%d: waited in vain: " #condition, __LINE__); \
    } while (0)

static const char *const NAMES[ARMS] = {"old", "new", "other"};

struct lab {
    struct clock clock;
    atomic_llong now;
    struct store *store;
    struct engine *engine;
    struct calls calls;
    struct view_reader *reader;
    struct weights *weights;
    struct experiment_evidence *evidence;
    struct experiments *experiments;
    struct arena *arena;
};

/* As the document is just now. */
struct seen {
    bool runs, ready;
    char state[16], paused_by[16], cause[32], sentence[600], winner[16], taken_out[512];
    int64_t step, attempt;
    uint64_t uid;
    size_t decisions;
};

UNUSED_OK static int64_t wall_ms(void *self)
{
    return atomic_load(&((struct lab *)self)->now);
}

UNUSED_OK static int64_t mono_ns(void *self)
{
    (void)self;
    return clock_mono_ns(&CLOCK_SYSTEM);
}

UNUSED_OK static void start(struct lab *lab)
{
    struct err e = {0};
    lab->weights = weights_new();
    lab->evidence = evidence_new(NULL);
    const struct experiments_config config = {.engine = lab->engine,
                                              .store = lab->store,
                                              .clock = &lab->clock,
                                              .weights = lab->weights,
                                              .evidence = lab->evidence};
    lab->experiments = experiments_start(&config, &e);
    if (!lab->experiments)
        fail_msg("%s", e.detail);
}

UNUSED_OK static void stop(struct lab *lab)
{
    experiments_stop(lab->experiments);
    evidence_free(lab->evidence);
    weights_free(lab->weights);
}

UNUSED_OK static void run(struct lab *lab, decide_fn *decide, const struct document_type *type,
                          const char *id, const char *body)
{
    struct call *call = call_new(&lab->calls, decide, id, body);
    if (type)
        call->c.args = (void *)(uintptr_t)type;
    if (!call_wait(call))
        fail_msg("%s %s: %s %s", id ? id : "", body ? body : "", call->c.err.detail,
                 call->c.err.members ? call->c.err.members : "");
    call_free(call);
}

UNUSED_OK static int setup(void **state)
{
    static struct lab place;
    struct lab *lab = *state = &place;
    struct err e = {0};
    *lab = (struct lab){.arena = arena_new(16u << 20)};
    lab->clock = (struct clock){wall_ms, mono_ns, lab};
    atomic_store(&lab->now, 1700000000000);
    lab->store = store_memory_open(&lab->clock);
    lab->engine = engine_start(
        &(struct engine_config){.store = lab->store, .clock = &lab->clock, .rules = &TEST_RULES},
        &e);
    if (!lab->engine)
        fail_msg("%s", e.detail);
    calls_init(&lab->calls, lab->engine);
    lab->reader = engine_join(lab->engine);
    for (int i = 1; i <= ARMS; i++) {
        char id[16];
        register_model(&lab->calls, "m", i);
        snprintf(id, sizeof id, "m:%d", i);
        run(lab, model_transition, NULL, id, "{\"status\":\"canary\"}");
    }
    run(lab, model_transition, NULL, "m:1", "{\"status\":\"stable\"}");
    run(lab, document_create, &ROUTE_TYPE, NULL,
        "{\"route\":\"r\",\"match\":{\"model_name\":\"m\"},\"arms\":{\"old\":\"m:1\",\"new\":"
        "\"m:2\",\"other\":\"m:3\"},\"strategy\":\"weighted\",\"params\":{\"weights\":{\"old\":1,"
        "\"new\":0,\"other\":0}}}");
    start(lab);
    return 0;
}

UNUSED_OK static int teardown(void **state)
{
    struct lab *lab = *state;
    stop(lab);
    engine_part(lab->reader);
    calls_release(&lab->calls);
    engine_stop(lab->engine);
    lab->store->ops->close(lab->store);
    arena_free(lab->arena);
    return 0;
}

/* `more`: members that go before the presets of the tests. */
UNUSED_OK static void begin(struct lab *lab, const char *treatments, const char *more)
{
    static const struct {
        const char *name, *member;
    } PRESETS[] = {{"\"metrics\"", "\"metrics\":[{\"name\":\"error_rate\"}]"},
                   {"\"min_samples\"", "\"min_samples\":100"}};
    struct bytes b = BYTES_INIT(4096);
    bytes_printf(&b,
                 "{\"key\":\"x\",\"route\":\"r\",\"control\":\"old\",\"treatments\":[%s],"
                 "\"step_min_seconds\":1,\"warmup_seconds\":0,%s",
                 treatments, more);
    for (size_t i = 0; i < sizeof PRESETS / sizeof *PRESETS; i++)
        if (!strstr(more, PRESETS[i].name))
            bytes_printf(&b, ",%s", PRESETS[i].member);
    bytes_char(&b, '}');
    run(lab, document_create, &EXPERIMENT_TYPE, NULL, b.data);
    bytes_release(&b);
    run(lab, experiment_start, NULL, "x", NULL);
}

UNUSED_OK static struct seen look_up(struct lab *lab)
{
    struct seen s = {.runs = false};
    const struct document *d =
        view_document(view_enter(lab->reader), &EXPERIMENT_TYPE, "default", "x");
    const struct experiment *x = experiment_of(d);
    s.runs = experiment_runs(x);
    s.ready = x->ready;
    s.step = x->step;
    s.attempt = x->attempt;
    s.uid = d->entity.uid;
    snprintf(s.state, sizeof s.state, "%s", x->state);
    snprintf(s.paused_by, sizeof s.paused_by, "%s", x->paused_by ? x->paused_by : "");
    snprintf(s.sentence, sizeof s.sentence, "%s", x->sentence ? x->sentence : "");
    snprintf(s.winner, sizeof s.winner, "%s", x->winner ? x->winner : "");
    snprintf(s.taken_out, sizeof s.taken_out, "%s", x->taken_out);
    json_t *list = json_read(x->decisions, strlen(x->decisions), NULL);
    s.decisions = json_array_size(list);
    const char *cause =
        json_string_value(json_object_get(json_array_get(list, s.decisions - 1), "cause"));
    snprintf(s.cause, sizeof s.cause, "%s", cause ? cause : "");
    json_decref(list);
    view_leave(lab->reader);
    return s;
}

/* What it shows, as its text; "" if it does not run. In the lab's arena. */
UNUSED_OK static const char *analysis(struct lab *lab)
{
    struct bytes b = BYTES_INIT(1 << 20);
    const char *text = "";
    if (experiments_analysis(lab->experiments, look_up(lab).uid, &b))
        text = arena_copy(lab->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

UNUSED_OK static double number_of(struct lab *lab, const char *member)
{
    const char *text = analysis(lab);
    json_t *json = *text ? json_read(text, strlen(text), NULL) : NULL;
    const double value = json ? json_number_value(json_object_get(json, member)) : -1;
    json_decref(json);
    return value;
}

/* Its own share of the route, in percent; -1: no share is published. */
UNUSED_OK static double share(struct lab *lab, int arm)
{
    const struct weights_set *set =
        weights_copy(lab->weights, WEIGHTS_EXPERIMENT, "default", "r", lab->arena);
    for (size_t i = 0; set && i < set->arm_count; i++)
        if (strcmp(set->arms[i].arm, NAMES[arm]) == 0)
            return 100 * weights_propensity(set, &set->arms[i]);
    return -1;
}

/* It has begun: its evidence is wanted, and its shares are in force. */
UNUSED_OK static bool is_live(struct lab *lab)
{
    return *analysis(lab) != '\0' && evidence_wanted(lab->evidence) && share(lab, 0) >= 0;
}

UNUSED_OK static uint64_t uid_of(struct lab *lab, int arm)
{
    char id[16];
    snprintf(id, sizeof id, "m:%d", arm + 1);
    const struct model *m = view_model(view_enter(lab->reader), "default", id);
    const uint64_t uid = m->entity.uid;
    view_leave(lab->reader);
    return uid;
}

struct told {
    int requests, errors;
    double latency_ms; /* 0: 10 */
};

/* Requests of an arm, decided now by the shares in force. */
UNUSED_OK static void tell(struct lab *lab, int arm, struct told t)
{
    const struct document *route =
        view_document(view_enter(lab->reader), &ROUTE_TYPE, "default", "r");
    struct evidence_request r = {.decision = {.flags = DECISION_DRAWN,
                                              .reason = SELECTION_EXPERIMENT,
                                              .at_ms = atomic_load(&lab->now),
                                              .route_uid = route->entity.uid,
                                              .arm = decision_mark(NAMES[arm], strlen(NAMES[arm]))},
                                 .latency_ms = t.latency_ms > 0 ? t.latency_ms : 10};
    view_leave(lab->reader);
    r.decision.propensity = fmax(share(lab, arm), 0) / 100;
    r.decision.served_uid = uid_of(lab, arm);
    for (int i = 0; i < t.requests; i++) {
        r.failure = i < t.errors;
        evidence_request(lab->evidence, &r);
    }
}

/* End the slot; wait until it was looked at. */
UNUSED_OK static void end_slot(struct lab *lab)
{
    const double looks = number_of(lab, "looks");
    atomic_fetch_add(&lab->now, SLOT_MS);
    AWAIT(number_of(lab, "looks") > looks || !look_up(lab).runs);
}

/* One slot at these requests of each arm, as the shares say. */
UNUSED_OK static void slot(struct lab *lab, int n, const double error_rates[ARMS])
{
    for (int i = 0; i < ARMS; i++) {
        const double part = fmax(share(lab, i), 0) / 100;
        const int own = (int)(n * part);
        tell(lab, i, (struct told){own, (int)(own * error_rates[i]), 0});
    }
    end_slot(lab);
}

UNUSED_OK static const double NO_ERRORS[ARMS] = {0, 0, 0};

#endif
