/* What becomes of an experiment by what its treatments show, each beside the control. */
#include "selection/experiments_impl.h"

#include <math.h>

/* What moves the experiment if several treatments show different things: harm first, then whatever
 * keeps all from moving; a step is gone only when nobody objects. */
static int rank(const struct experiment_decision *d)
{
    switch (d->verdict) {
    case EXPERIMENT_ROLLBACK: return 6;
    case EXPERIMENT_PAUSE: return 5;
    case EXPERIMENT_PROMOTE: return 4;
    case EXPERIMENT_INCONCLUSIVE: return 3;
    case EXPERIMENT_HOLD: return d->cause == CAUSE_SAMPLE_RATIO ? 2 : 1;
    default: return 0;
    }
}

/* How far beyond what was wanted the evidence is that it is not worse, where it is least. */
static double surety(const struct experiment_decision *d)
{
    double least = INFINITY;
    for (size_t i = 0; i < d->guardrail_count; i++)
        least = fmin(least, d->guardrails[i].log_fine - d->guardrails[i].fine_limit);
    return least;
}

static bool goes_before(const struct experiment_decision *a, const struct experiment_decision *b)
{
    if (rank(a) != rank(b))
        return rank(a) > rank(b);
    return a->verdict == EXPERIMENT_PROMOTE && surety(a) > surety(b);
}

void experiment_show(const struct live_experiment *l, int64_t now_ms, bool waiting,
                     struct experiment_shown *out)
{
    const size_t n = l->spec.treatment_count;
    out->which = n;
    for (size_t i = 0; i < n; i++) {
        const bool left = !l->spec.treatments[i].out_order;
        const int64_t until = left ? now_ms : l->rules[i].taken_ms;
        experiment_decide(&l->rules[i], until, waiting, &out->list[i]);
        if (left && (out->which == n || goes_before(&out->list[i], &out->list[out->which])))
            out->which = i;
    }
    if (out->which == n) /* all were taken out: it is over */
        out->which = 0;
}
