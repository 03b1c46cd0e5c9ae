/* schedule: when is the night of a name? Room: validation. Threads: pure, [any]. */
#ifndef PADDOCK_VALIDATION_SCHEDULE_H
#define PADDOCK_VALIDATION_SCHEDULE_H

#include <stdint.h>

struct registered_model;

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

/* What a registered model says of its nights. */
struct nightly_hours {
    int enabled;
    int64_t hour_utc;     /* 0..23 */
    int64_t end_hour_utc; /* -1: no end */
};
struct nightly_hours nightly_hours_of(const struct registered_model *r);

/* The newest time at or before `now_ms` at which it is `hour_utc`. */
int64_t night_due(int64_t now_ms, int64_t hour_utc);
/* The first time after it. */
int64_t night_next(int64_t now_ms, int64_t hour_utc);
/* When a night that began at `start_ms` must end; 0: never. */
int64_t night_until(int64_t start_ms, int64_t end_hour_utc);

#endif
