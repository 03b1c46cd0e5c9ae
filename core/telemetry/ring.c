#include "telemetry/ring.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void ring_release(struct ring *r, struct ring_budget *budget)
{
    atomic_fetch_sub(&budget->bytes, r->places * sizeof *r->samples);
    free(r->samples);
    *r = (struct ring){0};
}

void ring_copy(const struct ring *r, struct ring_sample *out)
{
    if (r->n == 0)
        return;
    uint32_t first = r->n < r->places ? 0 : r->next;
    memcpy(out, r->samples + first, (r->n - first) * sizeof *out);
    memcpy(out + (r->n - first), r->samples, first * sizeof *out);
}

void ring_keep_newest(struct ring *r, uint64_t n)
{
    if (n >= r->n)
        return;
    struct ring_sample *all = mem_alloc((r->n + 1) * sizeof *all);
    ring_copy(r, all);
    memcpy(r->samples, all + (r->n - n), n * sizeof *all);
    free(all);
    r->n = r->next = (uint32_t)n;
}

/* Double the ring. False: the budget is used up, it stays as it is. */
static int grow(struct ring *r, struct ring_budget *budget)
{
    uint32_t places = r->places ? r->places * 2 : RING_LEAST;
    if (places > budget->places_max)
        places = budget->places_max;
    size_t more = (places - r->places) * sizeof *r->samples;
    if (atomic_fetch_add(&budget->bytes, more) + more > budget->bytes_max) {
        atomic_fetch_sub(&budget->bytes, more);
        return 0;
    }
    struct ring_sample *samples = mem_alloc(places * sizeof *samples);
    ring_copy(r, samples);
    free(r->samples);
    r->samples = samples;
    r->places = places;
    r->next = r->n;
    return 1;
}

void ring_push_slow(struct ring *r, double latency_ms, int64_t ms, struct ring_budget *budget)
{
    struct ring_budget full = {.places_max = r->places};
    if (!grow(r, budget) && r->places == 0)
        return;
    ring_push(r, latency_ms, ms, &full);
}
