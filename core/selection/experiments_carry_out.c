/* What a look has shown is carried out: a command, for the journal and the registry. */
#include "base/log.h"
#include "engine/ask.h"
#include "registry/errors.h"
#include "selection/experiments_impl.h"

#include <string.h>

#define GATE_RETRY_MS 2000
#define COMMAND_BYTES (16u << 20)

static bool is(const char *text, const char *what)
{
    return text && strcmp(text, what) == 0;
}

bool experiment_waits(const struct seen_experiment *s)
{
    return is(s->paused_by, "person") || is(s->paused_by, "regression") ||
           is(s->paused_by, "proposal");
}

static bool tell(struct experiments *x, const struct seen_experiment *s,
                 const struct experiment_news *news, struct err *e)
{
    struct arena *a = arena_new(COMMAND_BYTES);
    struct command c = {
        .arena = a,
        .ns = s->ns,
        .actor = {.kind = "experiment", .id = s->key},
        .if_match = s->revision,
        .id = s->key,
        .args = (void *)(uintptr_t)news,
        .decide = experiment_report,
        .duty = true,
    };
    bool ok = engine_ask(x->config.engine, &c, e);
    arena_free(a);
    return ok;
}

void experiment_report_news(struct experiments *x, const struct seen_experiment *s,
                            const struct experiment_news *news)
{
    struct err e = {0};
    if (!tell(x, s, news, &e) && e.kind != &REVISION_MISMATCH)
        log_text(LOG_WARN, "experiment_not_moved",
                 arena_printf(x->arena, "%s: %s", s->key, e.detail));
}

/* The gate may refuse: then it is said once, and tried again. */
static void promote(struct experiments *x, struct live_experiment *l,
                    const struct seen_experiment *s, struct experiment_news *news)
{
    struct err e = {0};
    news->step = EXPERIMENT_IS_BETTER;
    if (clock_wall_ms(x->config.clock) < l->retry_ms || tell(x, s, news, &e) ||
        e.kind == &REVISION_MISMATCH)
        return;
    l->retry_ms = clock_wall_ms(x->config.clock) + GATE_RETRY_MS;
    if (s->ready)
        return;
    const char *kept = arena_text(x->arena, e.detail);
    news->sentence = arena_printf(x->arena, "Ready, but not promoted: %.500s", kept);
    news->step = EXPERIMENT_IS_READY;
    news->cause = "gate";
    l->retry_ms = 0; /* the gate may have asked for just this */
    experiment_report_news(x, s, news);
}

static void pause_as(struct experiments *x, const struct seen_experiment *s,
                     struct experiment_news *news, const char *by)
{
    if (s->paused_by)
        return;
    news->step = EXPERIMENT_PAUSES;
    news->paused_by = by;
    experiment_report_news(x, s, news);
}

/* What paused it by itself is over. */
static bool recovered(const struct seen_experiment *s, const struct experiment_decision *d)
{
    const bool silence = is(s->paused_by, "traffic") || is(s->paused_by, "cut_off");
    return (silence && d->verdict != EXPERIMENT_PAUSE) ||
           (is(s->paused_by, "sample_ratio") && d->cause != CAUSE_SAMPLE_RATIO);
}

/* Of several treatments it says which one it is about. */
static const char *sentence_of(struct experiments *x, const struct seen_experiment *s,
                               const struct experiment_shown *shown)
{
    const struct experiment_decision *d = &shown->list[shown->which];
    if (s->spec.treatment_count == 1 || d->verdict == EXPERIMENT_ADVANCE)
        return d->sentence;
    return arena_printf(x->arena, "%s: %s", s->spec.treatments[shown->which].arm, d->sentence);
}

void experiment_carry_out(struct experiments *x, struct live_experiment *l,
                          const struct seen_experiment *s, const struct experiment_shown *shown)
{
    const struct experiment_decision *d = &shown->list[shown->which];
    struct bytes b = BYTES_INIT(65536);
    experiment_evidence_json(l, shown, false, &b);
    struct experiment_news news = {.treatment = s->spec.treatments[shown->which].arm,
                                   .cause = EXPERIMENT_CAUSES[d->cause],
                                   .sentence = sentence_of(x, s, shown),
                                   .evidence = b.full ? NULL : arena_copy(x->arena, b.data, b.len)};
    bytes_release(&b);
    if (d->verdict == EXPERIMENT_ROLLBACK) {
        news.step = EXPERIMENT_IS_WORSE;
        if (!is(s->paused_by, "regression"))
            experiment_report_news(x, s, &news);
    } else if (d->verdict == EXPERIMENT_INCONCLUSIVE && !is(s->paused_by, "proposal")) {
        news.step = EXPERIMENT_IS_OVER;
        experiment_report_news(x, s, &news);
    } else if (recovered(s, d)) {
        news.step = EXPERIMENT_RESUMES;
        news.sentence = "Resumed: what had paused it is over.";
        experiment_report_news(x, s, &news);
    } else if (d->verdict == EXPERIMENT_PAUSE) {
        pause_as(x, s, &news, d->cause == CAUSE_CUT_OFF ? "cut_off" : "traffic");
    } else if (d->cause == CAUSE_SAMPLE_RATIO) {
        pause_as(x, s, &news, "sample_ratio");
    } else if (d->verdict == EXPERIMENT_PROMOTE) {
        promote(x, l, s, &news);
    } else if (d->verdict == EXPERIMENT_ADVANCE) {
        news.step = EXPERIMENT_GOES_ON;
        experiment_report_news(x, s, &news);
    }
}
