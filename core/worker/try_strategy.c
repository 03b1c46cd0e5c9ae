/* What a strategy must stand. */
#include "base/mem.h"
#include "worker/holdings.h"
#include "worker/strategy.h"
#include "worker/try.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAK_WARM  200
#define LEAK_TIMES 1000
#define START_MS   INT64_C(1767225600000)

/* Candidates with figures; memory of one scenario. */
struct field_of_candidates {
    paddock_candidate *all;
    const paddock_candidate **list;
    char (*ids)[32];
    size_t n;
};

/* ---- candidates ---- */

static struct field_of_candidates make_candidates(size_t n, uint64_t seed)
{
    struct field_of_candidates f = {.n = n};
    f.all = mem_zero(n, sizeof *f.all);
    f.list = mem_zero(n, sizeof *f.list);
    f.ids = mem_zero(n, sizeof *f.ids);
    for (size_t i = 0; i < n; i++) {
        paddock_candidate *c = &f.all[i];
        double ms = 5 + 90 * paddock_uniform(&seed);
        snprintf(f.ids[i], sizeof f.ids[i], "model:%zu", i + 1);
        *c = (paddock_candidate){
            .model_id = f.ids[i],
            .name = "model",
            .version = f.ids[i] + strlen("model:"),
            .status = i ? "canary" : "stable",
            .configured = 1.0 / (double)n,
            .published = 1.0 / (double)n,
            .performance_score = paddock_uniform(&seed),
            .health = PADDOCK_HEALTHY,
            .window_ms = 300000,
            .requests = 1000 + paddock_random(&seed) % 9000,
            .rate_per_second = 20,
            .mean_ms = ms,
            .p50_ms = ms * 0.9,
            .p95_ms = ms * 2,
            .p99_ms = ms * 3,
        };
        c->errors = c->requests / 100;
        c->error_rate = (double)c->errors / (double)c->requests;
        f.list[i] = c;
    }
    return f;
}

static void forget_figures(struct field_of_candidates *f)
{
    for (size_t i = 0; i < f->n; i++) {
        paddock_candidate *c = &f->all[i];
        c->health = PADDOCK_HEALTH_UNKNOWN;
        c->requests = c->errors = 0;
        c->configured = c->performance_score = c->error_rate = NAN;
        c->mean_ms = c->p50_ms = c->p95_ms = c->p99_ms = NAN;
        c->rate_per_second = 0;
    }
}

static void release_candidates(struct field_of_candidates *f)
{
    free(f->all);
    free(f->list);
    free(f->ids);
}

/* ---- an instance ---- */

static bool begin(struct trial *t, struct strategy *s, struct err *e)
{
    struct err why;
    if (strategy_begin(s, t->plugin, "route", t->config, t->seed, START_MS, &why))
        return true;
    return trial_skip(t, e, "open() says that it is unusable with this configuration (--config)");
}

/* One turn as the server has them. `w` has room for one more than there are candidates. */
static bool turn(struct strategy *s, const struct field_of_candidates *f, paddock_weight *w,
                 struct err *e)
{
    s->pub.now_ms += 1000;
    return strategy_turn(s, f->list, f->n, w, e);
}

static bool turns(struct trial *t, struct field_of_candidates *f, int times, struct err *e)
{
    struct strategy s;
    paddock_weight *w = mem_zero(f->n + 1, sizeof *w);
    bool good = begin(t, &s, e);
    for (int i = 0; good && i < times; i++)
        good = turn(&s, f, w, e);
    if (!t->skipped)
        strategy_end(&s);
    free(w);
    return good;
}

static bool turns_of(struct trial *t, size_t n, struct err *e)
{
    struct field_of_candidates f = make_candidates(n, t->seed);
    bool good = turns(t, &f, 20, e);
    release_candidates(&f);
    return good;
}

/* ---- scenarios ---- */

static bool weights(struct trial *t, struct err *e)
{
    return turns_of(t, 3, e);
}

static bool one(struct trial *t, struct err *e)
{
    return turns_of(t, 1, e);
}

static bool thousand(struct trial *t, struct err *e)
{
    return turns_of(t, 1000, e);
}

static bool unknown(struct trial *t, struct err *e)
{
    struct field_of_candidates f = make_candidates(3, t->seed);
    forget_figures(&f);
    bool good = turns(t, &f, 3, e);
    release_candidates(&f);
    return good;
}

