/* score: how good predictions are, row by row. Plugin code, shared by compiling it in.
 * Threads: pure, [any].
 *
 * Each score is the mean of one number for each row, exactly, also those that are no means by
 * themselves: RMSE and AUC are given by their influence values, value + the row's pull on it, of
 * which the mean is the value and the variance over n the squared standard error (the delta method;
 * for AUC it is that of DeLong, DeLong and Clarke-Pearson 1988). So one and the same paired
 * comparison of means serves them all. */
#ifndef PADDOCK_PLUGINS_SCORE_H
#define PADDOCK_PLUGINS_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum task { TASK_BINARY, TASK_MULTICLASS, TASK_REGRESSION };

enum score {
    SCORE_ACCURACY,
    SCORE_LOG_LOSS,
    SCORE_BRIER,
    SCORE_AUC,
    SCORE_MAE,
    SCORE_RMSE,
    SCORE_COUNT
};

struct score_kind {
    const char *name, *unit; /* unit NULL: the label's own */
    bool higher;             /* is better */
    unsigned tasks;          /* bits: 1 << TASK_BINARY ... */
};
extern const struct score_kind SCORES[SCORE_COUNT];

/* What a model said of n rows, and the truth. */
struct predictions {
    enum task task;
    size_t n, classes;   /* classes: 1 for binary (probability of the second) and regression */
    const double *said;  /* n * classes, row-major */
    const double *truth; /* n: 0 or 1; the class's number; the value */
    double threshold;    /* binary: said >= threshold means the second class */
};

/* Fill values[n]; their mean is the score. False if it is not defined: AUC with one class only, or
 * out of memory. Log-loss cuts probabilities to 1e-15 .. 1 - 1e-15. Brier with several classes is
 * the sum over classes (0..2). */
bool score_values(const struct predictions *p, enum score score, double *values);

/* The class that row `i` is given. */
size_t predicted_class(const struct predictions *p, size_t i);

struct moments2 {
    double mean, variance; /* divisor n - 1; 0 below two values */
};
struct moments2 moments_of(const double *values, const double *minus,
                           size_t n); /* minus: or NULL */

/* Two-sided quantile of Student's t with `df` >= 1: P(|T| > q) = alpha. Within 1e-9 relative. */
double student_quantile(double df, double alpha);

/* McNemar's exact two-sided p: `b` rows only the one has right, `c` only the other. */
double mcnemar_exact(size_t b, size_t c);

#endif
