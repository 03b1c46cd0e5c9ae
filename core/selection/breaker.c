#include "selection/breaker.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/health.h"
#include "base/thread.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PLACES     16384 /* a power of two: models watched; further ones are never cut off */
#define STEP_MS    1000
#define SLOT_MS    5000 /* of telemetry's finest tier: what is counted together */
#define QUERY_MAX  (4 << 20)
#define PROBES_MAX 16 /* places looked at for one model */

struct place {
    atomic_uint_fast64_t uid;   /* 0: free; set once */
    atomic_int state;           /* enum breaker_state, for those who ask */
    struct breaker_model model; /* [breaker] */
};

struct breaker {
    struct telemetry *telemetry;
    struct engine *engine;
    struct view_reader *reader; /* [breaker] */
    const struct clock *clock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct place places[PLACES];
};

/* ---- one model ---- */

int64_t breaker_from(const struct breaker_model *m, int64_t now_ms)
{
    int64_t from = now_ms - BREAKER_WINDOW_MS;
    /* Slots are counted whole: one that began before the state did says nothing of it. */
    int64_t own = m->since_ms ? m->since_ms + SLOT_MS : 0;
    if (m->state == BREAKER_HALF)
        return own;
    return from > own ? from : own;
}

static bool turn(struct breaker_model *m, enum breaker_state state, int64_t now_ms)
{
    m->state = state;
    m->since_ms = now_ms;
    return true;
}

bool breaker_step(struct breaker_model *m, uint64_t total, uint64_t failed, int64_t now_ms)
{
    double fails = total ? (double)failed / (double)total : 0;
    switch (m->state) {
    case BREAKER_CLOSED:
        if (total < BREAKER_RECORDS || fails < BREAKER_FAILS)
            return false;
        m->wait_ms = BREAKER_WAIT_MS;
        return turn(m, BREAKER_OPEN, now_ms);
    case BREAKER_OPEN: return now_ms - m->since_ms >= m->wait_ms && turn(m, BREAKER_HALF, now_ms);
    case BREAKER_HALF: break;
    }
    if (total < BREAKER_PROBES)
        return false;
    if (fails < BREAKER_PROBES_FAIL)
        return turn(m, BREAKER_CLOSED, now_ms);
    m->wait_ms = m->wait_ms > BREAKER_WAIT_MAX_MS / 2 ? BREAKER_WAIT_MAX_MS : 2 * m->wait_ms;
    return turn(m, BREAKER_OPEN, now_ms);
}

/* ---- asking ---- */

/* The model's place, taken if it has none yet; NULL: there is no room near. */
static struct place *place_of(struct breaker *b, uint64_t model_uid)
{
    size_t at = (size_t)(model_uid * UINT64_C(0x9e3779b97f4a7c15) >> 40);
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct place *p = &b->places[(at + i) & (PLACES - 1)];
        uint64_t uid = atomic_load_explicit(&p->uid, memory_order_relaxed);
        if ((uid == 0 && atomic_compare_exchange_strong(&p->uid, &uid, model_uid)) ||
            uid == model_uid)
            return p;
    }
    return NULL;
}

bool breaker_cuts(void *breaker, uint64_t model_uid, uint32_t bucket)
{
    struct place *p = place_of(breaker, model_uid);
    int state = p ? atomic_load_explicit(&p->state, memory_order_relaxed) : BREAKER_CLOSED;
    return state == BREAKER_OPEN || (state == BREAKER_HALF && bucket >= BREAKER_PROBE);
}

/* ---- the journal ---- */

static void told(struct command *c)
{
    arena_free(c->arena); /* the command lies in it */
}