/* A route that nobody can serve just now: everything but weigh() goes on. */
static bool none(struct trial *t, struct err *e)
{
    const paddock_outcome *list[1] = {NULL}; /* none of them */
    struct strategy s;
    struct err why;
    if (!begin(t, &s, e))
        return false;
    for (int i = 0; i < 3; i++) {
        s.pub.now_ms += 1000;
        if (s.ops->update)
            s.ops->update(&s.pub, list, 0);
        if (s.ops->tick)
            s.ops->tick(&s.pub);
    }
    bool good = !s.ops->save || strategy_save(&s, e);
    good = good && (!s.wrong.kind || fail(e, &ERR_INVALID, "%s", s.wrong.detail));
    strategy_end(&s);
    if (!good || !begin(t, &s, &why))
        return good;
    strategy_end(&s); /* opened and closed again, with nothing in between */
    return true;
}

/* Nobody who should serve. */
static bool unhealthy(struct trial *t, struct err *e)
{
    struct field_of_candidates f = make_candidates(3, t->seed);
    for (size_t i = 0; i < f.n; i++) {
        f.all[i].health = PADDOCK_UNHEALTHY;
        f.all[i].errors = f.all[i].requests;
        f.all[i].error_rate = 1;
        f.all[i].published = 0;
    }
    bool good = turns(t, &f, 3, e);
    release_candidates(&f);
    return good;
}

/* Candidates come, go and change their places, in memory that is another each time. */
static bool changes(struct trial *t, struct err *e)
{
    struct strategy s;
    static const size_t SIZES[] = {5, 2, 9, 4, 9, 3};
    bool good = begin(t, &s, e);
    for (size_t i = 0; good && i < sizeof SIZES / sizeof *SIZES; i++) {
        struct field_of_candidates f = make_candidates(SIZES[i], t->seed + i);
        paddock_weight *w = mem_zero(f.n + 1, sizeof *w);
        for (size_t k = 0; k < f.n / 2; k++) {
            const paddock_candidate *other = f.list[k];
            f.list[k] = f.list[f.n - 1 - k];
            f.list[f.n - 1 - k] = other;
        }
        good = turn(&s, &f, w, e);
        free(w);
        memset(f.all, 0xA5, f.n * sizeof *f.all); /* who kept a pointer, reads this */
        release_candidates(&f);
    }
    if (!t->skipped)
        strategy_end(&s);
    return good;
}

static void report_outcomes(struct strategy *s, const struct field_of_candidates *f, uint64_t seed)
{
    paddock_outcome all[8];
    const paddock_outcome *list[8];
    if (!s->ops->update)
        return;
    for (size_t i = 0; i < 8; i++) {
        all[i] = (paddock_outcome){.decision_id = "decision",
                                   .model_id = f->list[paddock_random(&seed) % f->n]->model_id,
                                   .name = "reward",
                                   .value = paddock_uniform(&seed),
                                   .propensity = 1.0 / (double)f->n,
                                   .at_ms = s->pub.now_ms};
        list[i] = &all[i];
    }
    s->ops->update(&s->pub, list, 8);
}

/* What nobody would expect, but nothing forbids. */
static bool outcomes(struct trial *t, struct err *e)
{
    static const paddock_outcome ODD[] = {
        {"", "gone:1", "reward", 1, 0.5, START_MS},
        {"d", "model:1", "", -DBL_MAX, 0, 0},
        {"d", "model:1", "a score with a very long name that goes on and on", DBL_MAX, 1,
         INT64_MAX},
        {"d", "model:2", "reward", 0, 1e-300, INT64_MIN},
    };
    const paddock_outcome *list[] = {&ODD[0], &ODD[1], &ODD[2], &ODD[3]};
    struct strategy s;
    paddock_weight w[4];
    struct field_of_candidates f = make_candidates(3, t->seed);
    bool good = begin(t, &s, e);
    if (good && !s.ops->update) {
        strategy_end(&s);
        good = trial_skip(t, e, "it has no update()");
    } else if (good) {
        s.ops->update(&s.pub, list, 0);
        s.ops->update(&s.pub, list, 4);
        good = turn(&s, &f, w, e);
        s.ops->update(&s.pub, list, 4);
        good = good && turn(&s, &f, w, e);
        strategy_end(&s);
    }
    release_candidates(&f);
    return good;
}

/* Weights of `times` turns with outcomes in between, one behind the other. */
static bool history(struct strategy *s, struct field_of_candidates *f, uint64_t seed, int times,
                    paddock_weight *out, struct err *e)
{
    for (int i = 0; i < times; i++) {
        paddock_weight w[4];
        if (!turn(s, f, w, e))
            return false;
        memcpy(out + (size_t)i * f->n, w, f->n * sizeof *w);
        report_outcomes(s, f, seed + (uint64_t)i);
    }
    return true;
}

