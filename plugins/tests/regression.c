/* The test type "regression": how good is the model on a labelled dataset, and is it worse than its
 * baseline there? Both are asked the same rows, so the comparison is paired: an interval for the
 * mean of the differences row by row (Student's t), and McNemar's exact test for the accuracy.
 *
 * Limits fail the test. The baseline only warns unless `baseline` says "fail": judging regressions
 * is the severity policy's, which is told the same pairs through the measurements. */
#include "../shared/inputs.h"
#include "../shared/judged.h"

#include <paddock/plugin.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const TASKS[] = {"binary", "multiclass", "regression", NULL};
static const char *const METRICS[] = {"accuracy", "log_loss", "brier", "auc", "mae", "rmse", NULL};
static const char *const BASELINE[] = {"warn", "fail", "ignore", NULL};

static const paddock_field CLASS_ROW[] = {
    {"class", PADDOCK_FIELD_TEXT, 0, 0, 256, NULL, NULL, NULL, "A label as the dataset writes it."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field METRIC_ROW[] = {
    {"metric", PADDOCK_FIELD_TEXT, 0, 0, 0, NULL, METRICS, NULL, "A score."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

#define LIMIT(name, doc)                                           \
    {                                                              \
        name, PADDOCK_FIELD_NUMBER, 0, 0, 0, NULL, NULL, NULL, doc \
    }

static const paddock_field LIMITS[] = {
    LIMIT("accuracy_min", "Least share of rows whose class is right."),
    LIMIT("auc_min", "Least area under the ROC curve."),
    LIMIT("log_loss_max", "Largest mean of -ln(probability of the true class)."),
    LIMIT("brier_max", "Largest mean squared error of the probabilities."),
    LIMIT("mae_max", "Largest mean absolute error, in the label's unit."),
    LIMIT("rmse_max", "Largest root of the mean squared error, in the label's unit."),
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CONFIG[] = {
    {"dataset", PADDOCK_FIELD_DATASET, 0, 0, 0, NULL, NULL, NULL,
     "A dataset with a label column; left out: the test case's first."},
    {"task", PADDOCK_FIELD_TEXT, 0, 0, 0, "\"binary\"", TASKS, NULL,
     "What the model predicts: the probability of one of two classes, the probabilities of "
     "several, "
     "or a number."},
    {"output", PADDOCK_FIELD_TEXT, 0, 1, 256, NULL, NULL, NULL,
     "The output to judge; left out: the first."},
    {"classes", PADDOCK_FIELD_ARRAY, 0, 2, 10000, NULL, NULL, CLASS_ROW,
     "The classes in the model's order, where the labels are texts."},
    {"threshold", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0.5", NULL, NULL,
     "Binary: this probability and more mean the second class."},
    {"metrics", PADDOCK_FIELD_ARRAY, 0, 1, SCORE_COUNT, NULL, NULL, METRIC_ROW,
     "The scores to take; left out: all that the task has."},
    {"batch", PADDOCK_FIELD_INTEGER, 0, 1, 100000, "64", NULL, NULL,
     "Rows in one question to the model."},
    {"limits", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, LIMITS, "Scores that fail the test."},
    {"baseline", PADDOCK_FIELD_TEXT, 0, 0, 0, "\"warn\"", BASELINE, NULL,
     "What it means that a score is significantly worse than the baseline's."},
    {"alpha", PADDOCK_FIELD_NUMBER, 0, 1e-6, 0.5, "0.05", NULL, NULL,
     "Risk of a false alarm of one comparison with the baseline."},
    {"margin_ratio", PADDOCK_FIELD_NUMBER, 0, 0, 1, "0", NULL, NULL,
     "A loss up to this share of the baseline's score does not matter."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

struct judging {
    paddock_test *t;
    struct predictions subject, baseline;
    bool compared;                    /* there is a baseline, and it answered */
    double *values, *baseline_values; /* n each */
    const char *mode;                 /* "warn", "fail", "ignore" */
    double alpha, margin_ratio;
};

static bool asked_for(const struct judging *j, enum score s)
{
    const paddock_host *h = j->t->host;
    const paddock_value *metrics = paddock_get(h, j->t->config, "metrics");
    for (size_t i = 0; i < paddock_count(h, metrics); i++)
        if (strcmp(paddock_as_text(h, paddock_at(h, metrics, i)), SCORES[s].name) == 0)
            return true;
    return metrics == NULL;
}

static void check_limit(struct judging *j, enum score s, double value)
{
    const paddock_host *h = j->t->host;
    char key[32], name[40];
    snprintf(key, sizeof key, "%s_%s", SCORES[s].name, SCORES[s].higher ? "min" : "max");
    snprintf(name, sizeof name, "limit.%s", SCORES[s].name);
    double limit = paddock_number(h, paddock_get(h, j->t->config, "limits"), key);
    if (isnan(limit))
        return;
    paddock_check(j->t, SCORES[s].higher ? value >= limit : value <= limit, name,
                  "%s is %.6g, %s allowed %g", SCORES[s].name, value,
                  SCORES[s].higher ? "least" : "most", limit);
}

static void report(const struct judging *j, bool ok, const char *name, const char *text)
{
    if (strcmp(j->mode, "fail") == 0)
        paddock_check(j->t, ok, name, "%s", text);
    else
        paddock_warn(j->t, ok, name, "%s", text);
}

/* The differences row by row: is their mean harmful beyond the margin, and not by chance? */
static void compare(const struct judging *j, enum score s, double value)
{
    size_t n = j->subject.n;
    struct moments2 base = moments_of(j->baseline_values, NULL, n);
    struct moments2 d = moments_of(j->values, j->baseline_values, n);
    double reach = n > 1
                       ? student_quantile((double)(n - 1), j->alpha) * sqrt(d.variance / (double)n)
                       : INFINITY;
    double harm = SCORES[s].higher ? -d.mean : d.mean;
    bool worse = harm - reach > j->margin_ratio * fabs(base.mean);
    char name[48], text[300];
    snprintf(name, sizeof name, "baseline.%s", SCORES[s].name);
    snprintf(text, sizeof text,
             "%s %.6g, baseline %.6g: difference %+.4g, %g %% interval %+.4g..%+.4g",
             SCORES[s].name, value, base.mean, d.mean, 100 * (1 - j->alpha), d.mean - reach,
             d.mean + reach);
    report(j, !worse, name, text);
}

/* Rows that only one of the two has right. */
static void compare_classes(const struct judging *j)
{
    size_t only_subject = 0, only_baseline = 0;
    for (size_t i = 0; i < j->subject.n; i++) {
        bool a = j->values[i] > 0.5, b = j->baseline_values[i] > 0.5;
        only_subject += a && !b;
        only_baseline += b && !a;
    }
    double p = mcnemar_exact(only_subject, only_baseline);
    char text[200];
    snprintf(text, sizeof text,
             "right only here %zu, only in the baseline %zu of %zu rows: McNemar p = %.4g",
             only_subject, only_baseline, j->subject.n, p);
    report(j, !(only_baseline > only_subject && p < j->alpha), "baseline.mcnemar", text);
}

static void judge(struct judging *j, enum score s)
{
    size_t n = j->subject.n;
    if (!score_values(&j->subject, s, j->values)) {
        paddock_warn(j->t, false, "defined", "%s is not defined for these labels", SCORES[s].name);
        return;
    }
    struct moments2 m = moments_of(j->values, NULL, n);
    bool paired = j->compared && score_values(&j->baseline, s, j->baseline_values);
    paddock_measure(j->t, &(paddock_measurement){
                              .name = SCORES[s].name,
                              .value = m.mean,
                              .unit = SCORES[s].unit,
                              .better = SCORES[s].higher ? PADDOCK_HIGHER : PADDOCK_LOWER,
                              .samples = n,
                              .variance = m.variance,
                              .values = j->values,
                              .baseline_values = paired ? j->baseline_values : NULL,
                              .n_values = n,
                          });
    check_limit(j, s, m.mean);
    if (paired && strcmp(j->mode, "ignore") != 0) {
        compare(j, s, m.mean);
        if (s == SCORE_ACCURACY)
            compare_classes(j);
    }
}

/* Metrics and limits that the task does not have are a mistake, not nothing to do. */
static bool config_fits(paddock_test *t, enum task task)
{
    const paddock_host *h = t->host;
    const paddock_value *metrics = paddock_get(h, t->config, "metrics");
    const paddock_value *limits = paddock_get(h, t->config, "limits");
    for (int s = 0; s < SCORE_COUNT; s++) {
        if (SCORES[s].tasks & 1u << task)
            continue;
        bool wanted = false;
        for (size_t i = 0; i < paddock_count(h, metrics); i++)
            wanted |= strcmp(paddock_as_text(h, paddock_at(h, metrics, i)), SCORES[s].name) == 0;
        for (size_t i = 0; i < paddock_count(h, limits); i++)
            wanted |=
                strncmp(paddock_key(h, limits, i), SCORES[s].name, strlen(SCORES[s].name)) == 0;
        if (wanted) {
            paddock_error(t, "configuration: the task '%s' has no '%s'", TASKS[task],
                          SCORES[s].name);
            return false;
        }
    }
    return true;
}

static bool ask_subject(struct judging *j, const struct reading *r, const paddock_dataset *d)
{
    struct why why = {""};
    uint32_t error;
    if (ask_all(j->t, j->t->subject, r, d, &j->subject, &error, &why))
        return paddock_check(j->t, true, "answers", "%zu rows answered", j->subject.n);
    return answer_judged(j->t, &(paddock_answer){.error = error, .message = why.text}, "answers",
                         "the model");
}

static void ask_baseline(struct judging *j, const struct reading *r, const paddock_dataset *d)
{
    struct why why = {""};
    uint32_t error;
    if (!j->t->baseline)
        return;
    j->compared = ask_all(j->t, j->t->baseline, r, d, &j->baseline, &error, &why);
    paddock_warn(j->t, j->compared, "baseline.answers", "%s: %s", j->t->baseline->model_id,
                 j->compared ? "all rows answered" : why.text);
}

static struct reading read_config(paddock_test *t)
{
    const paddock_host *h = t->host;
    const char *task = paddock_text(h, t->config, "task");
    struct reading r = {
        .output = paddock_text(h, t->config, "output"),
        .classes = paddock_get(h, t->config, "classes"),
        .threshold = paddock_number(h, t->config, "threshold"),
        .batch = (size_t)paddock_integer(h, t->config, "batch"),
    };
    for (int i = 0; TASKS[i]; i++)
        if (strcmp(TASKS[i], task) == 0)
            r.task = (enum task)i;
    return r;
}

static void run(paddock_test *t)
{
    const paddock_host *h = t->host;
    const paddock_dataset *d = paddock_data(t, paddock_text(h, t->config, "dataset"));
    struct reading r = read_config(t);
    struct judging j = {.t = t,
                        .mode = paddock_text(h, t->config, "baseline"),
                        .alpha = paddock_number(h, t->config, "alpha"),
                        .margin_ratio = paddock_number(h, t->config, "margin_ratio")};
    size_t classes = 0;
    if (!d) {
        paddock_error(t, "a regression test needs a dataset");
        return;
    }
    double *labels = config_fits(t, r.task) ? read_labels(t, &r, d, &classes) : NULL;
    if (!labels)
        return;
    j.subject = (struct predictions){.task = r.task,
                                     .n = d->rows,
                                     .classes = classes,
                                     .truth = labels,
                                     .threshold = r.threshold};
    j.baseline = j.subject;
    j.values = malloc(d->rows * sizeof *j.values);
    j.baseline_values = malloc(d->rows * sizeof *j.baseline_values);
    if (!j.values || !j.baseline_values)
        paddock_error(t, "out of memory for %zu rows", d->rows);
    else if (ask_subject(&j, &r, d)) {
        ask_baseline(&j, &r, d);
        for (int s = 0; s < SCORE_COUNT; s++)
            if (SCORES[s].tasks & 1u << r.task && asked_for(&j, (enum score)s))
                judge(&j, (enum score)s);
    }
    free((void *)j.subject.said);
    free((void *)j.baseline.said);
    free(j.values);
    free(j.baseline_values);
    free(labels);
}

static const paddock_test_ops OPS = {.run = run};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_TEST, .flags = PADDOCK_NEEDS_DATASET, .id = "regression",
               .version = "1.0.0",
               .summary = "Scores on a labelled dataset, paired with the baseline's",
               .config = CONFIG, .ops = &OPS);
