/* ring: the most recent records of one model, by arrival, for exact answers. Room: telemetry.
 * Threads: the model's lock; the budget is shared by all rings.
 *
 * It begins with RING_LEAST places and doubles when full, up to the sample size, as long as the
 * budget of all rings allows. Times are kept in whole seconds: windows begin and end at multiples
 * of 5 s. */
#ifndef PADDOCK_TELEMETRY_RING_H
#define PADDOCK_TELEMETRY_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LEAST 256

struct __attribute__((packed)) ring_sample {
    double latency_ms;
    uint32_t second; /* since 1970 */
};

struct ring_budget {
    uint32_t places_max; /* of one ring: the sample size */
    size_t bytes_max;    /* of all rings */
    atomic_size_t bytes;
};

struct ring {
    struct ring_sample *samples;
    uint32_t places, n, next; /* next: where the next one goes */
};

void ring_release(struct ring *r, struct ring_budget *budget);
void ring_push_slow(struct ring *r, double latency_ms, int64_t ms, struct ring_budget *budget);

static inline void ring_push(struct ring *r, double latency_ms, int64_t ms,
                             struct ring_budget *budget)
{
    if (__builtin_expect(r->n == r->places && r->places < budget->places_max, 0)) {
        ring_push_slow(r, latency_ms, ms, budget);
        return;
    }
    if (r->places == 0) /* a sample size of 0 */
        return;
    r->samples[r->next] = (struct ring_sample){latency_ms, (uint32_t)(ms / 1000)};
    r->next = r->next + 1 == r->places ? 0 : r->next + 1;
    r->n += r->n < r->places;
}

/* How many of the next `n` would be gone again when the last of them is in: leave them out. */
static inline uint32_t ring_passing(const struct ring *r, uint32_t n,
                                    const struct ring_budget *budget)
{
    return r->places == budget->places_max && n > r->places ? n - r->places : 0;
}

/* Drop all but the newest `n`. */
void ring_keep_newest(struct ring *r, uint64_t n);

/* Copy all, oldest first, to `out` (n places). */
void ring_copy(const struct ring *r, struct ring_sample *out);

#endif
