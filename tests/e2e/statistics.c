/* statistics: what core/stats answers, for statistics_scipy.py to compare. One question a line on
 * stdin, `["name", [numbers...], [numbers...], ...]`; one answer a line on stdout, the numbers with
 * all their digits. */
#include "base/json.h"
#include "base/mem.h"
#include "stats/difference.h"
#include "stats/discovery.h"
#include "stats/interval.h"
#include "stats/rank_test.h"
#include "stats/special.h"
#include "stats/trend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS = 3, VALUES = 20000 };

struct question {
    double *list[LISTS];
    size_t len[LISTS];
};

static double at(const struct question *q, size_t i)
{
    return q->list[0][i];
}

static uint64_t count_at(const struct question *q, size_t i)
{
    return (uint64_t)q->list[0][i];
}

static void answer(size_t n, const double *values)
{
    for (size_t i = 0; i < n; i++)
        printf("%s%.17g", i ? " " : "", values[i]);
    putchar('\n');
}
#define ANSWER(...) \
    answer(sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

static void mann_whitney(const struct question *q)
{
    const struct rank_test r = rank_test(q->list[0], q->len[0], q->list[1], q->len[1]);
    ANSWER(r.u, r.p);
}

static void mc_nemar(const struct question *q)
{
    const struct mcnemar m = mcnemar(count_at(q, 0), count_at(q, 1), count_at(q, 2), at(q, 3));
    ANSWER(m.p_exact, m.p_corrected, m.difference, m.interval.lo, m.interval.hi);
}

/* List 0 the level, 1 the values, 2 the places (may be empty). */
static void trend(const struct question *q)
{
    struct trend t;
    trend_test(q->len[2] ? q->list[2] : NULL, q->list[1], q->len[1], at(q, 0), &t);
    ANSWER(t.s, t.variance, t.p, t.tau, t.slope, t.slope_interval.lo, t.slope_interval.hi);
}

static void wilson(const struct question *q)
{
    const struct interval i = wilson_interval(count_at(q, 0), count_at(q, 1), at(q, 2));
    ANSWER(i.lo, i.hi);
}

static void ranks(const struct question *q)
{
    uint64_t lower, upper;
    quantile_ranks(count_at(q, 0), at(q, 1), at(q, 2), &lower, &upper);
    ANSWER((double)lower, (double)upper);
}

static void difference(struct difference d)
{
    ANSWER(d.estimate, d.interval.lo, d.interval.hi, d.p);
}

static void welch(const struct question *q)
{
    const struct sample a = {at(q, 0), at(q, 1), at(q, 2)}, b = {at(q, 3), at(q, 4), at(q, 5)};
    difference(mean_difference(&a, &b, at(q, 6)));
}

static void paired(const struct question *q)
{
    difference(paired_difference(&(struct sample){at(q, 0), at(q, 1), at(q, 2)}, at(q, 3)));
}

static void proportions(const struct question *q)
{
    difference(proportion_difference(count_at(q, 0), count_at(q, 1), count_at(q, 2), count_at(q, 3),
                                     at(q, 4)));
}

static void fisher(const struct question *q)
{
    ANSWER(fisher_exact(count_at(q, 0), count_at(q, 1), count_at(q, 2), count_at(q, 3)));
}

static void student(const struct question *q)
{
    ANSWER(student_tail(at(q, 0), at(q, 1)), student_quantile(at(q, 2), at(q, 1)));
}

static void binomial(const struct question *q)
{
    ANSWER(binomial_cdf(count_at(q, 0), count_at(q, 1), at(q, 2)),
           binomial_mass(count_at(q, 0), count_at(q, 1), at(q, 2)));
}

static void discovery(const struct question *q)
{
    double *adjusted = mem_zero(q->len[0], sizeof *adjusted);
    discovery_adjust(q->list[0], q->len[0], adjusted);
    answer(q->len[0], adjusted);
    free(adjusted);
}

static const struct {
    const char *name;
    void (*ask)(const struct question *q);
} QUESTIONS[] = {
    {"mann_whitney", mann_whitney},
    {"mcnemar", mc_nemar},
    {"trend", trend},
    {"wilson", wilson},
    {"ranks", ranks},
    {"welch", welch},
    {"paired", paired},
    {"proportions", proportions},
    {"fisher", fisher},
    {"student", student},
    {"binomial", binomial},
    {"discovery", discovery},
};

static bool read_list(const json_t *array, double **list, size_t *len)
{
    const size_t n = json_array_size(array);
    if (n > VALUES)
        return false;
    *list = mem_zero(n + 1, sizeof **list);
    *len = n;
    for (size_t i = 0; i < n; i++)
        (*list)[i] = json_number_value(json_array_get(array, i));
    return true;
}

static bool ask(const json_t *line)
{
    struct question q = {0};
    const char *name = json_string_value(json_array_get(line, 0));
    bool done = false, read = name != NULL;
    for (size_t i = 0; read && i < LISTS; i++)
        read = read_list(json_array_get(line, i + 1), &q.list[i], &q.len[i]);
    for (size_t i = 0; read && i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++) {
        if (strcmp(QUESTIONS[i].name, name) == 0) {
            QUESTIONS[i].ask(&q);
            done = true;
        }
    }
    for (size_t i = 0; i < LISTS; i++)
        free(q.list[i]);
    return done;
}

int main(void)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    bool ok = true;
    while (ok && (len = getline(&text, &cap, stdin)) > 0) {
        struct err e = {0};
        json_t *line = json_read(text, (size_t)len, &e);
        ok = line && ask(line);
        if (!ok)
            fprintf(stderr, "statistics: not a question: %.80s %s\n", text, e.detail);
        json_decref(line);
    }
    free(text);
    return ok ? 0 : 1;
}
