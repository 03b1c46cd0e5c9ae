/* The numbers of a decision, for the journal, the document and the analysis. */
#include "base/json.h"
#include "selection/experiments_impl.h"

#include <math.h>

static const char *const STATES[] = {
    [GUARDRAIL_SILENT] = "no_data",  [GUARDRAIL_UNDECIDED] = "undecided",
    [GUARDRAIL_SUSPECT] = "suspect", [GUARDRAIL_WORSE] = "worse",
    [GUARDRAIL_FINE] = "not_worse",
};

static void put_arm(struct bytes *out, const char *key, uint64_t n, uint64_t hits, double value,
                    bool counted)
{
    json_key(out, key);
    bytes_char(out, '{');
    json_kv_int(out, "n", (int64_t)n);
    if (counted)
        json_kv_int(out, "hits", (int64_t)hits);
    json_kv_number(out, "estimate", value);
    bytes_char(out, '}');
}

static void put_side(struct bytes *out, const char *key, double log_e, double limit)
{
    json_key(out, key);
    bytes_char(out, '{');
    json_kv_number(out, "e_value", exp(fmin(log_e, 700)));
    json_kv_number(out, "threshold", exp(limit));
    bytes_char(out, '}');
}

static void put_interval(struct bytes *out, const struct guardrail *g, double alpha)
{
    const struct interval i = guardrail_interval(g, 1 - alpha);
    json_key(out, "interval");
    bytes_char(out, '[');
    json_put_number(out, i.lo);
    bytes_char(out, ',');
    json_put_number(out, i.hi);
    bytes_char(out, ']');
}

static void put_metric(const struct guardrail *g, const struct guardrail_report *r, double alpha,
                       bool intervals, struct bytes *out)
{
    const bool counted = g->plan.kind != GUARDRAIL_SCORE;
    bytes_char(out, '{');
    json_kv_string(out, "name", g->plan.name);
    json_kv_string(out, "state", STATES[r->state]);
    put_arm(out, "treatment", r->treatment, r->treatment_hits, r->treatment_value, counted);
    put_arm(out, "control", r->control, r->control_hits, r->control_value, counted);
    json_kv_number(out, "effect", r->effect);
    json_kv_number(out, "margin", g->plan.margin);
    json_kv_number(out, "threshold_ms", r->threshold_ms);
    put_side(out, "worse", r->log_worse, r->worse_limit);
    put_side(out, "not_worse", r->log_fine, r->fine_limit);
    json_kv_number(out, "dispersion", r->dispersion);
    json_kv_int(out, "samples_needed", (int64_t)r->samples_needed);
    if (intervals)
        put_interval(out, g, alpha);
    bytes_char(out, '}');
}

static void put_treatment(const struct live_experiment *l, const struct experiment_decision *d,
                          size_t which, bool intervals, struct bytes *out)
{
    const struct experiment_rules *rules = &l->rules[which];
    const struct experiment_treatment *t = &l->spec.treatments[which];
    json_kv_string(out, "arm", t->arm);
    json_kv_bool(out, "taken_out", t->out_order != 0);
    json_kv_string(out, "verdict", EXPERIMENT_VERDICTS[d->verdict]);
    json_kv_string(out, "cause", EXPERIMENT_CAUSES[d->cause]);
    json_kv_string(out, "sentence", d->sentence);
    json_kv_time(out, "watermark", rules->taken_ms);
    json_kv_int(out, "step", (int64_t)d->step);
    json_kv_number(out, "share_percent", d->share_percent);
    json_kv_number(out, "alpha", d->alpha);
    json_kv_int(out, "looks", (int64_t)rules->looks);
    json_kv_int(out, "looks_counted", (int64_t)rules->counted);
    json_kv_int(out, "treatment_requests", (int64_t)d->treatment);
    json_kv_int(out, "control_requests", (int64_t)d->control);
    json_kv_number(out, "sample_ratio_e_value", exp(fmin(d->log_ratio_evidence, 700)));
    json_key(out, "metrics");
    bytes_char(out, '[');
    for (size_t i = 0; i < d->guardrail_count; i++) {
        if (i)
            bytes_char(out, ',');
        put_metric(&rules->guardrails[i], &d->guardrails[i], d->alpha, intervals, out);
    }
    bytes_char(out, ']');
}

/* The treatment that it is about, and in it those beside it, if there are any. */
void experiment_evidence_json(const struct live_experiment *l, const struct experiment_shown *shown,
                              bool intervals, struct bytes *out)
{
    bool first = true;
    bytes_char(out, '{');
    put_treatment(l, &shown->list[shown->which], shown->which, intervals, out);
    if (l->spec.treatment_count > 1) {
        json_key(out, "others");
        bytes_char(out, '[');
        for (size_t i = 0; i < l->spec.treatment_count; i++) {
            if (i == shown->which)
                continue;
            bytes_text(out, first ? "{" : ",{");
            put_treatment(l, &shown->list[i], i, intervals, out);
            bytes_char(out, '}');
            first = false;
        }
        bytes_char(out, ']');
    }
    bytes_char(out, '}');
}
