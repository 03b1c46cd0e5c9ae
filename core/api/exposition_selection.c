/* What selection counts: who was selected and why, outcomes, what was logged and lost. */
#include "api/exposition.h"

#include "selection/decisions.h"
#include "selection/facts.h"
#include "selection/outcomes.h"
#include "selection/selection_counts.h"
#include "selection/strategy_log.h"

struct selections {
    struct text_format *t;
    const struct grants *grants; /* of whoever scrapes */
    enum selection_counted what;
    const char *family;
};

static void put_count(void *ctx, const struct selection_count *c)
{
    const struct selections *s = ctx;
    if (c->what != s->what ||
        (*c->model_id && !grants_allow(s->grants, c->ns, c->name, ACTION_BIT(ACTION_READ))))
        return;
    sample_begin(s->t, s->family, "_total");
    sample_label(s->t, "namespace", c->ns);
    sample_label(s->t, "route", c->route);
    sample_label(s->t, "model_id", c->model_id);
    if (c->what == COUNTED_SERVED)
        sample_label(s->t, "reason", selection_reason_name(c->reason));
    sample_uint(s->t, c->count);
}

static void put_counts(struct text_format *t, struct work *w, enum selection_counted what,
                       const char *family, const char *help)
{
    struct selections s = {t, w->grants, what, family};
    metric_family(t, family, METRIC_COUNTER, help);
    selection_counts_each(w->api->selections, put_count, &s);
}

static void put_outcome(struct text_format *t, const char *result, uint64_t n)
{
    sample_begin(t, "paddock_outcomes", "_total");
    sample_label(t, "result", result);
    sample_uint(t, n);
}

static void put_outcomes(struct text_format *t, struct outcomes *o)
{
    struct outcomes_stats s;
    outcomes_stats(o, &s);
    metric_family(t, "paddock_outcomes", METRIC_COUNTER,
                  "Scores of decisions, by what became of them.");
    put_outcome(t, "accepted", s.accepted);
    put_outcome(t, "duplicate", s.duplicate);
    put_outcome(t, "late", s.late);
    put_outcome(t, "unknown", s.unknown);
    put_outcome(t, "mismatched", s.mismatched);
    put_outcome(t, "forged", s.forged);
    metric_gauge(t, "paddock_outcomes_up", "1 while the log of outcomes takes writes.",
                 s.available);
    metric_gauge(t, "paddock_outcome_log_bytes", "Size of the log of outcomes.",
                 (double)s.log_bytes);
    metric_gauge(t, "paddock_outcome_untold_bytes", "Outcomes that other nodes are not told yet.",
                 (double)s.untold_bytes);
    metric_gauge(t, "paddock_outcome_counters", "Counters of outcomes.", (double)s.counters);
}

/* Where several nodes share the store. */
static void put_facts(struct text_format *t, struct facts *f)
{
    struct facts_stats s;
    facts_stats(f, &s);
    metric_counter(t, "paddock_facts_told",
                   "Entries of outcomes and evidence that this node told all others.",
                   (double)s.told_entries);
    metric_counter(t, "paddock_facts_told_bytes", "What that took.", (double)s.told_bytes);
    metric_gauge(t, "paddock_facts_heard", "Number of the last entry of all nodes heard here.",
                 (double)s.heard);
    metric_counter(t, "paddock_facts_lost",
                   "Times that entries were damaged or gone: the figures lack something.",
                   (double)s.lost);
}

void exposition_put_selection(struct text_format *t, struct work *w)
{
    struct decisions_stats log;
    put_counts(t, w, COUNTED_SERVED, "paddock_selections",
               "Selections since the start, by route, who serves, and why; without a route and a "
               "model those of further ones.");
    put_counts(t, w, COUNTED_SHADOW, "paddock_shadows",
               "How often decisions named a shadow since the start.");
    put_counts(t, w, COUNTED_REPORT, "paddock_shadow_reports",
               "Records and outcomes of shadows that decisions had named.");
    put_outcomes(t, w->api->outcomes);
    if (w->api->facts)
        put_facts(t, w->api->facts);
    metric_counter(t, "paddock_strategy_outcomes_lost",
                   "Outcomes that no strategy will learn from: too many waited.",
                   (double)strategy_log_lost(w->api->strategy_log));
    decisions_stats(w->api->decisions, &log);
    metric_counter(t, "paddock_decisions_logged", "Decisions written to the log.",
                   (double)log.written);
    metric_counter(t, "paddock_decisions_lost", "Decisions that were to be logged and were not.",
                   (double)log.lost);
    metric_gauge(t, "paddock_decision_log_bytes", "Text of logged decisions in the store.",
                 (double)log.bytes);
}
