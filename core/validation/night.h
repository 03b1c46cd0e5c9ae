/* night: which of last night's measurements got worse for good? Room: validation.
 * Threads: pure, [any].
 *
 * Each series is judged by stats/nightly.h (not before 30 nights, not for one odd night, not for
 * what comes by chance among the night's many series). What alarms is then described: as a trend,
 * where a line fits better than a step, else as a step with the night at which it began. */
#ifndef PADDOCK_VALIDATION_NIGHT_H
#define PADDOCK_VALIDATION_NIGHT_H

#include "stats/nightly.h"
#include "validation/history.h"

struct night_rules {
    double false_discovery_rate; /* the share of alarms that may be false; default 0.05 */
    double margin_ratio;         /* a change below it is not told; default 0.01 */
    double trend_p;              /* Mann-Kendall; default 0.001 */
    double horizon_days;         /* a trend matters if it passes the margin in these; default 30 */
};
extern const struct night_rules NIGHT_RULES;

enum night_kind { NIGHT_STEP, NIGHT_TREND };

struct night_alarm {
    const struct history_series *series;
    enum night_kind kind;
    double p_value;       /* adjusted for the night's series */
    size_t nights;        /* of the series, this one included */
    int64_t at;           /* step: of the first run after it. trend: of the first run looked at */
    double before, after; /* step: means. trend: ends of the line */
    double slope_per_day; /* trend: Theil-Sen; step: NaN */
    struct interval slope_interval; /* 95 % */
};

/* A series that rises or falls, alarm or not. */
struct night_trend {
    double slope_per_day, p_value;
    struct interval slope_interval;
    size_t points;
    bool worse; /* it goes the harmful way */
};

/* The parts of night_judge(), for whoever cannot hold all series at once: look at each, have
 * nightly_alarms() (stats) choose among all, describe what it chose. */
struct nightly night_look(const struct history_series *s, int64_t since);
/* False: it is too small to be told. `out->p_value` is that of the series alone. */
bool night_describe(const struct history_series *s, const struct nightly *looked,
                    const struct night_rules *rules, struct night_alarm *out);

/* Judge the last night of `n` series. `out` has room for n; returns how many alarm, in the order of
 * the series. Series of which neither way is better, or without a value at `since` (ms) or later,
 * are left out. A change is told every night until it is the new normal (some twice the nights
 * before it) or the series begins anew: whoever alerts tells one alert from the next. */
size_t night_judge(const struct history_series *const *series, size_t n, int64_t since,
                   const struct night_rules *rules, struct night_alarm *out);

/* Is it a trend that matters? By at least 30 points. */
bool night_trend(const struct history_series *s, const struct night_rules *rules,
                 struct night_trend *out);

/* The values of a series as its harm sees them: with better "target" the distances from it.
 * `out` has room for s->len. */
void night_values(const struct history_series *s, double *out);

#endif
