#include "validation/grade.h"

#include <math.h>
#include <string.h>

/* What a policy may want to treat apart, told by the name that the test gave. */
static const char *kind_of(const struct regression *r)
{
    static const char *const words[][2] = {
        {"latency", "latency"}, {"error_rate", "error_rate"}, {"throughput", "throughput"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(r->measurement, words[i][0]))
            return words[i][1];
    return r->test_type && strcmp(r->test_type, "regression") == 0 ? "score" : "other";
}

/* Policies speak of margins in the measurement's own unit. */
static double margin_of(const struct regression *r)
{
    const bool target = better_of(r->better) == BETTER_TARGET && r->target != 0;
    return r->margin * fabs(target ? r->target : r->baseline);
}

static const double *history_of(const struct regression *r, struct arena *a, size_t *len)
{
    double *values = r->history_len ? arena_alloc(a, r->history_len * sizeof *values) : NULL;
    *len = values ? r->history_len : 0;
    for (size_t i = 0; i < *len; i++)
        values[i] = r->history[i].value;
    return values;
}

struct grading grade_by_policy(void *self, const struct regression *r, struct arena *a)
{
    const struct grade_by_policy *g = self;
    struct severity_input in = {
        .model_id = g->model_id,
        .name = g->name,
        .version = g->version,
        .status = g->status,
        .baseline_model_id = g->baseline_model_id,
        .labels = g->labels,
        .metric = r->measurement,
        .kind = kind_of(r),
        .unit = r->unit,
        .better = r->better,
        .test = r->test_id,
        .critical = r->critical,
        .low_sample = r->low_sample,
        .incomparable = r->incomparable,
        .baseline = r->baseline,
        .candidate = r->candidate,
        .delta = r->delta,
        .delta_ratio = r->delta_ratio,
        .margin = margin_of(r),
        .confidence = {r->confidence.lo, r->confidence.hi},
        .p_value = r->p_value,
        .samples = (uint64_t)r->samples,
    };
    in.history = history_of(r, a, &in.history_len);
    struct severity_grade out;
    severity_grade(g->set, g->ns, g->policy, &in, &out);
    const size_t len = strlen(out.reason);
    char *reason = arena_alloc(a, len + 1);
    if (reason)
        memcpy(reason, out.reason, len + 1);
    return (struct grading){out.level, g->policy, reason};
}
