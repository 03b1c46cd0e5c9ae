/* health: how a model does, judged from its windows. Room: telemetry.
 *
 * health_judge() is pure: windows in, checks out. The judge thread (judge.c) asks it every 10 s for
 * every model with records, applies the hysteresis, and has the engine journal each change of
 * status. */
#ifndef PADDOCK_TELEMETRY_HEALTH_H
#define PADDOCK_TELEMETRY_HEALTH_H

#include "base/clock.h"
#include "base/err.h"
#include "engine/engine.h"
#include "registry/model.h"
#include "registry/registered_model.h"
#include "stats/sketch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct telemetry;

enum check_status { CHECK_PASS, CHECK_WARN, CHECK_FAIL, CHECK_UNKNOWN };
enum health_status { HEALTH_HEALTHY, HEALTH_DEGRADED, HEALTH_UNHEALTHY, HEALTH_UNKNOWN };
enum health_trend { TREND_IMPROVING, TREND_STEADY, TREND_WORSENING, TREND_UNKNOWN };
const char *check_status_name(enum check_status s);   /* "pass" ... */
const char *health_status_name(enum health_status s); /* "healthy" ... */
const char *health_trend_name(enum health_trend t);   /* "improving" ... */

enum {
    HEALTH_ERROR_RATE,
    HEALTH_LATENCY_P95,
    HEALTH_LATENCY_P99,
    HEALTH_TRAFFIC,
    HEALTH_VALIDATION,
    HEALTH_CHECKS
};

/* One check: what was seen, what is allowed, and the sentence that says so. NAN: there is none. */
struct health_check {
    const char *name; /* "error_rate" ... */
    enum check_status status;
    double value, threshold, baseline;
    double lo, hi;      /* interval of the value at 95 % */
    const char *window; /* "5m" or "1h" */
    char detail[320];
};

#define HEALTH_ID_SIZE 776 /* 193 characters of UTF-8 and a NUL */

struct health_report {
    enum health_status status; /* after the hysteresis, if a judge keeps one */
    enum health_trend trend;
    int64_t checked_at;
    char baseline_model_id[HEALTH_ID_SIZE]; /* "": none */
    struct health_check checks[HEALTH_CHECKS];
};

/* --- the pure judgement --- */

#define HEALTH_MINUTES 60

struct health_minute {
    int64_t start; /* ms */
    uint64_t total, failed;
    const struct sketch *latency; /* scale 7; NULL if total is 0 */
};

/* The last hour of one model, minute by minute, oldest first (minutes without records may be left
 * out), and its last five minutes as one. */
struct health_arm {
    struct health_minute minutes[HEALTH_MINUTES];
    size_t n_minutes;
    uint64_t five_total, five_failed;
    const struct sketch *five; /* latency */
};

/* What the runs of its tests say (validated.h). */
struct health_validated {
    enum check_status status;
    char detail[320];
};

/* Judge `subject` against the thresholds (NAN: none) and, if `baseline` is not NULL, against that
 * model; `validated` is taken as it is. Fills everything of `out` but baseline_model_id. A passed
 * validation alone makes nothing healthy: that takes inferences.
 *
 * A threshold fails a check only when the whole 95 % interval lies beyond it (Wilson for the error
 * rate, order statistics for quantiles, Poisson for traffic); a value beyond it alone warns.
 * Against the baseline a check warns when the e-process over the hour's minutes (stats/eprocess.h)
 * reaches 1/HEALTH_ALPHA that the error rate is more than HEALTH_ERROR_MARGIN times, or the
 * quantile more than HEALTH_LATENCY_MARGIN above, the baseline's: never by a bare ratio. The hour
 * slides, so HEALTH_ALPHA bounds each hour's false warnings, not those of all time. */
#define HEALTH_ALPHA          0.01
#define HEALTH_ERROR_MARGIN   1.5
#define HEALTH_LATENCY_MARGIN 0.10
void health_judge(const struct health_arm *subject, const struct health_arm *baseline,
                  const struct slo *slo, const struct health_validated *validated, int64_t now_ms,
                  struct health_report *out);

/* --- the judge --- */

struct health_config {
    struct telemetry *telemetry;
    struct engine *engine;
    const struct clock *clock;
    struct slo defaults; /* where a name's slo sets none; NAN: none */
};

struct health_judge;

/* Start the thread that judges every HEALTH_EVERY_MS. A status gets worse after 2 judgements in a
 * row that say so, better after 3. It also has telemetry forget the windows of models that were
 * deleted. */
#define HEALTH_EVERY_MS     10000
#define HEALTH_WORSE_AFTER  2
#define HEALTH_BETTER_AFTER 3
struct health_judge *health_judge_start(const struct health_config *config, struct err *e)
    MUST_CHECK;
/* End the thread and free. */
void health_judge_stop(struct health_judge *j);

/* The health of a model of `v`: the last judgement's status with checks computed now. [any] thread
 * that holds the view; takes up to some milliseconds for a model with a baseline, so call it on a
 * reader thread. */
void health_read(struct health_judge *j, const struct view *v, const struct model *m,
                 struct health_report *out);

#endif
