#include "selection/experiments.h"

#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"
#include "selection/experiments_impl.h"
#include "base/thread.h"
#include "store/nodes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS       100
#define SLOT_LEAST_MS 500
#define SLOT_MOST_MS  10000
#define QUIET_SLOTS   6 /* without any traffic, before it is missing */
#define ERROR_FLOOR   0.001
#define ROUND_BYTES   (64u << 20)

_Static_assert(EVIDENCE_TREATMENTS == EXPERIMENT_TREATMENTS_MAX, "the registry's is the same");

static int64_t now_ms(const struct experiments *x)
{
    return clock_wall_ms(x->config.clock);
}

/* ---- beginning and ending ---- */

static struct guardrail_plan guardrail_of(const struct experiment_metric *m)
{
    static const enum guardrail_kind KINDS[] = {[METRIC_ERRORS] = GUARDRAIL_ERRORS,
                                                [METRIC_LATENCY] = GUARDRAIL_LATENCY,
                                                [METRIC_SCORE] = GUARDRAIL_SCORE};
    return (struct guardrail_plan){.name = m->name,
                                   .kind = KINDS[m->kind],
                                   .quantile = m->quantile,
                                   .higher_is_better = m->higher_is_better,
                                   .margin = m->margin,
                                   .error_floor = m->kind == METRIC_ERRORS ? ERROR_FLOOR : 0};
}

static int64_t slot_of(int64_t step_min_ms)
{
    const int64_t tenth = step_min_ms / 10;
    return tenth < SLOT_LEAST_MS ? SLOT_LEAST_MS : tenth > SLOT_MOST_MS ? SLOT_MOST_MS : tenth;
}

static struct experiment_plan plan_of(const struct seen_experiment *s,
                                      const struct experiment_spec *spec, int64_t slot_ms)
{
    struct experiment_plan plan = {.guardrail_count = spec->metric_count,
                                   .alpha = s->alpha,
                                   .attempt = s->attempt > 0 ? (unsigned)s->attempt : 1,
                                   .treatments = (unsigned)spec->treatment_count,
                                   .step_count = spec->step_count,
                                   .started_at_ms = s->started_at,
                                   .warmup_ms = s->warmup_ms,
                                   .step_min_ms = s->step_min_ms,
                                   .max_ms = s->max_ms,
                                   .quiet_ms = QUIET_SLOTS * slot_ms,
                                   .min_samples = (uint64_t)s->min_samples};
    for (size_t i = 0; i < spec->metric_count; i++)
        plan.guardrails[i] = guardrail_of(&spec->metrics[i]);
    memcpy(plan.steps_percent, spec->steps, sizeof plan.steps_percent);
    return plan;
}

/* `upto`: facts that its looks have. */
static void listen_to(struct experiments *x, const struct seen_experiment *s, uint64_t upto)
{
    struct evidence_watch w = {.uid = s->uid,
                               .route_uid = s->route_uid,
                               .treatment_count = s->spec.treatment_count,
                               .arms = {decision_mark(s->control, strlen(s->control))},
                               .since_ms = s->started_at,
                               .metric_count = s->spec.metric_count,
                               .upto = upto};
    memcpy(w.models, s->models, sizeof w.models);
    for (size_t i = 0; i < s->spec.treatment_count; i++) {
        const struct experiment_treatment *t = &s->spec.treatments[i];
        w.arms[ARM_TREATMENT + i] = decision_mark(t->arm, strlen(t->arm));
        w.out_ms[ARM_TREATMENT + i] = t->out_order ? t->out_ms : 0;
    }
    for (size_t i = 0; i < s->spec.metric_count; i++)
        if (s->spec.metrics[i].kind == METRIC_SCORE)
            snprintf(w.scores[i], sizeof w.scores[i], "%.64s",
                     s->spec.metrics[i].name + sizeof "score:" - 1);
    evidence_watch(x->config.evidence, &w);
}

static void live_free(struct live_experiment *l)
{
    for (size_t i = 0; i < l->spec.treatment_count; i++)
        experiment_release(&l->rules[i]);
    evidence_slot_release(&l->slot);
    free(l->ns);
    free(l->route);
    free(l);
}

static struct live_experiment *begin(struct experiments *x, const struct seen_experiment *s)
{
    struct live_experiment *l = mem_zero(1, sizeof *l);
    l->uid = s->uid;
    l->started_at = s->started_at;
    l->spec = s->spec;
    l->ns = mem_text(s->ns);
    l->route = mem_text(s->route);
    l->slot_ms = slot_of(s->step_min_ms);
    l->slot_start = now_ms(x);
    l->outs = s->spec.out_count;
    evidence_slot_init(&l->slot);
    const struct experiment_plan plan = plan_of(s, &l->spec, l->slot_ms);
    const char *fault = experiment_plan_fault(&plan);
    if (fault)
        log_text(LOG_ERROR, "experiment_plan_refused", fault);
    for (size_t i = 0; i < l->spec.treatment_count; i++)
        experiment_begin(&l->rules[i], &plan);
    l->decided = experiment_looks_replay(x, l) && store_decides(x->config.store);
    listen_to(x, s, l->upto);
    pthread_mutex_lock(&x->lock);
    l->next = x->first;
    x->first = l;
    pthread_mutex_unlock(&x->lock);
    return l;
}

