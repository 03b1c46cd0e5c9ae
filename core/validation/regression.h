/* regression: is a model worse than its baseline? Room: validation. Threads: pure, [any].
 *
 * regressions_find() puts each measurement of a run beside the same measurement of the baseline's
 * run and says what changed, with an interval and a p-value where the samples allow; it decides
 * nothing. regressions_grade() then asks the severity policy. docs/regressions.md is the same page
 * for model owners, with the formulas. */
#ifndef PADDOCK_VALIDATION_REGRESSION_H
#define PADDOCK_VALIDATION_REGRESSION_H

#include "stats/interval.h"
#include "validation/result.h"

/* How the interval and the p-value were found. */
enum comparison_test {
    COMPARED_BY_VALUE,      /* two numbers, no samples: neither interval nor p-value */
    COMPARED_BY_PAIRS,      /* subject and baseline asked the same things: Student's t */
    COMPARED_BY_PROPORTION, /* k of n against k of n: Newcombe's interval, two-proportion test */
    COMPARED_BY_MEANS,      /* Welch's unequal variances */
    COMPARED_BY_HISTORY,    /* a new value against the spread of the past ones */
};
extern const char *const COMPARISON_NAMES[]; /* "value" "paired" "proportion" "mean" "history" */

/* A past value of the same measurement, measured the same way. */
struct history_point {
    int64_t at; /* ms */
    const char *run_id, *model_id;
    double value;
    int64_t samples;
    double variance;
    enum severity severity; /* what its run said of this measurement */
};

/* One measurement beside its baseline. With better "target" the distances from the target are
 * compared: `baseline` and `candidate` are the values, `delta` and `confidence` of the distances.
 * This is also what the severity policy is told (`r` of api.md section 5). */
struct regression {
    const char *test_id, *test_name, *test_type;
    const char *measurement, *unit, *better;
    double target; /* NaN but for better "target" */
    double baseline, candidate;
    double delta;               /* candidate - baseline */
    double delta_ratio;         /* delta / |baseline| (or / |target|); NaN if that is 0 */
    struct interval confidence; /* of delta; NaN, NaN: none */
    double p_value;             /* two-sided, adjusted for all comparisons of the run; NaN: none */
    enum comparison_test by;
    double margin;                       /* the ratio of harm that does not matter */
    int64_t samples, baseline_samples;   /* 0: not said */
    bool critical;                       /* by the test: a regression of this one is grave */
    bool low_sample;                     /* fewer than the rules ask for */
    bool incomparable;                   /* the baseline was measured in another way: */
    const char *why;                     /* which; else NULL */
    bool worse;                          /* delta goes the harmful way, however little */
    bool chance;                         /* chance explains it: p_value above the rules' rate */
    bool significant;                    /* it does, and not by chance, and beyond the margin */
    const struct history_point *history; /* oldest first; NULL: none */
    size_t history_len;
    /* Set by regressions_grade(); before it "none", NULL, NULL: */
    const char *severity; /* one of SEVERITY_NAMES */
    const char *policy, *reason;
};

struct regression_rules {
    double margin_ratio;         /* default 0.01 */
    double false_discovery_rate; /* of a run's comparisons; default 0.05 */
    int64_t samples_min;         /* fewer are `low_sample`; default 30 */
    size_t history_min;          /* values for a comparison by history; default 10 */
};
extern const struct regression_rules REGRESSION_RULES; /* the defaults */

/* Give the past values of a measurement, newest `*len` at most; NULL if there are none. `test` is
 * the subject's result: only values measured the same way count. `self` is the caller's. */
typedef const struct history_point *history_fn(void *self, const struct test_result *test,
                                               const struct measurement *m, size_t *len);

struct comparison_input {
    const struct run *subject;
    const struct run *baseline;           /* NULL: only pairs can be compared */
    const struct regression_rules *rules; /* NULL: REGRESSION_RULES */
    history_fn *history;                  /* NULL: none */
    void *history_self;
};

/* Compare. Every measurement of a passed or failed test that has its pair in the baseline's run, in
 * the run's order: `*out` in `a`, `*len` of them. Where the subject's test ran both side by side
 * (measurement.pairs), that decides, whatever the baseline's run says. A measurement of which
 * neither way is better is left out. The p-values are adjusted for the number of
 * comparisons (stats/discovery.h), and `confidence` covers so that it leaves out 0 for those at or
 * below the rate of false discoveries. False and ERR_MEMORY if the arena is full. */
bool regressions_find(const struct comparison_input *in, struct arena *a, struct regression **out,
                      size_t *len, struct err *e) MUST_CHECK;

/* NULL if two results of a test can be compared, else what keeps them apart: test revision,
 * configuration, plugin or datasets. */
const char *results_differ(const struct test_result *a, const struct test_result *b);

/* What the policy answers about one. */
struct grading {
    enum severity severity;
    const char *policy; /* who answered: "default", "odds-strict", ... */
    const char *reason; /* may be NULL */
};
/* Ask the severity policy; its texts live in `a`. A policy that fails answers `medium` and says so
 * itself: this cannot fail. */
typedef struct grading grade_fn(void *self, const struct regression *r, struct arena *a);

/* Grade each that is worse by more than chance, and each that is incomparable; keep those that are
 * above `none`, in order, at the front of `list`, and return how many. `*worst` is the worst. What
 * chance explains is no regression, whatever the policy: else quiet nights would be full of them.
 */
size_t regressions_grade(struct regression *list, size_t len, grade_fn *grade, void *self,
                         struct arena *a, enum severity *worst) MUST_CHECK;

/* The members of api.md section 3. Check `out->full`. */
void regression_encode(const struct regression *r, struct bytes *out);
/* Read what regression_encode() wrote (only those members). */
bool regression_decode(const json_t *object, struct arena *a, struct regression *out, struct err *e)
    MUST_CHECK;

extern const struct field REGRESSION_FIELDS[];

#endif
