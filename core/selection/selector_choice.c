/* The choice: who is intended to serve a unit, and why. */
#include "selection/selector_impl.h"

#include "base/bucket.h"

#include <stdio.h>
#include <string.h>

static const struct ready_arm *arm_called(const struct ready_route *r, const char *name)
{
    for (size_t i = 0; name && i < r->arm_count; i++)
        if (strcmp(r->arms[i].name, name) == 0)
            return &r->arms[i];
    return NULL;
}

/* Choose an arm. NULL `arm`: what was named is none of the route's. */
static void choose(struct deciding *d, enum selection_reason reason, const struct ready_arm *arm,
                   double propensity)
{
    struct selection_answer *out = d->out;
    out->reason = reason;
    out->propensity = propensity;
    out->arm = arm ? arm->name : NULL;
    out->intended = arm ? arm->model : NULL;
    out->cause = arm ? arm->cause : "NO_ARM";
}

/* Nobody was chosen, and why: the fallbacks serve. */
static void choose_none(struct deciding *d, enum selection_reason reason, const char *cause)
{
    choose(d, reason, NULL, 1);
    d->out->cause = cause;
}

/* Where a previous decision put the unit, if it may stay there. */
static const struct ready_arm *kept(const struct deciding *d)
{
    struct decision_facts was;
    const char *id = d->q->previous;
    if (!id || decision_id_read(d->shared->keys, id, strlen(id), &was) != DECISION_GOOD ||
        was.route_uid != d->r->uid || was.unit != d->out->facts.unit ||
        !(was.flags & DECISION_DRAWN))
        return NULL;
    for (size_t i = 0; i < d->r->arm_count; i++) {
        const struct ready_arm *arm = &d->r->arms[i];
        if (!arm->cause && decision_mark(arm->name, strlen(arm->name)) == was.arm)
            return arm;
    }
    return NULL;
}

static bool unit_here(struct deciding *d)
{
    if (d->out->unit)
        return true;
    choose_none(d, SELECTION_FALLBACK, "NO_UNIT");
    return false;
}

/* Who serves those that a published arm is given. The shares of a treatment that is out outlive it
 * by a moment: whoever was told that it is out must not meet it. */
static const struct ready_arm *arm_of(const struct deciding *d, enum selection_reason reason,
                                      const struct weights_arm *drawn)
{
    const struct ready_arm *arm = drawn ? arm_called(d->r, drawn->arm) : NULL;
    return arm && arm->out && reason == SELECTION_EXPERIMENT ? d->r->control : arm;
}

static void draw_published(struct deciding *d, enum selection_reason reason,
                           const struct weights_set *set)
{
    if (!unit_here(d))
        return;
    const struct ready_arm *stays = reason == SELECTION_STRATEGY ? kept(d) : NULL;
    const struct ready_arm *arm = stays ? stays : arm_of(d, reason, weights_draw(set, d->bucket));
    double propensity = 0;
    for (size_t i = 0; arm && i < set->arm_count; i++)
        if (arm_of(d, reason, &set->arms[i]) == arm)
            propensity += weights_propensity(set, &set->arms[i]);
    choose(d, reason, arm, arm ? propensity : 1);
    d->drawn = true;
}

static void draw_own(struct deciding *d)
{
    const struct route_plan *p = d->r->plan;
    if (!unit_here(d))
        return;
    const struct ready_arm *stays = kept(d);
    int drawn = share_at(p->shares, p->share_count, d->bucket);
    size_t arm = stays ? (size_t)(stays - d->r->arms) : (size_t)drawn;
    if (arm >= d->r->arm_count) {
        choose_none(d, SELECTION_STRATEGY, "NO_ARM");
        return;
    }
    choose(d, SELECTION_STRATEGY, &d->r->arms[arm],
           share_of_arm(p->shares, p->share_count, (uint32_t)arm));
    d->drawn = true;
}

static const struct weights_set *published(const struct deciding *d, enum weights_source source)
{
    const struct weights_set *set =
        d->r->shares_id ? weights_of(d->weights, source, d->q->ns, d->r->shares_id) : NULL;
    return set && (set->route_uid == d->r->uid || (set->route_uid == 0 && !d->r->stored)) ? set
                                                                                          : NULL;
}

/* A name of the published set, kept for after it has been left. */
static const char *keep_text(char at[CHOICE_TEXT_MAX], const char *text)
{
    snprintf(at, CHOICE_TEXT_MAX, "%s", text);
    return at;
}

