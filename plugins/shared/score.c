#include "score.h"

#include <math.h>
#include <stdlib.h>

#define BINARY     (1u << TASK_BINARY)
#define MULTICLASS (1u << TASK_MULTICLASS)
#define REGRESSION (1u << TASK_REGRESSION)

const struct score_kind SCORES[SCORE_COUNT] = {
    [SCORE_ACCURACY] = {"accuracy", "1", true, BINARY | MULTICLASS},
    [SCORE_LOG_LOSS] = {"log_loss", "1", false, BINARY | MULTICLASS},
    [SCORE_BRIER] = {"brier", "1", false, BINARY | MULTICLASS},
    [SCORE_AUC] = {"auc", "1", true, BINARY},
    [SCORE_MAE] = {"mae", NULL, false, REGRESSION},
    [SCORE_RMSE] = {"rmse", NULL, false, REGRESSION},
};

size_t predicted_class(const struct predictions *p, size_t i)
{
    if (p->task == TASK_BINARY)
        return p->said[i] >= p->threshold;
    size_t best = 0;
    const double *row = p->said + i * p->classes;
    for (size_t k = 1; k < p->classes; k++)
        if (row[k] > row[best])
            best = k;
    return best;
}

static double probability(const struct predictions *p, size_t i, size_t k)
{
    if (p->task == TASK_MULTICLASS)
        return p->said[i * p->classes + k];
    return k ? p->said[i] : 1 - p->said[i];
}

static double log_loss(const struct predictions *p, size_t i)
{
    double q = probability(p, i, (size_t)p->truth[i]);
    return -log(fmin(fmax(q, 1e-15), 1 - 1e-15));
}

static double brier(const struct predictions *p, size_t i)
{
    double sum = 0;
    if (p->task == TASK_BINARY)
        return (p->said[i] - p->truth[i]) * (p->said[i] - p->truth[i]);
    for (size_t k = 0; k < p->classes; k++) {
        double d = probability(p, i, k) - ((size_t)p->truth[i] == k);
        sum += d * d;
    }
    return sum;
}

/* ---- AUC ---- */

struct ranked {
    double said;
    size_t row;
};

static int by_said(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->said, y = ((const struct ranked *)b)->said;
    return (x > y) - (x < y);
}

/* values[i]: the share of the other class's rows that row i is ranked rightly against, ties half.
 */
static void placements(const struct predictions *p, const struct ranked *order, double *values,
                       const size_t count[2])
{
    size_t below[2] = {0, 0};
    for (size_t from = 0, to; from < p->n; from = to) {
        size_t here[2] = {0, 0};
        for (to = from; to < p->n && order[to].said == order[from].said; to++)
            here[p->truth[order[to].row] > 0]++;
        for (size_t i = from; i < to; i++) {
            bool positive = p->truth[order[i].row] > 0;
            double lower = (double)below[!positive] + (double)here[!positive] / 2;
            double share = lower / (double)count[!positive];
            values[order[i].row] = positive ? share : 1 - share;
        }
        below[0] += here[0];
        below[1] += here[1];
    }
}

static bool auc_values(const struct predictions *p, double *values)
{
    size_t count[2] = {0, 0};
    struct ranked *order = malloc((p->n ? p->n : 1) * sizeof *order);
    for (size_t i = 0; order && i < p->n; i++) {
        order[i] = (struct ranked){p->said[i], i};
        count[p->truth[i] > 0]++;
    }
    if (!order || !count[0] || !count[1]) {
        free(order);
        return false;
    }
    qsort(order, p->n, sizeof *order, by_said);
    placements(p, order, values, count);
    free(order);
    double auc = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->truth[i] > 0)
            auc += values[i] / (double)count[1];
    /* The placements' mean is the AUC within each class; weigh them so that it is over all. */
    for (size_t i = 0; i < p->n; i++)
        values[i] = auc + (double)p->n / (double)count[p->truth[i] > 0] * (values[i] - auc);
    return true;
}

/* ---- RMSE ---- */

static void rmse_values(const struct predictions *p, double *values)
{
    double mse = 0;
    for (size_t i = 0; i < p->n; i++) {
        values[i] = (p->said[i] - p->truth[i]) * (p->said[i] - p->truth[i]);
        mse += values[i] / (double)p->n;
    }
    double rmse = sqrt(mse);
    for (size_t i = 0; i < p->n; i++)
        values[i] = rmse > 0 ? rmse + (values[i] - mse) / (2 * rmse) : 0;
}

bool score_values(const struct predictions *p, enum score score, double *values)
{
    if (score == SCORE_AUC)
        return auc_values(p, values);
    if (score == SCORE_RMSE) {
        rmse_values(p, values);
        return true;
    }
    for (size_t i = 0; i < p->n; i++)
        values[i] = score == SCORE_ACCURACY   ? predicted_class(p, i) == (size_t)p->truth[i]
                    : score == SCORE_LOG_LOSS ? log_loss(p, i)
                    : score == SCORE_BRIER    ? brier(p, i)
                                              : fabs(p->said[i] - p->truth[i]);
    return true;
}

/* ---- Comparing ---- */

struct moments2 moments_of(const double *values, const double *minus, size_t n)
{
    double mean = 0, squares = 0; /* Welford 1962 */
    for (size_t i = 0; i < n; i++) {
        double x = values[i] - (minus ? minus[i] : 0), d = x - mean;
        mean += d / (double)(i + 1);
        squares += d * (x - mean);
    }
    return (struct moments2){mean, n > 1 ? squares / (double)(n - 1) : 0};
}

/* P(|T| > t): the incomplete beta function I_x(df/2, 1/2) at x = df / (df + t^2), by Lentz's
 * continued fraction (Numerical Recipes, 6.4). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
    double h = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a - 1 + 2 * m) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 1 + 2 * m));
        for (int k = 0; k < 2; k++) {
            double term = k ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
            c = fabs(c) < 1e-300 ? 1e-300 : c;
            h *= c * d;
        }
        if (fabs(c * d - 1) < 1e-15)
            break;
    }
    return h;
}

static double student_tail(double df, double t)
{
    double a = df / 2, b = 0.5, x = df / (df + t * t);
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_quantile(double df, double alpha)
{
    double lo = 0, hi = 1;
    while (student_tail(df, hi) > alpha && hi < 1e300)
        hi *= 2;
    for (int i = 0; i < 200 && hi - lo > 1e-12 * hi; i++) {
        double mid = lo + (hi - lo) / 2;
        if (mid > 0 && student_tail(df, mid) <= alpha)
            hi = mid;
        else
            lo = mid;
    }
    return hi;
}

double mcnemar_exact(size_t b, size_t c)
{
    size_t n = b + c, few = b < c ? b : c;
    double tail = 0;
    for (size_t k = 0; k <= few; k++)
        tail += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
                    (double)n * log(2));
    return fmin(1, 2 * tail);
}
