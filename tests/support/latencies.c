#include "support/latencies.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t COUNT_MAX = 40000000;

struct latency {
    int64_t ns, end_ns;
};

void latencies_add(struct latencies *l, int64_t latency_ns, int64_t end_ns)
{
    const size_t n = l->count;
    if ((n & (n - 1)) == 0) {
        l->list = n < COUNT_MAX ? realloc(l->list, (n ? n * 2 : 1) * sizeof *l->list) : NULL;
        if (!l->list) {
            fprintf(stderr, "too many latencies to keep\n");
            exit(2);
        }
    }
    l->list[l->count++] = (struct latency){latency_ns, end_ns};
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = ((const struct latency *)a)->ns, y = ((const struct latency *)b)->ns;
    return (x > y) - (x < y);
}

void latencies_sort(struct latencies *l)
{
    if (l->count)
        qsort(l->list, l->count, sizeof *l->list, by_size);
}

double latencies_ms(const struct latencies *l, double q)
{
    if (l->count == 0)
        return 0;
    const size_t rank = (size_t)ceil(q * (double)l->count);
    return (double)l->list[rank ? rank - 1 : 0].ns / 1e6;
}

size_t latencies_leave_out(struct latencies *l, const struct pauses *pauses)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        if (!pauses_met(pauses, l->list[i].end_ns - l->list[i].ns, l->list[i].end_ns))
            l->list[kept++] = l->list[i];
    const size_t left_out = l->count - kept;
    l->count = kept;
    return left_out;
}

void latencies_free(struct latencies *l)
{
    free(l->list);
    *l = (struct latencies){0};
}
