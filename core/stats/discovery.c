#include "stats/discovery.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct place {
    double p;
    size_t at;
};

static int descending(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    const int order = (x->p < y->p) - (x->p > y->p);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

void discovery_adjust(const double *p, size_t n, double *adjusted)
{
    struct place *order = mem_zero(n, sizeof *order);
    size_t tests = 0;
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i]))
            order[tests++] = (struct place){p[i], i};
    }
    qsort(order, tests, sizeof *order, descending);
    double least = 1;
    for (size_t i = 0; i < tests; i++) {
        least = fmin(least, order[i].p * (double)tests / (double)(tests - i));
        adjusted[order[i].at] = least;
    }
    free(order);
}

double discovery_level(const double *adjusted, size_t n, double q)
{
    size_t tests = 0, found = 0;
    for (size_t i = 0; i < n; i++) {
        tests += !isnan(adjusted[i]);
        found += adjusted[i] <= q;
    }
    return tests == 0 ? 1 - q : 1 - q * (double)(found ? found : 1) / (double)tests;
}
