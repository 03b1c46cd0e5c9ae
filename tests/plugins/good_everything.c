/* Uses all that the host offers to a test, and checks each answer. */
#include <paddock/plugin.h>

#include <pthread.h>
#include <stdio.h>

static const char *const MODES[] = {"mean", "median", NULL};

static const paddock_field CASE[] = {
    {.name = "x", .type = PADDOCK_FIELD_NUMBER, .flags = PADDOCK_REQUIRED, .doc = "in"},
    {.name = "note", .type = PADDOCK_FIELD_TEXT, .max = 20, .preset = "\"none\"", .doc = "text"},
    {.name = NULL},
};

static const paddock_field ITEM[] = {
    {.name = "item", .type = PADDOCK_FIELD_OBJECT, .fields = CASE, .doc = "a case"},
    {.name = NULL},
};

static const paddock_field FIELDS[] = {
    {.name = "limit", .type = PADDOCK_FIELD_NUMBER, .max = 10, .preset = "2.5", .doc = "a limit"},
    {.name = "count", .type = PADDOCK_FIELD_INTEGER, .min = 1, .preset = "3", .doc = "how often"},
    {.name = "mode",
     .type = PADDOCK_FIELD_TEXT,
     .choices = MODES,
     .preset = "\"mean\"",
     .doc = "m"},
    {.name = "data", .type = PADDOCK_FIELD_DATASET, .doc = "a dataset"},
    {.name = "cases",
     .type = PADDOCK_FIELD_ARRAY,
     .max = 5,
     .fields = ITEM,
     .preset = "[]",
     .doc = "c"},
    {.name = "wait_ms",
     .type = PADDOCK_FIELD_INTEGER,
     .max = 60000,
     .preset = "0",
     .doc = "sleeps"},
    {.name = NULL},
};

static void check_config(paddock_test *t)
{
    const paddock_host *h = t->host;
    const paddock_value *cases = paddock_get(h, t->config, "cases");
    paddock_check(t, paddock_number(h, t->config, "limit") == 2.5, "preset", "%s",
                  paddock_as_json(h, t->config));
    paddock_check(t, paddock_integer(h, t->config, "count") == 7, "given", "given as 7");
    paddock_check(t, strcmp(paddock_text(h, t->config, "mode"), "median") == 0, "choice", "median");
    paddock_check(t, paddock_type(h, paddock_get(h, t->config, "nothing")) == PADDOCK_ABSENT,
                  "absent", "absent");
    paddock_check(t, isnan(paddock_number(h, t->config, "mode")), "nan", "a text is no number");
    paddock_check(t, paddock_count(h, cases) == 2, "cases", "two cases");
    paddock_check(t, paddock_number(h, paddock_at(h, cases, 1), "x") == -4, "nested", "-4");
    paddock_check(t, strcmp(paddock_text(h, paddock_at(h, cases, 0), "note"), "none") == 0,
                  "nested.preset", "filled in");
    paddock_check(t, strcmp(paddock_key(h, paddock_at(h, cases, 0), 0), "x") == 0, "key", "x");
}

static void check_data(paddock_test *t)
{
    const paddock_dataset *d = paddock_data(t, NULL);
    if (!paddock_check(t, d && d->rows == 3 && d->n_columns == 2 && d->label, "dataset", "3 x 2"))
        return;
    paddock_check(t, paddock_element(t->host, &d->columns[1], 2) == 6, "cell", "6");
    paddock_check(t, isnan(paddock_element(t->host, &d->columns[0], 1)), "missing", "NAN");
    paddock_check(t, paddock_column(d, "y") == d->label, "label", "y");
    paddock_check(t, strlen(d->sha256) == 64, "sha256", "%s", d->sha256);
}

