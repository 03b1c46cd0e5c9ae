/* The reader of a worker's report takes any bytes, in any pieces, and always has a verdict. */
#include "extend/worker_report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONCE "0123456789abcdef0123456789abcdef"

static void check(const struct worker_result *r)
{
    if (!r->message || !*r->message || r->n_checks > REPORT_CHECKS ||
        r->n_measurements > REPORT_CHECKS || r->n_checks > r->checks_total)
        abort();
    for (size_t i = 0; i < r->n_checks; i++)
        if (!r->checks[i].name || !r->checks[i].detail)
            abort();
    for (size_t i = 0; i < r->n_measurements; i++)
        if (!r->measurements[i].name || (r->measurements[i].n_values && !r->measurements[i].values))
            abort();
    if (r->status == WORKER_PASSED && r->checks_total == 0)
        abort();
}

/* The first byte tells the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(8u << 20);
    struct worker_report r;
    struct worker_result result = {0};
    size_t piece = size ? (size_t)data[0] + 1 : 1;
    worker_report_init(&r, NONCE, a);
    for (size_t at = size > 0; at < size; at += piece)
        worker_report_feed(&r, (const char *)data + at, size - at < piece ? size - at : piece);
    worker_report_result(&r, size ? data[0] : 0, &result);
    check(&result);
    worker_report_release(&r);
    arena_free(a);
    return 0;
}