static void ask_flag(struct deciding *d)
{
    struct flag_answer a;
    const struct selection_question *q = d->q;
    const struct flag_question f = {.view = q->view,
                                    .ns = q->ns,
                                    .context = q->context,
                                    .context_id = q->context_id,
                                    .at_ms = q->at_ms};
    const struct document *flag = view_document(q->view, &FLAG_TYPE, q->ns, d->r->flag);
    if (!flag) {
        choose_none(d, SELECTION_FALLBACK, "NO_FLAG");
        return;
    }
    flag_set_ask(d->flags, flag, &f, &a);
    if (a.reason == FLAG_ERROR) {
        choose_none(d, SELECTION_FALLBACK, "POLICY_FAILED");
    } else if (a.reason == FLAG_NO_UNIT) {
        choose_none(d, SELECTION_FALLBACK, "NO_UNIT");
    } else {
        choose(d, a.reason == FLAG_KILLED ? SELECTION_KILLED : SELECTION_FLAG,
               arm_called(d->r, a.variant), a.share);
        d->drawn = a.reason == FLAG_SPLIT || !(a.share >= 1);
    }
    d->out->variant = keep_text(d->text->variant, a.variant ? a.variant : "");
}

static const char *strategy_of(const struct deciding *d)
{
    return d->q->strategy ? d->q->strategy : d->r->strategy;
}

/* What this strategy has published; NULL: nothing, or the route's own weights are asked for. */
static const struct weights_set *published_by(const struct deciding *d, const char *strategy)
{
    const struct weights_set *set = strategy && strcmp(strategy, STRATEGY_WEIGHTED) != 0
                                        ? published(d, WEIGHTS_STRATEGY)
                                        : NULL;
    return set && strcmp(set->by, strategy) == 0 ? set : NULL;
}

static void ask_strategy(struct deciding *d, const char *strategy)
{
    const struct weights_set *set = published_by(d, strategy);
    d->out->strategy = strategy;
    if (set)
        draw_published(d, SELECTION_STRATEGY, set);
    else if (d->r->plan && d->r->plan->share_count > 0)
        draw_own(d);
    else if (d->q->store_gone) /* what was learned is there, and cannot be known now */
        choose_none(d, SELECTION_DEGRADED, "STORE_UNAVAILABLE");
    else
        choose_none(d, SELECTION_FALLBACK, "NO_WEIGHTS");
}

/* Nobody shares the traffic: the first of those who serve in whose place ever. */
static void choose_stable(struct deciding *d)
{
    const struct ready_route *r = d->r;
    const struct ready_arm arm = {
        .model = r->fallback_count ? r->fallbacks[0] : NULL,
        .cause = r->fallback_count ? r->fallback_causes[0] : "NO_MODEL",
    };
    choose(d, SELECTION_ONLY, &arm, 1);
    for (size_t i = 0; i < r->arm_count; i++)
        if (r->arms[i].model == arm.model)
            d->out->arm = r->arms[i].name;
}

/* Its shares outlive it by a moment: whoever was told that it has ended must not meet them. */
const struct weights_set *selector_experiment(const struct deciding *d)
{
    const char *runs = d->r->experiment;
    const struct weights_set *set = runs ? published(d, WEIGHTS_EXPERIMENT) : NULL;
    return set && strcmp(set->by, runs) == 0 ? set : NULL;
}

const struct weights_set *selector_shares(const struct deciding *d)
{
    const struct weights_set *set = selector_experiment(d);
    return set ? set : published_by(d, strategy_of(d));
}

const struct weights_set *selector_scores(const struct deciding *d)
{
    return published(d, WEIGHTS_STRATEGY);
}

void selector_choose(struct deciding *d)
{
    const struct ready_route *r = d->r;
    const char *strategy = strategy_of(d);
    if (r->killed) {
        choose_none(d, SELECTION_KILLED, "KILLED");
        return;
    }
    const struct weights_set *shares = selector_experiment(d);
    if (shares) {
        d->out->strategy = keep_text(d->text->strategy, shares->by);
        draw_published(d, SELECTION_EXPERIMENT, shares);
    } else if (r->flag && !d->q->strategy) {
        ask_flag(d);
    } else if (!r->plan && r->arm_count == 1) {
        choose(d, SELECTION_ONLY, r->arms, 1);
    } else if (strategy) {
        ask_strategy(d, strategy);
    } else {
        choose_stable(d);
    }
}