static struct live_experiment *live_of(const struct experiments *x, uint64_t uid)
{
    struct live_experiment *l = x->first;
    while (l && l->uid != uid)
        l = l->next;
    return l;
}

static void end(struct experiments *x, struct live_experiment *l)
{
    pthread_mutex_lock(&x->lock);
    struct live_experiment **at = &x->first;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pthread_mutex_unlock(&x->lock);
    evidence_drop(x->config.evidence, l->uid);
    weights_withdraw(x->config.weights, WEIGHTS_EXPERIMENT, l->ns, l->route);
    experiment_looks_forget(x, l->uid, now_ms(x) + 1);
    live_free(l);
}

/* ---- looking ---- */

/* A treatment's part of a slot, beside the control's. */
static struct experiment_look look_of(struct live_experiment *l, size_t treatment, int64_t now)
{
    const struct evidence_slot *slot = &l->slot;
    const size_t arm = ARM_TREATMENT + treatment;
    const uint64_t n = slot->requests[ARM_CONTROL] + slot->requests[arm];
    const double share = n ? slot->planned[arm] / (double)n : 0.5; /* of none it is no matter */
    struct experiment_look look = {.start_ms = l->slot_start,
                                   .end_ms = now,
                                   .share = fmin(fmax(share, 1e-6), 1 - 1e-6),
                                   .treatment = slot->requests[arm],
                                   .control = slot->requests[ARM_CONTROL],
                                   .treatment_errors = slot->errors[arm],
                                   .control_errors = slot->errors[ARM_CONTROL]};
    struct experiment_arm control = {.latency = &slot->latency[ARM_CONTROL]};
    struct experiment_arm own = {.latency = &slot->latency[arm]};
    for (size_t k = 0; k < l->spec.metric_count; k++) {
        control.scores[k] = &slot->scores[ARM_CONTROL][k];
        own.scores[k] = &slot->scores[arm][k];
    }
    experiment_count(&l->rules[treatment], &own, &control, &look);
    return look;
}

static bool is_empty(const struct evidence_slot *slot)
{
    uint64_t n = slot->score_count;
    for (size_t i = 0; i < EVIDENCE_ARMS; i++)
        n += slot->requests[i];
    return n == 0;
}

static int64_t taken_until(const struct live_experiment *l)
{
    int64_t until = 0;
    for (size_t i = 0; i < l->spec.treatment_count; i++)
        until = l->rules[i].taken_ms > until ? l->rules[i].taken_ms : until;
    return until;
}

/* It counts here as well. */
static void taken(struct experiments *x, struct live_experiment *l,
                  const struct experiment_look *looks, int64_t now)
{
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < l->spec.treatment_count; i++)
        if (!l->spec.treatments[i].out_order)
            (void)experiment_take(&l->rules[i], &looks[i], now);
    pthread_mutex_unlock(&x->lock);
}

/* A slot is over: what came in it, as one look at each treatment that is left. One that is not kept
 * counts for nothing; where nodes share the store what was in it comes again in the next one, here
 * or at whoever decides by then. */
static void look(struct experiments *x, struct live_experiment *l, int64_t now)
{
    struct experiment_look looks[EXPERIMENT_TREATMENTS_MAX];
    const int64_t until = taken_until(l); /* by another node's clock, perhaps */
    l->slot_start = l->slot_start < until ? until : l->slot_start;
    if (now <= l->slot_start)
        return;
    const uint64_t upto = evidence_take(x->config.evidence, l->uid, &l->slot);
    if (!is_empty(&l->slot)) {
        pthread_mutex_lock(&x->lock);
        for (size_t i = 0; i < l->spec.treatment_count; i++)
            if (!l->spec.treatments[i].out_order)
                looks[i] = look_of(l, i, now);
        pthread_mutex_unlock(&x->lock);
        if (!experiment_look_keep(x, l, looks, upto)) {
            l->decided = false;
            return;
        }
        taken(x, l, looks, now);
    }
    l->slot_start = now;
    evidence_looked(x->config.evidence, l->uid, upto);
}

/* Another node decides, or has until now: its looks are taken. What they have of what came here is
 * done with. */
static bool only_follows(struct experiments *x, struct live_experiment *l, int64_t now)
{
    bool decides = store_decides(x->config.store);
    if (decides && l->decided)
        return false;
    l->decided = experiment_looks_replay(x, l) && decides;
    evidence_looked(x->config.evidence, l->uid, l->upto);
    l->slot_start = now;
    return true;
}

