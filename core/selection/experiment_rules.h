/* experiment_rules: what becomes of a treatment that runs beside a control. Room: selection.
 * Threads: one owner; pure: no I/O, no clock.
 *
 * Slots of time come in when they are closed, and time is theirs: the same slots give the same
 * decisions, live or replayed. Each look answers with one verdict, the numbers behind it and a
 * sentence:
 *
 *   roll back     a guardrail shows, at budget / guardrails, that the treatment is worse, and by
 *                 more than its margin; or the hard trip, which is no statistics and says so
 *   promote       at the last step, every guardrail shows that the treatment is not worse than its
 *                 margin (each at the whole budget: all of them must), with enough samples
 *   advance       to the next step: time served with traffic on both arms, and no suspicion
 *   pause         an arm gets no traffic (or is cut off from it): nobody knows, so nothing moves
 * until there is some again inconclusive  the time is over hold          anything else
 *
 * Rolling back is possible at every moment, also in pauses and while people wait. Evidence is
 * carried over steps. Of several treatments each has rules of its own and its part of the budget;
 * the k-th attempt with a treatment, from the second on, has 6 / (pi k)^2 of it, so that all
 * attempts together stay below 1.4 of it.
 *
 * Simulated error rates: docs/experiments.md (tests/bench/experiments). */
#ifndef PADDOCK_SELECTION_EXPERIMENT_RULES_H
#define PADDOCK_SELECTION_EXPERIMENT_RULES_H

#include "selection/guardrail.h"

#define EXPERIMENT_GUARDRAILS   8
#define EXPERIMENT_STEPS        16
#define EXPERIMENT_RECENT       6    /* looks that the hard trip adds up */
#define EXPERIMENT_TRIP_LEAST   20   /* requests of the treatment in them */
#define EXPERIMENT_EXPECTED     10   /* requests that were due before silence means something */
#define EXPERIMENT_RATIO_MARGIN 1.25 /* odds of the split: units that ask often are no fault */
#define EXPERIMENT_RATIO_ALPHA  0.001
#define EXPERIMENT_COVERAGE     0.8 /* least ratio of the arms' shares of requests with a score */

struct experiment_plan {
    struct guardrail_plan guardrails[EXPERIMENT_GUARDRAILS];
    size_t guardrail_count;       /* 1.. */
    double alpha;                 /* in (0, 0.5): of any wrong finding, ever */
    unsigned attempt, treatments; /* 1.. */
    double
        steps_percent[EXPERIMENT_STEPS]; /* ascending; one of 100 is no step, but the promotion */
    size_t step_count;                   /* 1.., at least one below 100 */
    int64_t started_at_ms, warmup_ms, step_min_ms, max_ms;
    int64_t quiet_ms;     /* both arms silent: traffic is missing */
    uint64_t min_samples; /* of the treatment */
};

struct experiment_look {
    int64_t start_ms, end_ms;
    double share; /* of the treatment in this slot's requests, as planned; (0, 1) */
    uint64_t treatment, control, treatment_errors, control_errors;
    struct guardrail_look guardrails[EXPERIMENT_GUARDRAILS]; /* errors: filled in from the above */
};

/* An arm's part of a slot, for experiment_count(). */
struct experiment_arm {
    const struct sketch *latency;                        /* scale 7; NULL: none */
    const struct moments *scores[EXPERIMENT_GUARDRAILS]; /* by guardrail; NULL: none */
};

struct experiment_recent {
    uint64_t treatment, treatment_errors, control, control_errors;
};

struct experiment_rules {
    struct experiment_plan plan;
    double alpha; /* of this treatment and attempt */
    struct guardrail guardrails[EXPERIMENT_GUARDRAILS];
    struct eprocess too_many, too_few; /* requests of the treatment, beside the planned split */
    size_t step;
    int64_t step_ms;                     /* of slots in this step that counted */
    int64_t taken_ms;                    /* end of the last slot taken */
    int64_t warm_from_ms;                /* slots before do not count */
    int64_t heard_ms;                    /* end of the last slot with any traffic */
    double owed_treatment, owed_control; /* requests that should have come since the last one */
    struct experiment_recent recent[EXPERIMENT_RECENT];
    const char *treatment_cut, *control_cut; /* why selections pass the arm over now; NULL: no */
    size_t looks, counted;                   /* slots taken; of these, counted as evidence */
    uint64_t treatment, control;             /* requests that counted */
};