static bool same(const paddock_weight *a, const paddock_weight *b, size_t n, const char *what,
                 struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].weight != b[i].weight || a[i].score != b[i].score)
            return fail(e, &ERR_INVALID, "%s answer differently: weight %.17g and %.17g", what,
                        a[i].weight, b[i].weight);
    return true;
}

static bool deterministic(struct trial *t, struct err *e)
{
    struct strategy a, b;
    paddock_weight of_a[30], of_b[30];
    struct field_of_candidates f = make_candidates(3, t->seed);
    bool good = begin(t, &a, e);
    if (good) {
        good = history(&a, &f, t->seed, 10, of_a, e);
        strategy_end(&a);
    }
    if (good && begin(t, &b, e)) {
        good = history(&b, &f, t->seed, 10, of_b, e) &&
               same(of_a, of_b, 30, "two instances with the same seed and history", e);
        strategy_end(&b);
    }
    release_candidates(&f);
    return good;
}

static bool restored(struct trial *t, struct strategy *a, struct field_of_candidates *f,
                     struct err *e)
{
    struct strategy b;
    paddock_weight of_a[30], of_b[30];
    if (!history(a, f, t->seed, 10, of_a, e))
        return false;
    if (!strategy_save(a, e))
        return false;
    if (!begin(t, &b, e))
        return false;
    b.pub.now_ms = a->pub.now_ms;
    bool good = (b.ops->load(&b.pub, a->saved.data ? a->saved.data : "", a->saved.len) ||
                 fail(e, &ERR_INVALID, "load() refuses what save() wrote")) &&
                history(a, f, t->seed + 100, 10, of_a, e) &&
                history(&b, f, t->seed + 100, 10, of_b, e) &&
                same(of_a, of_b, 30, "an instance, and one that loaded its state,", e);
    strategy_end(&b);
    return good;
}

static bool state(struct trial *t, struct err *e)
{
    struct strategy a;
    struct field_of_candidates f = make_candidates(3, t->seed);
    bool good = begin(t, &a, e);
    if (good) {
        good = a.ops->save ? restored(t, &a, &f, e) : trial_skip(t, e, "it keeps no state");
        strategy_end(&a);
    }
    release_candidates(&f);
    return good;
}

/* Bytes of another version, half a state, noise: refused, or taken, but survived. */
static bool foreign_state(struct trial *t, struct err *e)
{
    struct field_of_candidates f = make_candidates(3, t->seed);
    const paddock_strategy_ops *ops = t->plugin->ops;
    bool good = ops->load || trial_skip(t, e, "it keeps no state");
    uint64_t random = t->seed;
    for (size_t len = 0; good && len <= 4096; len = len * 2 + 1) {
        struct strategy s;
        paddock_weight w[4];
        if (!begin(t, &s, e)) {
            good = false;
            break;
        }
        unsigned char *noise = mem_zero(len + 1, 1);
        for (size_t i = 0; i < len; i++)
            noise[i] = (unsigned char)paddock_random(&random);
        good = (s.ops->load(&s.pub, noise, len), turn(&s, &f, w, e));
        free(noise);
        strategy_end(&s);
    }
    release_candidates(&f);
    return good;
}

static bool live(struct trial *t, struct field_of_candidates *f, unsigned times, struct err *e)
{
    bool good = true;
    for (unsigned i = 0; good && i < times; i++) {
        struct strategy s;
        paddock_weight w[4];
        if (!begin(t, &s, e))
            return false;
        good = turn(&s, f, w, e);
        report_outcomes(&s, f, t->seed);
        good = good && turn(&s, f, w, e);
        struct err none;
        if (good && s.ops->save && strategy_save(&s, &none))
            s.ops->load(&s.pub, s.saved.data ? s.saved.data : "", s.saved.len);
        strategy_end(&s);
    }
    return good;
}

static bool leak(struct trial *t, struct err *e)
{
    struct holdings before, after;
    struct field_of_candidates f = make_candidates(3, t->seed);
    bool good = live(t, &f, LEAK_WARM, e);
    holdings_take(&before);
    good = good && live(t, &f, LEAK_TIMES, e);
    holdings_take(&after);
    good = good && !holdings_grew(&before, &after, LEAK_TIMES, e);
    release_candidates(&f);
    return good;
}

const struct scenario STRATEGY_SCENARIOS[] = {
    {"weights", weights},
    {"none", none},
    {"unknown", unknown},
    {"unhealthy", unhealthy},
    {"one", one},
    {"thousand", thousand},
    {"changes", changes},
    {"outcomes", outcomes},
    {"deterministic", deterministic},
    {"state", state},
    {"foreign_state", foreign_state},
    {"leak", leak},
    {.name = NULL},
};