static void check_model(paddock_test *t)
{
    const paddock_dataset *d = paddock_data(t, NULL);
    const paddock_tensor *inputs;
    const paddock_metadata *says = paddock_metadata_of(t->subject, 1000);
    paddock_check(t, paddock_ready(t->subject, 1000) == PADDOCK_OK, "ready", "%s",
                  paddock_model_message(t->subject));
    paddock_check(t, says && strcmp(says->name, "sum") == 0, "metadata", "sum");
    size_t n = paddock_rows(t->subject, d, 1, 10, &inputs);
    paddock_check(t, n == 1 && inputs[0].shape[0] == 2 && inputs[0].datatype == PADDOCK_FP32,
                  "rows", "%s", paddock_model_message(t->subject));
    n = paddock_rows(t->subject, d, 2, 1, &inputs);
    const paddock_answer *a = paddock_infer(t->subject, inputs, n);
    const paddock_tensor *sum = paddock_output(a, "sum");
    paddock_check(t, a->error == PADDOCK_OK && sum && paddock_element(t->host, sum, 0) == 11, "sum",
                  "%s", a->message);
    const paddock_tensor *text = paddock_output(a, "text");
    paddock_check(t, text && memcmp(((const paddock_bytes *)text->data)->data, "positive", 8) == 0,
                  "bytes", "positive");
    const paddock_answer *b = paddock_infer(t->baseline, inputs, n);
    paddock_check(t, b->error == PADDOCK_E_MODEL && b->n_outputs == 0 && sum->count == 1,
                  "baseline", "%s", b->message);
}

static void *ask_in_thread(void *arg)
{
    paddock_test *t = arg;
    const paddock_tensor *inputs;
    for (size_t i = 0; i < 200; i++) {
        size_t n = paddock_rows(t->subject, paddock_data(t, NULL), i % 2 ? 0 : 2, 1, &inputs);
        const paddock_answer *a = paddock_infer(t->subject, inputs, n);
        double sum = a->error ? -1 : paddock_element(t->host, paddock_output(a, "sum"), 0);
        if (sum != (i % 2 ? 3 : 11))
            paddock_check(t, false, "thread", "got %g", sum);
        paddock_sample(t, "latency_ms", (double)a->duration_ns / 1e6);
    }
    return NULL;
}

static void check_threads(paddock_test *t)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, ask_in_thread, t) != 0)
            paddock_error(t, "no thread");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    paddock_summary s;
    paddock_check(t, paddock_summarize(t, "latency_ms", &s) && s.count == 800, "samples", "800");
    paddock_check(t, paddock_quantile(t, "latency_ms", 1) == s.max, "quantile", "%g ms", s.max);
    paddock_check(t, isnan(paddock_quantile(t, "nothing", 0.5)), "empty", "NAN");
}

static void report(paddock_test *t)
{
    const double ours[] = {1, 2, 3.5}, theirs[] = {1, 2, 3};
    uint64_t state = t->seed;
    paddock_measurement m = {.name = "accuracy",
                             .value = 0.5,
                             .unit = "1",
                             .better = PADDOCK_HIGHER,
                             .critical = 1,
                             .margin_ratio = 0.01,
                             .samples = 3,
                             .variance = 1.5,
                             .values = ours,
                             .baseline_values = theirs,
                             .n_values = 3};
    paddock_measure(t, &m);
    memset(&m, 0, sizeof m);
    m.name = "random";
    m.value = paddock_uniform(&state);
    paddock_measure(t, &m);
    paddock_warn(t, false, "warning", "only a \"warning\": \xc3\xa4");
    printf("to stdout\n");
    paddock_log(t->host, "to the log %d", 42);
}

static void run(paddock_test *t)
{
    uint64_t until = paddock_now_ns(t->host) +
                     (uint64_t)paddock_integer(t->host, t->config, "wait_ms") * 1000000u;
    check_config(t);
    check_data(t);
    check_model(t);
    check_threads(t);
    report(t);
    while (paddock_now_ns(t->host) < until && !paddock_stop(t->host))
        ;
    FILE *file = fopen("here", "w");
    paddock_check(t, file != NULL, "scratch", "the current directory can be written");
    if (file)
        fclose(file);
    paddock_check(t, paddock_left_ns(t->host) < UINT64_MAX, "left", "time is limited");
    paddock_check(t, !paddock_extension(t->host, "none/1"), "extension", "none");
}

PADDOCK_TEST("test.everything", "1.2.3", "uses all of the host", FIELDS, run);