enum experiment_taken {
    EXPERIMENT_TAKEN,
    EXPERIMENT_OPEN, /* not closed yet: ends after the watermark */
    EXPERIMENT_LATE, /* begins before the end of one that was taken: each counts once */
};

enum experiment_verdict {
    EXPERIMENT_HOLD,
    EXPERIMENT_ADVANCE,
    EXPERIMENT_PROMOTE,
    EXPERIMENT_ROLLBACK,
    EXPERIMENT_PAUSE,
    EXPERIMENT_INCONCLUSIVE,
};

enum experiment_cause {
    CAUSE_COLLECTING,     /* hold */
    CAUSE_SUSPICION,      /* hold: there is evidence of harm, not enough of it */
    CAUSE_STEP_TIME,      /* hold */
    CAUSE_SAMPLES,        /* hold: fewer than min_samples */
    CAUSE_WAITING,        /* hold: a person paused it */
    CAUSE_SAMPLE_RATIO,   /* hold: the split is not the planned one */
    CAUSE_COVERAGE,       /* hold: scores come for one arm more often than for the other */
    CAUSE_SHARED_TROUBLE, /* hold: the control errs as badly as the treatment */
    CAUSE_STEP_SERVED,    /* advance */
    CAUSE_NOT_WORSE,      /* promote */
    CAUSE_REGRESSION,     /* roll back */
    CAUSE_HARD_TRIP,      /* roll back */
    CAUSE_NO_TRAFFIC,     /* pause */
    CAUSE_CUT_OFF,        /* pause: no traffic, since selections pass the arm over */
    CAUSE_TIME_OVER,      /* inconclusive */
};

#define EXPERIMENT_SENTENCE 512

struct experiment_decision {
    enum experiment_verdict verdict;
    enum experiment_cause cause;
    size_t guardrail; /* the one that decided, of a regression, suspicion or coverage */
    size_t step;      /* where it stands */
    double share_percent, next_percent; /* of the treatment now, and after the verdict */
    double alpha;
    uint64_t treatment, control;
    double log_ratio_evidence; /* ln E that the split is not the planned one */
    struct experiment_recent recent;
    struct guardrail_report guardrails[EXPERIMENT_GUARDRAILS];
    size_t guardrail_count;
    char sentence[EXPERIMENT_SENTENCE];
};

extern const char *const EXPERIMENT_VERDICTS[], *const EXPERIMENT_CAUSES[]; /* by enum */

/* NULL, or what is wrong with the plan. */
const char *experiment_plan_fault(const struct experiment_plan *plan);

/* `plan` has no fault; names of guardrails are borrowed. */
void experiment_begin(struct experiment_rules *x, const struct experiment_plan *plan);
void experiment_release(struct experiment_rules *x);

/* Fill the guardrails of a look from what the arms measured. Once for each slot, in order: the
 * control's first latencies set the thresholds. */
void experiment_count(struct experiment_rules *x, const struct experiment_arm *treatment,
                      const struct experiment_arm *control, struct experiment_look *look);

/* Take in one slot; nothing changes unless it is taken. */
enum experiment_taken experiment_take(struct experiment_rules *x,
                                      const struct experiment_look *look, int64_t watermark_ms);

/* All slots up to `watermark_ms` are closed, and those with traffic were taken. `waiting`: a person
 * paused it. Decides anew each time; nothing changes. */
void experiment_decide(const struct experiment_rules *x, int64_t watermark_ms, bool waiting,
                       struct experiment_decision *out);

/* What selections make of the arms just now: see treatment_cut. Texts are borrowed for ever. */
void experiment_cut(struct experiment_rules *x, const char *treatment, const char *control);

/* The verdict to advance was carried out. */
void experiment_advance(struct experiment_rules *x);
/* An instance of an arm is new: slots that begin within the warm-up from `at_ms` do not count. */
void experiment_warm(struct experiment_rules *x, int64_t at_ms);

/* For experiment_decide(): write d->sentence. */
void experiment_say(const struct experiment_rules *x, struct experiment_decision *d);

#endif
