/* clock: time, injected. Room: base. Threads: [any].
 *
 * Decisions take `now_ms` as an argument; the parts that do I/O hold a `const struct clock *`, so
 * tests can set the time. */
#ifndef PADDOCK_BASE_CLOCK_H
#define PADDOCK_BASE_CLOCK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *self); /* UTC, milliseconds since 1970 */
    int64_t (*mono_ns)(void *self); /* monotonic, nanoseconds from an arbitrary start */
    void *self;
};

/* The machine's clock. */
extern const struct clock CLOCK_SYSTEM;

static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->self);
}
static inline int64_t clock_mono_ns(const struct clock *c)
{
    return c->mono_ns(c->self);
}

/* A clock for tests: reads `wall_ms` and `mono_ns`, which the test sets. */
struct manual_clock {
    struct clock clock;
    int64_t wall_ms, mono_ns;
};
void manual_clock_init(struct manual_clock *m, int64_t wall_ms);

#define TIME_TEXT_SIZE 25 /* "2026-11-23T02:00:00.000Z" and its NUL */

/* RFC 3339, UTC, milliseconds, into `out`. Range: years 1970..9999; outside it is clamped. */
void time_format(int64_t wall_ms, char out[TIME_TEXT_SIZE]);
/* Parse an RFC 3339 time with any offset and 0..9 fraction digits (cut to ms), whole text.
 * False if it is none, or outside 1970..9999. */
bool time_parse(const char *text, size_t len, int64_t *wall_ms) MUST_CHECK;
/* A span such as "90s", "15m", "1h", "7d": a positive whole number and its unit. */
bool span_parse(const char *text, int64_t *ms) MUST_CHECK;

#endif
