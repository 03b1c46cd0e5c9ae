/* The shares of an experiment: one set after the other, from the route's own ranges on, so that
 * whoever was in stays in, and a restart gives the same ranges. */
#include "base/log.h"
#include "selection/experiments_impl.h"

#include <math.h>

/* What stands behind a set: a step, and which treatments had been taken out by then. */
struct standing {
    size_t step, outs;
};

static const struct experiment_treatment *taken_out(const struct experiment_spec *spec,
                                                    size_t order)
{
    for (size_t i = 0; i < spec->treatment_count; i++)
        if (spec->treatments[i].out_order == order)
            return &spec->treatments[i];
    return NULL;
}

/* The one after it: first those that were taken out at its step, then the next step. */
static struct standing next_of(const struct experiment_spec *spec, struct standing now)
{
    const struct experiment_treatment *out = taken_out(spec, now.outs + 1);
    if (out && out->out_step <= (int64_t)now.step)
        return (struct standing){now.step, now.outs + 1};
    return (struct standing){now.step + 1, now.outs};
}

/* Each treatment has its part of the step; that of one taken out is the control's. */
static bool publish(struct experiments *x, const struct seen_experiment *s, struct standing at,
                    bool first)
{
    const size_t n = s->spec.treatment_count;
    const double part = s->spec.steps[at.step] / (double)n;
    struct weights_arm arms[EVIDENCE_ARMS] = {{.arm = s->control, .weight = 100, .score = NAN}};
    for (size_t i = 0; i < n; i++) {
        const struct experiment_treatment *t = &s->spec.treatments[i];
        const bool out = t->out_order && t->out_order <= at.outs;
        arms[i + 1] = (struct weights_arm){.arm = t->arm, .weight = out ? 0 : part, .score = NAN};
        arms[0].weight -= out ? 0 : part;
    }
    arms[0].weight = fmax(arms[0].weight, 0);
    const struct weights_wish wish = {.ns = s->ns,
                                      .route = s->route,
                                      .route_uid = s->route_uid,
                                      .by = s->key,
                                      .arms = arms,
                                      .arm_count = n + 1,
                                      .from = first ? s->base : NULL,
                                      .at_ms = clock_wall_ms(x->config.clock)};
    struct err e = {0};
    if (weights_publish(x->config.weights, WEIGHTS_EXPERIMENT, &wish, &e))
        return true;
    log_text(LOG_ERROR, "experiment_shares_refused", e.detail);
    return false;
}

void experiment_shares_follow(struct experiments *x, struct live_experiment *l,
                              const struct seen_experiment *s)
{
    const size_t wanted = 1 + (size_t)s->step + s->spec.out_count;
    struct standing at = {0, 0};
    for (size_t i = 0; i < wanted && at.step < s->spec.step_count; i++) {
        if (i >= l->published && !publish(x, s, at, i == 0))
            return;
        l->published = i >= l->published ? i + 1 : l->published;
        at = next_of(&s->spec, at);
    }
}
