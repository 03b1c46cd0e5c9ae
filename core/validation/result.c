#include "validation/result.h"

#include "stats/moments.h"

#include <math.h>
#include <string.h>

const char *const RUN_STATUSES[] = {"queued", "running",   "passed", "failed",
                                    "error",  "cancelled", NULL};
const char *const RUN_TRIGGERS[] = {"manual", "nightly", "promotion", NULL};
const char *const RESULT_STATUSES[] = {"passed",  "failed",  "error", "timeout",
                                       "crashed", "skipped", NULL};
const char *const CHECK_LEVELS[] = {"fail", "warn", NULL};
const char *const BETTER_NAMES[] = {"higher", "lower", "target", NULL};
const char *const ATTEMPT_ENDS[] = {"done", "node_lost", NULL};

enum better better_of(const char *name)
{
    for (int i = 0; name && BETTER_NAMES[i]; i++)
        if (strcmp(name, BETTER_NAMES[i]) == 0)
            return (enum better)i;
    return BETTER_NEITHER;
}

#define WHOLE_MAX 9007199254740992.0 /* 2^53: whole numbers that every JSON reader keeps */

#define REF(member) offsetof(struct measurement_pairs, member)

static const struct field PAIRS_FIELDS[] = {
    {.name = "samples", .type = FIELD_INT, .offset = REF(samples), .max = WHOLE_MAX},
    {.name = "mean", .type = FIELD_NUMBER, .offset = REF(mean)},
    {.name = "variance", .type = FIELD_NUMBER, .offset = REF(variance), .max = 1e300},
    {0},
};

#undef REF
#define REF(member) offsetof(struct measurement, member)

const struct field MEASUREMENT_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(name),
     .min = 1,
     .max = 128,
     .doc = "Unique in its result."},
    {.name = "value", .type = FIELD_NUMBER, .flags = FIELD_REQUIRED, .offset = REF(value)},
    {.name = "unit",
     .type = FIELD_STRING,
     .offset = REF(unit),
     .max = 64,
     .doc = "`1` or `ratio` for a share of 0..1; empty where it has none."},
    {.name = "better",
     .type = FIELD_ENUM,
     .flags = FIELD_NULLABLE,
     .offset = REF(better),
     .choices = BETTER_NAMES,
     .doc = "Which way is good; null: neither."},
    {.name = "target",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = REF(target),
     .doc = "With better `target`: the nearer the better."},
    {.name = "samples",
     .type = FIELD_INT,
     .offset = REF(samples),
     .max = WHOLE_MAX,
     .doc = "How many observations it rests on; 0: not said."},
    {.name = "variance",
     .type = FIELD_NUMBER,
     .flags = FIELD_NULLABLE,
     .offset = REF(variance),
     .max = 1e300,
     .doc = "Of one observation; null: not said."},
    {.name = "critical", .type = FIELD_BOOL, .flags = FIELD_HIDDEN, .offset = REF(critical)},
    {.name = "margin_ratio",
     .type = FIELD_NUMBER,
     .flags = FIELD_HIDDEN,
     .offset = REF(margin_ratio)},
    {.name = "pairs",
     .type = FIELD_NESTED,
     .flags = FIELD_HIDDEN,
     .offset = REF(pairs),
     .sub = PAIRS_FIELDS},
    {0},
};

#undef REF
#define REF(member) offsetof(struct check, member)

const struct field CHECK_FIELDS[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(name),
     .min = 1,
     .max = 128},
    {.name = "ok", .type = FIELD_BOOL, .flags = FIELD_REQUIRED, .offset = REF(ok)},
    {.name = "level",
     .type = FIELD_ENUM,
     .offset = REF(level),
     .choices = CHECK_LEVELS,
     .doc = "A `warn` that is not ok leaves the test passed."},
    {.name = "detail", .type = FIELD_STRING, .offset = REF(detail), .max = 2048},
    {0},
};

#undef REF
#define REF(member) offsetof(struct result_dataset, member)

const struct field RESULT_DATASET_FIELDS[] = {
    {.name = "dataset_id", .type = FIELD_STRING, .offset = REF(dataset_id), .max = 128},
    {.name = "sha256", .type = FIELD_STRING, .offset = REF(sha256), .max = 64},
    {0},
};

static const struct field PLUGIN_FIELDS[] = {
    {.name = "id",
     .type = FIELD_STRING,
     .offset = offsetof(struct result_plugin, id),
     .flags = FIELD_NULLABLE},
    {.name = "version",
     .type = FIELD_STRING,
     .offset = offsetof(struct result_plugin, version),
     .flags = FIELD_NULLABLE},
    {.name = "sha256",
     .type = FIELD_STRING,
     .offset = offsetof(struct result_plugin, sha256),
     .flags = FIELD_NULLABLE},
    {0},
};

#undef REF
#define REF(member) offsetof(struct test_result, member)

const struct field RESULT_FIELDS[] = {
    {.name = "test_id", .type = FIELD_STRING, .offset = REF(test_id), .max = 128},
    {.name = "test_revision", .type = FIELD_INT, .offset = REF(test_revision), .max = WHOLE_MAX},
    {.name = "name", .type = FIELD_STRING, .offset = REF(name)},
    {.name = "type", .type = FIELD_STRING, .offset = REF(type)},
    {.name = "plugin", .type = FIELD_NESTED, .offset = REF(plugin), .sub = PLUGIN_FIELDS},
    {.name = "config_sha256",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(config_sha256)},
    {.name = "seed", .type = FIELD_INT, .offset = REF(seed)},
    {.name = "status", .type = FIELD_ENUM, .offset = REF(status), .choices = RESULT_STATUSES},
    {.name = "duration_ms", .type = FIELD_INT, .offset = REF(duration_ms), .max = WHOLE_MAX},
    {.name = "message",
     .type = FIELD_STRING,
     .offset = REF(message),
     .doc = "Why it is what it is; a crash names its signal."},
    {.name = "log",
     .type = FIELD_STRING,
     .offset = REF(log),
     .doc = "The end of what it wrote to stdout and stderr, 64 KiB."},
    {0},
};

