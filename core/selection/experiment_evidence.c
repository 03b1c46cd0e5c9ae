#include "selection/experiment_evidence.h"

#include "base/mem.h"
#include "selection/experiment_evidence_impl.h"
#include "selection/selector.h"

#include <stdlib.h>
#include <string.h>

void evidence_slot_init(struct evidence_slot *s)
{
    *s = (struct evidence_slot){.score_count = 0};
    for (int i = 0; i < EVIDENCE_ARMS; i++)
        sketch_init(&s->latency[i], SKETCH_SCALE);
}

void evidence_slot_release(struct evidence_slot *s)
{
    for (int i = 0; i < EVIDENCE_ARMS; i++)
        sketch_release(&s->latency[i]);
}

/* The sketches keep their memory. */
void evidence_slot_clear(struct evidence_slot *s)
{
    struct sketch latency[EVIDENCE_ARMS];
    memcpy(latency, s->latency, sizeof latency);
    *s = (struct evidence_slot){.score_count = 0};
    for (int i = 0; i < EVIDENCE_ARMS; i++) {
        s->latency[i] = latency[i];
        sketch_clear(&s->latency[i]);
    }
}

struct experiment_evidence *evidence_new(struct facts *facts)
{
    struct experiment_evidence *e = mem_zero(1, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    if (facts)
        evidence_share(e, facts);
    return e;
}

static void listener_free(struct listener *l)
{
    evidence_slot_release(&l->slot);
    evidence_chunks_free(l, UINT64_MAX);
    free(l);
}

void evidence_free(struct experiment_evidence *e)
{
    if (!e)
        return;
    for (struct listener *l = e->first, *next; l; l = next) {
        next = l->next;
        listener_free(l);
    }
    evidence_shared_free(e->shared);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct listener *evidence_listener(const struct experiment_evidence *e, uint64_t uid)
{
    struct listener *l = e->first;
    while (l && l->watch.uid != uid)
        l = l->next;
    return l;
}

void evidence_drop(struct experiment_evidence *e, uint64_t uid)
{
    struct listener *gone = NULL;
    pthread_mutex_lock(&e->lock);
    struct listener **at = &e->first;
    while (*at && (*at)->watch.uid != uid)
        at = &(*at)->next;
    if ((gone = *at)) {
        *at = gone->next;
        atomic_fetch_sub(&e->count, 1);
    }
    pthread_mutex_unlock(&e->lock);
    if (gone)
        listener_free(gone);
}

void evidence_watch(struct experiment_evidence *e, const struct evidence_watch *w)
{
    struct listener *l = mem_zero(1, sizeof *l);
    evidence_drop(e, w->uid);
    l->watch = *w;
    evidence_slot_init(&l->slot);
    pthread_mutex_lock(&e->lock);
    l->next = e->first;
    e->first = l;
    atomic_fetch_add(&e->count, 1);
    if (e->shared)
        evidence_catch_up(e, l);
    pthread_mutex_unlock(&e->lock);
}

void evidence_take_out(struct experiment_evidence *e, uint64_t uid, size_t arm, int64_t at_ms)
{
    pthread_mutex_lock(&e->lock);
    struct listener *l = evidence_listener(e, uid);
    if (l)
        l->watch.out_ms[arm] = at_ms;
    pthread_mutex_unlock(&e->lock);
}

uint64_t evidence_take(struct experiment_evidence *e, uint64_t uid, struct evidence_slot *slot)
{
    uint64_t upto = 0;
    evidence_slot_clear(slot);
    pthread_mutex_lock(&e->lock);
    struct listener *l = evidence_listener(e, uid);
    if (l && e->shared) {
        upto = evidence_sum(e, l, slot);
    } else if (l) {
        struct evidence_slot full = l->slot;
        l->slot = *slot;
        *slot = full;
    }
    pthread_mutex_unlock(&e->lock);
    return upto;
}

void evidence_looked(struct experiment_evidence *e, uint64_t uid, uint64_t upto)
{
    pthread_mutex_lock(&e->lock);
    struct listener *l = evidence_listener(e, uid);
    if (l && upto > l->watch.upto) {
        l->watch.upto = upto;
        evidence_chunks_free(l, upto);
    }
    pthread_mutex_unlock(&e->lock);
}

bool evidence_wanted(const struct experiment_evidence *e)
{
    return e && atomic_load_explicit(&e->count, memory_order_relaxed) > 0;
}

/* Whose arm a decision was, or -1. */
int evidence_arm_of(const struct evidence_watch *w, const struct decision_facts *d)
{
    if (d->route_uid != w->route_uid || d->reason != SELECTION_EXPERIMENT ||
        !(d->flags & DECISION_DRAWN) || d->flags & DECISION_FALLBACK || d->at_ms < w->since_ms)
        return -1;
    for (size_t i = 0; i <= w->treatment_count; i++)
        if (d->arm == w->arms[i] && d->served_uid == w->models[i])
            return (int)i;
    return -1;
}

/* Note what was planned when a request was decided: of those that went to a treatment or to the
 * control, which part was to be the treatment's. All treatments had the same share then, so that
 * of one, or of the control, says it. */
static void note_plan(const struct evidence_watch *w, const struct decision_facts *d, size_t arm,
                      struct evidence_slot *slot)
{
    size_t sharing = 0;
    for (size_t i = ARM_TREATMENT; i <= w->treatment_count; i++)
        sharing += w->out_ms[i] == 0 || d->at_ms < w->out_ms[i];
    if (sharing == 0)
        return;
    const double n = (double)sharing, own = d->propensity;
    const double control = arm == ARM_CONTROL ? own : 1 - n * own;
    const double treatment = arm == ARM_CONTROL ? (1 - own) / n : own;
    const double planned = treatment + control > 0 ? treatment / (treatment + control) : 0;
    for (size_t i = ARM_TREATMENT; i <= w->treatment_count; i++)
        if (arm == ARM_CONTROL || arm == i)
            slot->planned[i] += planned;
}

void evidence_request(struct experiment_evidence *e, const struct evidence_request *r)
{
    pthread_mutex_lock(&e->lock);
    for (struct listener *l = e->first; l; l = l->next) {
        const int arm = evidence_arm_of(&l->watch, &r->decision);
        if (arm < 0)
            continue;
        l->slot.requests[arm]++;
        l->slot.errors[arm] += r->failure;
        note_plan(&l->watch, &r->decision, (size_t)arm, &l->slot);
        (void)sketch_add(&l->slot.latency[arm], r->latency_ms);
    }
    pthread_mutex_unlock(&e->lock);
}

int evidence_metric_of(const struct evidence_watch *w, const char *name, size_t len)
{
    for (size_t i = 0; i < w->metric_count; i++)
        if (len && strlen(w->scores[i]) == len && memcmp(w->scores[i], name, len) == 0)
            return (int)i;
    return -1;
}

void evidence_score(struct experiment_evidence *e, const struct decision_facts *decision,
                    const char *name, size_t len, double value)
{
    pthread_mutex_lock(&e->lock);
    for (struct listener *l = e->first; l; l = l->next) {
        const int arm = evidence_arm_of(&l->watch, decision);
        const int metric = arm >= 0 ? evidence_metric_of(&l->watch, name, len) : -1;
        if (metric >= 0) {
            moments_add(&l->slot.scores[arm][metric], value);
            l->slot.score_count++;
        }
    }
    pthread_mutex_unlock(&e->lock);
}

static void follow(void *self, uint64_t position, const struct outcome *o)
{
    (void)position;
    if (evidence_wanted(self) && !o->shadow)
        evidence_score(self, &o->decision, o->name, strlen(o->name), o->value);
}

struct outcome_follower evidence_follower(struct experiment_evidence *e)
{
    return (struct outcome_follower){.outcome = follow, .saved = NULL, .self = e};
}