/* The states of both are numbered alike. */
static void tell(struct breaker *b, uint64_t uid, enum breaker_state state, const struct metrics *m)
{
    struct err e = {0};
    struct arena *a = arena_new(1 << 20);
    struct command *c = arena_zero(a, sizeof *c);
    struct circuit_change *change = arena_zero(a, sizeof *change);
    *change = (struct circuit_change){
        .uid = uid, .circuit = (int)state, .records = m->total, .failed = m->failure};
    const struct entity *model = view_by_uid(view_enter(b->reader), ENTITY_MODEL, uid);
    const char *ns = model ? arena_text(a, model->ns) : NULL;
    change->model_id = model ? arena_text(a, model->id) : NULL;
    view_leave(b->reader);
    if (!model) { /* it is gone */
        arena_free(a);
        return;
    }
    *c = (struct command){.arena = a,
                          .ns = ns,
                          .actor = {"server", "breaker", NULL},
                          .request_id = "",
                          .if_match = -1,
                          .id = change->model_id,
                          .args = change,
                          .decide = circuit_changed,
                          .done = told};
    if (!engine_submit(b->engine, c, &e)) {
        log_text(LOG_WARN, "circuit_not_journalled", e.detail);
        arena_free(a);
    }
}

/* What was cut off when the server was stopped stays so for its time. */
static bool adopt(const struct entity *e, void *ctx)
{
    struct breaker *b = ctx;
    struct place *p = health_of(e)->circuit == CIRCUIT_CLOSED ? NULL : place_of(b, e->uid);
    if (p) {
        p->model = (struct breaker_model){
            .state = BREAKER_OPEN, .since_ms = clock_wall_ms(b->clock), .wait_ms = BREAKER_WAIT_MS};
        atomic_store_explicit(&p->state, BREAKER_OPEN, memory_order_relaxed);
    }
    return true;
}

/* ---- the thread ---- */

static void step(struct breaker *b, struct place *p, uint64_t uid, int64_t now_ms)
{
    static const char *const NAMES[] = {"closed", "open", "half_open"};
    struct metrics m = {0};
    struct err e = {0};
    struct arena *a = arena_new(QUERY_MAX);
    const struct metrics_query q = {.from = breaker_from(&p->model, now_ms),
                                    .to = now_ms + SLOT_MS};
    bool known = q.from < now_ms && telemetry_metrics(b->telemetry, uid, &q, a, &m, &e);
    if (breaker_step(&p->model, known ? m.total : 0, known ? m.failure : 0, now_ms)) {
        atomic_store_explicit(&p->state, (int)p->model.state, memory_order_relaxed);
        log_event(LOG_WARN, "circuit",
                  "\"model_uid\":%" PRIu64 ",\"state\":\"%s\",\"records\":%" PRIu64
                  ",\"failed\":%" PRIu64,
                  uid, NAMES[p->model.state], m.total, m.failure);
        tell(b, uid, p->model.state, &m);
    }
    arena_free(a);
}

static void *breaker_main(void *ctx)
{
    struct breaker *b = ctx;
    view_each(view_enter(b->reader), ENTITY_HEALTH, adopt, b);
    view_leave(b->reader);
    while (cond_rest(&b->wake, &b->lock, &b->stopping, STEP_MS)) {
        int64_t now = clock_wall_ms(b->clock);
        for (size_t i = 0; i < PLACES; i++) {
            uint64_t uid = atomic_load_explicit(&b->places[i].uid, memory_order_relaxed);
            if (uid)
                step(b, &b->places[i], uid, now);
        }
    }
    engine_part(b->reader);
    return NULL;
}

struct breaker *breaker_start(struct telemetry *telemetry, struct engine *engine,
                              const struct clock *clock, struct err *e)
{
    struct view_reader *reader = engine_join(engine);
    if (!reader) {
        fail(e, &ERR_INTERNAL, "too many threads read views");
        return NULL;
    }
    struct breaker *b = mem_zero(1, sizeof *b);
    b->telemetry = telemetry;
    b->engine = engine;
    b->reader = reader;
    b->clock = clock;
    pthread_mutex_init(&b->lock, NULL);
    cond_init(&b->wake);
    if (thread_start(&b->thread, "breaker", THREAD_LATER, breaker_main, b, e))
        return b;
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->lock);
    engine_part(reader);
    free(b);
    return NULL;
}

void breaker_stop(struct breaker *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