#undef REF
#define REF(member) offsetof(struct run_attempt, member)

const struct field RUN_ATTEMPT_FIELDS[] = {
    {.name = "node", .type = FIELD_STRING, .offset = REF(node)},
    {.name = "started_at", .type = FIELD_TIME, .offset = REF(started_at)},
    {.name = "ended_at", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .offset = REF(ended_at)},
    {.name = "end",
     .type = FIELD_ENUM,
     .flags = FIELD_NULLABLE,
     .offset = REF(end),
     .choices = ATTEMPT_ENDS},
    {0},
};

static const struct field PROGRESS_FIELDS[] = {
    {.name = "done",
     .type = FIELD_INT,
     .offset = offsetof(struct run_progress, done),
     .max = WHOLE_MAX},
    {.name = "total",
     .type = FIELD_INT,
     .offset = offsetof(struct run_progress, total),
     .max = WHOLE_MAX},
    {0},
};

#undef REF
#define REF(member) offsetof(struct run, member)

const struct field RUN_FIELDS[] = {
    {.name = "run_id", .type = FIELD_STRING, .offset = REF(run_id)},
    {.name = "model_id", .type = FIELD_STRING, .offset = REF(model_id)},
    {.name = "trigger", .type = FIELD_ENUM, .offset = REF(trigger), .choices = RUN_TRIGGERS},
    {.name = "trial",
     .type = FIELD_BOOL,
     .offset = REF(trial),
     .doc = "Counts for nothing: no gate, baseline, history or alert."},
    {.name = "batch_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(batch_id),
     .doc = "The night it belongs to."},
    {.name = "labels", .type = FIELD_OBJECT, .offset = REF(labels)},
    {.name = "status", .type = FIELD_ENUM, .offset = REF(status), .choices = RUN_STATUSES},
    {.name = "complete",
     .type = FIELD_BOOL,
     .offset = REF(complete),
     .doc = "Every enabled gate test was in it."},
    {.name = "subject_fingerprint",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(subject_fingerprint),
     .doc = "Of the model's source digest and runtime."},
    {.name = "queued_at", .type = FIELD_TIME, .offset = REF(queued_at)},
    {.name = "started_at", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .offset = REF(started_at)},
    {.name = "finished_at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = REF(finished_at)},
    {.name = "duration_ms",
     .type = FIELD_INT,
     .flags = FIELD_NULLABLE,
     .offset = REF(duration_ms),
     .max = WHOLE_MAX},
    {.name = "progress", .type = FIELD_NESTED, .offset = REF(progress), .sub = PROGRESS_FIELDS},
    {.name = "severity",
     .type = FIELD_ENUM,
     .offset = REF(severity),
     .choices = SEVERITY_NAMES,
     .doc = "Of its worst regression."},
    {0},
};

void measurement_init(struct measurement *m)
{
    *m = (struct measurement){
        .name = "", .unit = "", .better = BETTER_NAMES[BETTER_HIGHER], .target = NAN};
    m->variance = NAN;
}

void measurement_take_values(struct measurement *m, const double *values,
                             const double *baseline_values, size_t n)
{
    struct moments own = {0}, differences = {0};
    for (size_t i = 0; i < n; i++) {
        moments_add(&own, values[i]);
        if (baseline_values)
            moments_add(&differences, values[i] - baseline_values[i]);
    }
    if (n < 2 || !(fabs(own.mean - m->value) <= 1e-6 * fabs(m->value) + 1e-12))
        return;
    if (m->samples == 0)
        m->samples = (int64_t)n;
    if (isnan(m->variance))
        m->variance = moments_variance(&own);
    if (differences.count)
        m->pairs = (struct measurement_pairs){(int64_t)n, differences.mean,
                                              moments_variance(&differences)};
}

void test_result_init(struct test_result *r)
{
    *r = (struct test_result){.test_id = "",
                              .name = "",
                              .type = "",
                              .status = RESULT_STATUSES[2], /* error */
                              .message = "",
                              .log = ""};
}

void run_init(struct run *r)
{
    *r = (struct run){.run_id = "",
                      .model_id = "",
                      .trigger = RUN_TRIGGERS[0],
                      .labels = "{}",
                      .status = RUN_STATUSES[0],
                      .duration_ms = INT64_MIN,
                      .severity = SEVERITY_NAMES[SEVERITY_NONE]};
}

bool result_has_figures(const struct test_result *r)
{
    return strcmp(r->status, "passed") == 0 || strcmp(r->status, "failed") == 0;
}

const struct test_result *run_result(const struct run *r, const char *test_id)
{
    for (size_t i = 0; i < r->results_len; i++)
        if (strcmp(r->results[i].test_id, test_id) == 0)
            return &r->results[i];
    return NULL;
}

const struct measurement *result_measurement(const struct test_result *r, const char *name)
{
    for (size_t i = 0; i < r->measurements_len; i++)
        if (strcmp(r->measurements[i].name, name) == 0)
            return &r->measurements[i];
    return NULL;
}
