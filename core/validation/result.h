/* result: what a validation run found, as C structs and as JSON (api.md section 3).
 * Room: validation. Threads: plain values; whoever decodes owns them through the arena.
 *
 * The JSON of a run is both what the API answers and what the store keeps. Texts that are one of a
 * list (status, type of end, level, ...) point into the list that belongs to them, so a value read
 * back compares equal by pointer; compare by strcmp all the same. Absent numbers are NaN, absent
 * texts NULL, absent times 0. */
#ifndef PADDOCK_VALIDATION_RESULT_H
#define PADDOCK_VALIDATION_RESULT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/field.h"
#include "registry/severity.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds. A decoder refuses more, an encoder is never given more. */
#define RUN_RESULTS_MAX         1000
#define RUN_ATTEMPTS_MAX        100
#define RUN_REGRESSIONS_MAX     10000
#define RESULT_CHECKS_MAX       1000
#define RESULT_MEASUREMENTS_MAX 1000
#define RESULT_DATASETS_MAX     16
#define RESULT_LOG_MAX          65536               /* bytes */
#define RUN_TEXT_MAX            ((size_t)128 << 20) /* bytes of a run's JSON */

/* NULL-terminated lists, also the choices of the fields. */
extern const char *const RUN_STATUSES[];    /* queued running passed failed error cancelled */
extern const char *const RUN_TRIGGERS[];    /* manual nightly promotion */
extern const char *const RESULT_STATUSES[]; /* passed failed error timeout crashed skipped */
extern const char *const CHECK_LEVELS[];    /* fail warn */
extern const char *const BETTER_NAMES[];    /* higher lower target, in the order of enum better */
extern const char *const ATTEMPT_ENDS[];    /* done node_lost */

enum better { BETTER_HIGHER, BETTER_LOWER, BETTER_TARGET, BETTER_NEITHER };
/* Of a text that BETTER_NAMES has; BETTER_NEITHER for NULL or any other. */
enum better better_of(const char *name);

/* Subject and baseline asked the same things side by side: of the differences subject - baseline.
 */
struct measurement_pairs {
    int64_t samples; /* 0: none */
    double mean, variance;
};

/* One figure that a test took. */
struct measurement {
    const char *name;
    double value;
    const char *unit;   /* "" where it has none; "1" or "ratio" for a share of 0..1 */
    const char *better; /* one of BETTER_NAMES; NULL: neither, it is only to be looked at */
    double target;      /* with better "target"; else NaN */
    int64_t samples;    /* how many observations the value rests on; 0: not said */
    double variance;    /* of one observation (the sample variance), NaN: not said */
    /* Kept in the store, not shown: */
    bool critical;       /* a regression of this one is grave */
    double margin_ratio; /* a smaller change does not matter; 0: as the rules say */
    struct measurement_pairs pairs;
};

struct check {
    const char *name;
    bool ok;
    const char *level; /* one of CHECK_LEVELS */
    const char *detail;
};

struct result_dataset {
    const char *dataset_id, *sha256;
};

/* Which code a test ran. */
struct result_plugin {
    const char *id, *version, *sha256;
};

/* What one test of a run found. */
struct test_result {
    const char *test_id;
    int64_t test_revision;
    const char *name, *type;
    struct result_plugin plugin;
    const char *config_sha256;
    struct result_dataset *datasets;
    size_t datasets_len;
    int64_t seed;
    const char *status; /* one of RESULT_STATUSES */
    int64_t duration_ms;
    const char *message;
    struct check *checks;
    size_t checks_len;
    struct measurement *measurements;
    size_t measurements_len;
    const char *log; /* its end, at most RESULT_LOG_MAX bytes of UTF-8 */
};

struct run_attempt {
    const char *node;
    int64_t started_at, ended_at; /* ms; 0: not ended */
    const char *end;              /* one of ATTEMPT_ENDS, NULL while it runs */
};

struct run_progress {
    int64_t done, total;
};

/* What a run was compared with. */
struct run_baseline {
    const char *run_id, *model_id; /* both NULL: there was none */
};

struct regression; /* validation/regression.h */

struct run {
    const char *run_id, *model_id;
    const char *trigger; /* one of RUN_TRIGGERS */
    bool trial;
    const char *batch_id;
    const char *labels; /* compact JSON of an object */
    const char *status; /* one of RUN_STATUSES */
    bool complete;
    const char *subject_fingerprint;
    int64_t queued_at, started_at, finished_at; /* ms; 0: not yet */
    int64_t duration_ms;                        /* INT64_MIN: not yet */
    struct run_progress progress;
    struct run_baseline baseline;
    struct run_attempt *attempts;
    size_t attempts_len;
    struct test_result *results;
    size_t results_len;
    struct regression *regressions;
    size_t regressions_len;
    const char *severity; /* one of SEVERITY_NAMES */
};

/* The scalar members; arrays and `baseline` are not among them (see result.c). For schemas. */
extern const struct field RUN_FIELDS[];
extern const struct field RESULT_FIELDS[];
extern const struct field MEASUREMENT_FIELDS[];
extern const struct field CHECK_FIELDS[];
extern const struct field RESULT_DATASET_FIELDS[];
extern const struct field RUN_ATTEMPT_FIELDS[];

/* Take what the values behind a measurement tell, where their mean is its value (it may be another
 * statistic of them, of which they say nothing): samples and variance unless they are set, and with
 * `baseline_values` (the same questions in the same order; NULL: none) the pairs. */
void measurement_take_values(struct measurement *m, const double *values,
                             const double *baseline_values, size_t n);

/* A run, or a result, with every member set to "nothing yet" (texts "" where they may not be
 * null, status "queued" or "error", severity "none"). */
void run_init(struct run *r);
void test_result_init(struct test_result *r);
void measurement_init(struct measurement *m);

/* Append the JSON object. A run of namespace `ns` as the API shows it; NULL, or `stored`: with the
 * members that only the store keeps. Check `out->full`. */
void run_encode(const struct run *r, const char *ns, struct bytes *out);
void test_result_encode(const struct test_result *r, bool stored, struct bytes *out);

/* Read what run_encode() or test_result_encode() wrote; texts and arrays go to `a`. ERR_CORRUPT for
 * text that is none, more than the bounds, or does not fit the arena. Members that later versions
 * add are ignored. */
bool run_decode(const char *text, size_t len, struct arena *a, struct run *out, struct err *e)
    MUST_CHECK;
bool test_result_decode(const char *text, size_t len, struct arena *a, struct test_result *out,
                        struct err *e) MUST_CHECK;

/* The same for one measurement or check as a stranger's plugin says it: ranges are checked, unknown
 * members refused, each fault named below `pointer`. A measurement with better "target" must name
 * its target. Returns false if a fault was added. */
bool measurement_read(const json_t *object, const char *pointer, struct arena *a,
                      struct measurement *out, struct faults *f) MUST_CHECK;
bool check_read(const json_t *object, const char *pointer, struct arena *a, struct check *out,
                struct faults *f) MUST_CHECK;

/* Did the test come to its end, so that its measurements count? passed or failed. */
bool result_has_figures(const struct test_result *r);
/* NULL if the run has no result of that test, or the result no such measurement. */
const struct test_result *run_result(const struct run *r, const char *test_id);
const struct measurement *result_measurement(const struct test_result *r, const char *name);

#endif
