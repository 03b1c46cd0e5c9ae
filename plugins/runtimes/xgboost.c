/* The runtime "xgboost": a saved XGBoost model, loaded into the test's own process through
 * XGBoost's C API. One input "input", FP32 or FP64, [rows, features]; NAN is a missing value.
 *
 * The first output is what the objective makes of the sum of the trees:
 *   binary:logistic                  "probability" FP32 [rows], of the second class
 *   multi:softprob                   "probability" FP32 [rows, classes]
 *   others                           "prediction"  FP32 [rows], or [rows, groups]
 * and where it is a probability, "label" INT64 [rows] is the likelier class. */
#include "../shared/datatype.h"
#include "../shared/path.h"

#include <jansson.h>
#include <paddock/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <xgboost/c_api.h>

struct booster {
    BoosterHandle handle;
    bst_ulong columns;
    int64_t groups; /* numbers for each row */
    bool probabilities;
    paddock_tensor input, outputs[2];
    paddock_metadata metadata;
};

static const paddock_field CONFIG[] = {
    {"path", PADDOCK_FIELD_TEXT, PADDOCK_REQUIRED, 1, 4096, NULL, NULL, NULL,
     "Absolute path of the saved model: JSON, UBJSON or XGBoost's binary format."},
    {"threads", PADDOCK_FIELD_INTEGER, 0, 1, 256, "1", NULL, NULL, "Threads for one prediction."},
    {"directories", PADDOCK_FIELD_ARRAY, PADDOCK_SERVER, 0, 100, NULL, NULL, DIRECTORY_FIELD,
     "Models are taken only from below these; without it from anywhere."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* The last error of the library, its first line: a stack trace follows. */
static bool fail_xgboost(paddock_call *c, uint32_t error, const char *doing)
{
    const char *why = XGBGetLastError();
    while (*why == '\n' || *why == ' ')
        why++;
    /* "[02:15:07] ../src/x.cc:12: what it is" */
    const char *plain = *why == '[' ? strchr(why, ']') : NULL;
    why = plain && plain[1] ? plain + 2 : why;
    return paddock_fail(c, error, "%s: %.*s", doing, (int)strcspn(why, "\n"), why);
}

/* "binary:logistic" and the like into `name`. */
static bool read_objective(struct booster *b, char *name, size_t size)
{
    bst_ulong len;
    const char *text;
    if (XGBoosterSaveJsonConfig(b->handle, &len, &text) != 0)
        return false;
    json_t *root = json_loadb(text, len, 0, NULL);
    const json_t *objective =
        json_object_get(json_object_get(json_object_get(root, "learner"), "objective"), "name");
    const char *is = json_string_value(objective);
    snprintf(name, size, "%s", is ? is : "");
    json_decref(root);
    return *name != '\0';
}

/* Float rows in, the library's floats out, valid until this thread's next call. */
static bool predict(struct booster *b, const void *rows, size_t n, bool wide, const float **out,
                    size_t *count)
{
    static const char HOW[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
                              "\"iteration_end\":0,\"strict_shape\":true,\"cache_id\":0,"
                              "\"missing\":NaN}";
    char array[200];
    const bst_ulong *shape;
    bst_ulong rank;
    snprintf(array, sizeof array,
             "{\"data\":[%zu,true],\"shape\":[%zu,%llu],\"typestr\":\"<f%d\",\"version\":3}",
             (size_t)(uintptr_t)rows, n, (unsigned long long)b->columns, wide ? 8 : 4);
    if (XGBoosterPredictFromDense(b->handle, array, HOW, NULL, &shape, &rank, out) != 0)
        return false;
    *count = 1;
    for (bst_ulong i = 0; i < rank; i++)
        *count *= shape[i];
    return true;
}

/* The first prediction sets the library up, which it does not do safely in several threads; it also
 * shows how many numbers a row gets. */
static bool try_out(struct booster *b)
{
    float *row = calloc(b->columns ? b->columns : 1, sizeof *row);
    const float *out;
    size_t count = 0;
    bool done = row && predict(b, row, 1, false, &out, &count) && count > 0;
    b->groups = (int64_t)count;
    free(row);
    return done;
}

static void describe(struct booster *b)
{
    bool many = b->groups > 1;
    b->input = (paddock_tensor){
        .name = "input", .datatype = PADDOCK_FP32, .rank = 2, .shape = {-1, (int64_t)b->columns}};
    b->outputs[0] = (paddock_tensor){.name = b->probabilities ? "probability" : "prediction",
                                     .datatype = PADDOCK_FP32,
                                     .rank = many ? 2 : 1,
                                     .shape = {-1, many ? b->groups : 0}};
    b->outputs[1] =
        (paddock_tensor){.name = "label", .datatype = PADDOCK_INT64, .rank = 1, .shape = {-1}};
    b->metadata = (paddock_metadata){.name = "",
                                     .version = "",
                                     .platform = "xgboost",
                                     .inputs = &b->input,
                                     .outputs = b->outputs,
                                     .n_inputs = 1,
                                     .n_outputs = b->probabilities ? 2 : 1};
}

static bool load(struct booster *b, paddock_call *c, const paddock_value *config)
{
    const char *path = paddock_text(c->host, config, "path");
    char threads[16], objective[64];
    const paddock_value *directories = paddock_get(c->host, config, "directories");
    if (*path != '/' || (directories && !path_below(c->host, directories, path)))
        return paddock_fail(c, PADDOCK_E_CONFIG,
                            "'path' must be absolute and below a directory that the server's "
                            "configuration allows: %s",
                            path);
    snprintf(threads, sizeof threads, "%d", (int)paddock_integer(c->host, config, "threads"));
    if (XGBoosterCreate(NULL, 0, &b->handle) != 0)
        return fail_xgboost(c, PADDOCK_E_INTERNAL, "XGBoost does not start");
    if (XGBoosterSetParam(b->handle, "nthread", threads) != 0 ||
        XGBoosterLoadModel(b->handle, path) != 0 ||
        XGBoosterGetNumFeature(b->handle, &b->columns) != 0 ||
        !read_objective(b, objective, sizeof objective) || !try_out(b))
        return fail_xgboost(c, PADDOCK_E_CONFIG, "XGBoost cannot load the model");
    b->probabilities =
        strcmp(objective, "binary:logistic") == 0 || strcmp(objective, "multi:softprob") == 0;
    describe(b);
    return true;
}

static void booster_close(void *self)
{
    struct booster *b = self;
    if (b->handle)
        XGBoosterFree(b->handle);
    free(b);
}

static void *booster_open(paddock_call *c, const paddock_value *config)
{
    struct booster *b = calloc(1, sizeof *b);
    if (!b) {
        paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
        return NULL;
    }
    if (load(b, c, config))
        return b;
    booster_close(b);
    return NULL;
}

static bool booster_ready(void *self, paddock_call *c)
{
    (void)self;
    (void)c;
    return true; /* it was loaded and tried out */
}

static const paddock_metadata *booster_metadata(void *self, paddock_call *c)
{
    (void)c;
    return &((struct booster *)self)->metadata;
}

static bool check_input(const struct booster *b, paddock_call *c, const paddock_request *rq)
{
    const paddock_tensor *t = rq->inputs;
    char shape[160];
    if (rq->n_inputs != 1 || strcmp(t->name, "input") != 0)
        return paddock_fail(c, PADDOCK_E_INPUT, "the one input must be 'input'");
    if (t->datatype != PADDOCK_FP32 && t->datatype != PADDOCK_FP64)
        return paddock_fail(c, PADDOCK_E_INPUT, "the input must be FP32 or FP64, not %s",
                            datatype_name(t->datatype));
    if (t->rank != 2 || t->shape[1] != (int64_t)b->columns || t->shape[0] < 1)
        return paddock_fail(c, PADDOCK_E_INPUT, "the input must be [rows,%llu], not %s",
                            (unsigned long long)b->columns,
                            shape_text(t->shape, t->rank, shape, sizeof shape));
    for (size_t i = 0; i < rq->n_outputs; i++) {
        bool known = false;
        for (size_t j = 0; j < b->metadata.n_outputs; j++)
            known = known || strcmp(rq->outputs[i], b->outputs[j].name) == 0;
        if (!known)
            return paddock_fail(c, PADDOCK_E_INPUT, "there is no output '%s'", rq->outputs[i]);
    }
    return true;
}

static bool wanted(const paddock_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->n_outputs; i++)
        if (strcmp(rq->outputs[i], name) == 0)
            return true;
    return rq->n_outputs == 0;
}

/* The likelier class of each row. */
static void fill_labels(const struct booster *b, const float *p, size_t rows, int64_t *labels)
{
    for (size_t r = 0; r < rows; r++) {
        const float *row = p + r * (size_t)b->groups;
        if (b->groups == 1) {
            labels[r] = row[0] > 0.5f;
            continue;
        }
        labels[r] = 0;
        for (int64_t k = 1; k < b->groups; k++)
            if (row[k] > row[labels[r]])
                labels[r] = k;
    }
}

static bool booster_infer(void *self, paddock_call *c, const paddock_request *rq)
{
    struct booster *b = self;
    if (!check_input(b, c, rq))
        return false;
    const paddock_tensor *in = rq->inputs;
    const float *out;
    size_t count, rows = (size_t)in->shape[0];
    if (!predict(b, in->data, rows, in->datatype == PADDOCK_FP64, &out, &count))
        return fail_xgboost(c, PADDOCK_E_MODEL, "XGBoost cannot predict");
    if (count != rows * (size_t)b->groups)
        return paddock_fail(c, PADDOCK_E_MODEL, "XGBoost gave %zu numbers for %zu rows", count,
                            rows);
    int64_t shape[2] = {(int64_t)rows, b->groups};
    if (wanted(rq, b->outputs[0].name)) {
        float *data =
            paddock_add_output(c, b->outputs[0].name, PADDOCK_FP32, shape, b->outputs[0].rank);
        if (!data)
            return false;
        memcpy(data, out, count * sizeof *data);
    }
    if (b->probabilities && wanted(rq, "label")) {
        int64_t *labels = paddock_add_output(c, "label", PADDOCK_INT64, shape, 1);
        if (!labels)
            return false;
        fill_labels(b, out, rows, labels);
    }
    return true;
}

static const paddock_runtime_ops OPS = {
    .open = booster_open,
    .close = booster_close,
    .ready = booster_ready,
    .metadata = booster_metadata,
    .infer = booster_infer,
    .parallel = 1,
};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "xgboost", .version = "1.0.0",
               .summary = "A saved XGBoost model, loaded into the process of the test",
               .config = CONFIG, .ops = &OPS);
