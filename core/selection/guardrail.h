/* guardrail: the evidence of one metric of an experiment, treatment against control, over all
 * looks. Room: selection. Threads: one owner.
 *
 * Errors and latencies are counted (stats/eprocess.h), scores averaged (stats/mean_process.h). Each
 * guardrail carries two bodies of evidence: that the treatment is worse, and that it is not worse
 * than the margin allows ("fine"). Neither minds how often one looks, that shares grow, or that
 * the base rate drifts; evidence is added over steps, never begun anew.
 *
 * A latency quantile is a count as well: the threshold is the upper edge of the bucket that holds
 * the control's quantile, frozen before the first look that counts, and the treatment's values are
 * counted above the same edge shifted by the margin. */
#ifndef PADDOCK_SELECTION_GUARDRAIL_H
#define PADDOCK_SELECTION_GUARDRAIL_H

#include "stats/eprocess.h"
#include "stats/mean_process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guardrail_kind { GUARDRAIL_ERRORS, GUARDRAIL_LATENCY, GUARDRAIL_SCORE };

#define GUARDRAIL_CALIBRATION 1000 /* latencies of the control before its quantile is frozen */
#define GUARDRAIL_HITS        3    /* of the treatment, before errors or latencies may act */
#define GUARDRAIL_BATCHES     8192 /* kept for the interval; beyond it neighbours are joined */

struct guardrail_plan {
    const char *name; /* as people know it: "latency_p95"; borrowed */
    enum guardrail_kind kind;
    double quantile;       /* of a latency */
    bool higher_is_better; /* of a score */
    double margin;      /* > 0; ratio for errors and latencies (0.1: 10 %), absolute for scores */
    double error_floor; /* >= 0: a treatment shown to err more rarely is fine whatever the
                         * control does, or nothing that never errs could be promoted */
};

/* What is new of one guardrail in a look: counts, or scores. */
struct guardrail_look {
    struct pair_counts counts; /* candidate: the treatment; baseline: the control */
    struct moments treatment, control;
};

struct guardrail {
    struct guardrail_plan plan;
    struct eprocess worse, fine;
    double weighted_treatment, weighted_control; /* Mantel and Haenszel's sums */
    struct pair_counts *batches;
    size_t batch_count, batch_room;
    struct mean_process means;
    struct sketch past; /* the control's latencies until the threshold is frozen */
    int32_t threshold;
    bool frozen;
};

enum guardrail_state {
    GUARDRAIL_SILENT,    /* nothing to judge by */
    GUARDRAIL_UNDECIDED, /* may become either */
    GUARDRAIL_SUSPECT,   /* evidence of harm, not enough of it */
    GUARDRAIL_WORSE,     /* shown, and beyond the margin */
    GUARDRAIL_FINE,      /* shown not to be worse than the margin */
};

/* One guardrail's numbers at a look. Rates for errors (of requests) and latencies (of requests
 * above the thresholds), means for scores. */
struct guardrail_report {
    enum guardrail_state state;
    uint64_t treatment, control;           /* requests, or scores */
    uint64_t treatment_hits, control_hits; /* errors, or latencies above the threshold */
    double treatment_value, control_value; /* pooled over time: to read, not to judge by */
    double threshold_ms;                   /* of the control; NaN if it is no latency */
    double effect;          /* ratio of rates, difference of means; stratified; NaN */
    double log_worse;       /* ln E with the measured dispersion, but for the strongest look, */
    double log_worse_plain; /* and ln E as it is */
    double worse_limit;     /* ln E at which it acts */
    double log_fine, fine_limit;
    double dispersion;       /* NaN until it is known; 1 for scores */
    uint64_t samples_needed; /* of the treatment until it is fine, at this pace; 0: unknown, none */
};

/* `alpha`: the budget of one wrong finding; `target`: samples of the treatment that are wanted. */
void guardrail_init(struct guardrail *g, const struct guardrail_plan *plan, double alpha,
                    double target);
void guardrail_release(struct guardrail *g);

/* Count a look's latencies (scale 7; NULL: none) into `out`; before the threshold is frozen they
 * are none, and the control's become its past. */
void guardrail_count(struct guardrail *g, const struct sketch *treatment,
                     const struct sketch *control, struct pair_counts *out);
/* Freeze the threshold at once, where the control's quantile is known: the bucket's index. */
void guardrail_freeze(struct guardrail *g, int32_t threshold);

/* Take in a look. */
void guardrail_add(struct guardrail *g, const struct guardrail_look *look);

/* Judge at ln E limits >= 0. */
struct guardrail_report guardrail_judge(const struct guardrail *g, double worse_limit,
                                        double fine_limit);

/* Anytime-valid interval of the effect at `level`. Takes about 20 us a look that was taken in. */
struct interval guardrail_interval(const struct guardrail *g, double level);

#endif