/* Where the document is, the rules, the evidence and the shares are. */
static void follow(struct experiments *x, struct live_experiment *l,
                   const struct seen_experiment *s)
{
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < l->spec.treatment_count; i++) {
        struct experiment_rules *r = &l->rules[i];
        while ((int64_t)r->step < s->step && r->step + 1 < r->plan.step_count)
            experiment_advance(r);
        experiment_cut(r, s->cut[ARM_TREATMENT + i], s->cut[ARM_CONTROL]);
    }
    memcpy(l->spec.treatments, s->spec.treatments, sizeof l->spec.treatments);
    l->spec.out_count = s->spec.out_count;
    pthread_mutex_unlock(&x->lock);
    for (size_t i = 0; l->outs < s->spec.out_count && i < s->spec.treatment_count; i++) {
        const struct experiment_treatment *t = &s->spec.treatments[i];
        if (t->out_order > l->outs)
            evidence_take_out(x->config.evidence, l->uid, ARM_TREATMENT + i, t->out_ms);
    }
    l->outs = s->spec.out_count;
    experiment_shares_follow(x, l, s);
}

static void turn(struct experiments *x, const struct seen_experiment *s)
{
    struct live_experiment *l = live_of(x, s->uid);
    if (l && l->started_at != s->started_at) {
        end(x, l);
        l = NULL;
    }
    if (s->moved) {
        const struct experiment_news news = {
            .step = EXPERIMENT_ENDS,
            .cause = "arm_moved",
            .sentence = "Stopped: an arm of the route leads to another model than at the start, or "
                        "to none that serves."};
        experiment_report_news(x, s, &news);
        return;
    }
    l = l ? l : begin(x, s);
    follow(x, l, s);
    const int64_t now = now_ms(x);
    if (now - l->slot_start < l->slot_ms || only_follows(x, l, now))
        return;
    look(x, l, now);
    if (!l->decided)
        return;
    struct experiment_shown shown;
    experiment_show(l, now, experiment_waits(s), &shown);
    experiment_carry_out(x, l, s, &shown);
}

static void end_gone(struct experiments *x)
{
    for (struct live_experiment *l = x->first, *next; l; l = next) {
        next = l->next;
        if (l->round != x->round)
            end(x, l);
    }
}

static void one_round(struct experiments *x)
{
    size_t n;
    arena_reset(x->arena);
    x->round++;
    const struct seen_experiment *list = experiments_seen(x, &n);
    for (size_t i = 0; i < n; i++) {
        struct live_experiment *l = live_of(x, list[i].uid);
        if (l)
            l->round = x->round;
    }
    end_gone(x); /* first: another may have the route by now */
    for (size_t i = 0; i < n; i++)
        turn(x, &list[i]);
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct experiments *x = arg;
    while (cond_rest(&x->call, &x->lock, &x->stopping, TICK_MS))
        one_round(x);
    arena_reset(x->arena);
    for (struct live_experiment *l = x->first; l; l = l->next)
        if (!only_follows(x, l, now_ms(x)))
            look(x, l, now_ms(x)); /* what came since the last one is kept */
    return NULL;
}

static void free_all(struct experiments *x)
{
    for (struct live_experiment *l = x->first, *next; l; l = next) {
        next = l->next;
        live_free(l);
    }
    if (x->reader)
        engine_part(x->reader);
    arena_free(x->arena);
    pthread_cond_destroy(&x->call);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

struct experiments *experiments_start(const struct experiments_config *config, struct err *e)
{
    struct experiments *x = mem_zero(1, sizeof *x);
    x->config = *config;
    x->arena = arena_new(ROUND_BYTES);
    pthread_mutex_init(&x->lock, NULL);
    cond_init(&x->call);
    x->reader = engine_join(config->engine);
    if (x->reader) {
        one_round(x); /* the shares are in force before anybody asks */
        if (thread_start(&x->thread, "experiments", THREAD_LATER, run, x, e))
            return x;
    } else {
        fail(e, &ERR_INTERNAL, "too many threads read views");
    }
    free_all(x);
    return NULL;
}

void experiments_stop(struct experiments *x)
{
    if (!x)
        return;
    pthread_mutex_lock(&x->lock);
    x->stopping = true;
    pthread_cond_signal(&x->call);
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->thread, NULL);
    free_all(x);
}

bool experiments_analysis(struct experiments *x, uint64_t uid, struct bytes *out)
{
    struct experiment_shown shown;
    pthread_mutex_lock(&x->lock);
    const struct live_experiment *l = live_of(x, uid);
    if (l) {
        experiment_show(l, taken_until(l), false, &shown);
        experiment_evidence_json(l, &shown, true, out);
    }
    pthread_mutex_unlock(&x->lock);
    return l != NULL;
}
