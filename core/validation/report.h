/* report: what the owner of a model should know and do (GET ~/validation/regression-report).
 * Room: validation. Threads: pure, [any]. */
#ifndef PADDOCK_VALIDATION_REPORT_H
#define PADDOCK_VALIDATION_REPORT_H

#include "validation/history.h"
#include "validation/night.h"

struct report_trend {
    const char *test_id, *measurement;
    struct night_trend trend;
};

struct report_change {
    const char *test_id, *measurement;
    int64_t at; /* ms, of the first run after it */
    double before, after;
};

/* The open alert that the nights of the model's name have raised (review.h). */
struct report_alarm {
    const char *alert_id, *severity, *summary;
    int64_t first_at, last_at; /* ms */
};

struct report {
    const char *model_id;
    const char *run_id; /* NULL: there was none */
    struct run_baseline baseline;
    const char *severity; /* one of SEVERITY_NAMES */
    const char *summary;  /* one sentence that says what to do */
    const struct regression *regressions;
    size_t regressions_len;
    struct report_trend *trends;
    size_t trends_len;
    struct report_change *changes; /* oldest first for each measurement */
    size_t changes_len;
    const struct report_alarm *alarm; /* NULL: none */
};

struct report_input {
    const char *model_id;
    const struct run *run;           /* the newest that is not a trial, graded; NULL: none */
    const struct history *history;   /* of the window; NULL: none */
    const struct night_rules *rules; /* NULL: NIGHT_RULES */
    /* Alarms of its last night (night_judge()), which the sentence names where nothing else is
     * worse. */
    const struct night_alarm *alarms;
    size_t alarms_len;
    const struct report_alarm *alarm; /* likewise, when it has been told already; NULL: none */
};

#define REPORT_TRENDS_MAX  1000 /* more are left out, those of the first series are kept */
#define REPORT_CHANGES_MAX 1000

/* Fill `out`; lists and texts go to `a`, regressions stay those of the run. ERR_MEMORY if the arena
 * is full. */
bool report_build(const struct report_input *in, struct arena *a, struct report *out, struct err *e)
    MUST_CHECK;

/* One sentence about what alarms, of at least one alarm. */
const char *report_alarms(const struct night_alarm *alarms, size_t n, struct arena *a);

/* Append the JSON object of api.md section 3. Check `out->full`. */
void report_encode(const struct report *r, struct bytes *out);

#endif
