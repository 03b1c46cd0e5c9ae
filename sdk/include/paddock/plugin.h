/* paddock/plugin.h: the whole contract between Paddock and a plugin.
 *
 * A plugin is one shared object that exports one data symbol, paddock_plugin_entry, and links
 * nothing but libc: what the host offers comes in as a table of functions. There are three kinds:
 *
 *   test      judges a model. One process for each run of it.
 *   strategy  weighs the candidates of a route. One long-lived process for all routes that use it.
 *   runtime   makes a model callable. Lives in the process of the test that needs it.
 *
 * The server itself never loads a plugin; the program paddock-worker does. A crash, a hang or a
 * leak costs one result. That contains accidents, not malice: install only what you trust.
 *
 * These hold for everything below:
 *
 *   Ownership  Whoever hands out a pointer owns what it points to. What the host hands out is
 *              read-only and, unless its comment says otherwise, valid until the callback that
 *              got it returns. What a plugin passes to the host is copied before the call returns.
 *   Strings    UTF-8, ended by NUL, never NULL unless the comment says so.
 *   Numbers    Times carry their unit in the name. "Unknown" is NAN for a double and 0 for a count.
 *              Ratios are 0..1.
 *   Threads    A tag names where a function may run:
 *              [main]  a callback runs in the thread that loaded the plugin, one call at a time.
 *              [any]   may be called from any thread of the plugin at the same time.
 *   Errors     The host never ends the process because of a wrong argument: it notes the fault in
 * the log, and a test that caused one ends as an error. Enumerations may grow at their end: treat a
 * value you do not know as "something else".
 *
 * It compiles as C11, C17 and C++20. */
#ifndef PADDOCK_PLUGIN_H
#define PADDOCK_PLUGIN_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ---- */

/* One pair of numbers describes every struct below. MINOR grows when fields are appended at the end
 * of a struct, functions at the end of a table or values at the end of an enumeration; MAJOR when
 * anything else changes. A plugin loads when its major is the host's and its minor is not newer, so
 * every field it knows is there, and the host reads no more of what it fills in than its minor has.
 * Structs that stand in arrays, or that the host fills in for the plugin, say that they are frozen:
 * they change only with the major. */
#define PADDOCK_ABI_MAJOR 1u
#define PADDOCK_ABI_MINOR 0u

#define PADDOCK_EXPORT             __attribute__((visibility("default")))
#define PADDOCK_PRINTF(text, args) __attribute__((format(printf, text, args)))

/* ---- Values: JSON that the host has read ---- */

/* A test's configuration, a runtime's description, a strategy's parameters. Immutable and valid
 * until the callback returns (a runtime's or strategy's configuration: until close). All [any]. */
typedef struct paddock_value paddock_value;

enum paddock_value_type {
    PADDOCK_ABSENT = 0, /* no such member, or a NULL value */
    PADDOCK_NULL,
    PADDOCK_BOOLEAN,
    PADDOCK_INTEGER, /* fits int64_t */
    PADDOCK_NUMBER,  /* any other number; finite */
    PADDOCK_TEXT,
    PADDOCK_ARRAY,
    PADDOCK_OBJECT
};

/* ---- Configuration: what the host checks before a plugin sees it ---- */

/* A table of fields, ended by one without a name. The host turns it into a JSON Schema for the HTTP
 * API, refuses what does not fit when it is stored, refuses unknown members, and fills in the
 * presets: a plugin reads values that are there, of the right type and in range. */
enum paddock_field_type {
    PADDOCK_FIELD_BOOLEAN = 1,
    PADDOCK_FIELD_INTEGER, /* min..max */
    PADDOCK_FIELD_NUMBER,  /* min..max; an integer is a number too */
    PADDOCK_FIELD_TEXT,    /* min..max bytes; one of `choices` if there are any */
    PADDOCK_FIELD_OBJECT,  /* members as in `fields`; without: any, min..max of them */
    PADDOCK_FIELD_ARRAY,   /* min..max items, each as the one row of `fields` says (whose name is
                              only for people); without: any */
    PADDOCK_FIELD_DATASET, /* the name of a dataset of the test case; it was loaded */
    PADDOCK_FIELD_ANY      /* any JSON */
};

enum paddock_field_flag {
    PADDOCK_REQUIRED = 1u << 0, /* must be given */
    PADDOCK_SECRET = 1u << 1,   /* text; given as the name of a secret of the server, read as its
                                   value, never shown nor logged */
    PADDOCK_SERVER = 1u << 2    /* comes from the server's configuration alone; refused in a body */
};

/* Frozen for this major. */
typedef struct paddock_field {
    const char *name;                   /* [a-z][a-z0-9_]{0,62}; NULL ends the table */
    uint32_t type;                      /* PADDOCK_FIELD_* */
    uint32_t flags;                     /* PADDOCK_REQUIRED | ... */
    double min, max;                    /* inclusive, see the types; both 0: no limits;
                                           max 0 and min above: no upper limit */
    const char *preset;                 /* value if not given, as JSON text: "0.05", "\"mean\"",
                                           "[1,2]"; NULL: the member stays absent */
    const char *const *choices;         /* TEXT: ended by NULL; NULL: any text */
    const struct paddock_field *fields; /* OBJECT, ARRAY; NULL: any */
    const char *doc;                    /* one sentence for people, with the unit */
} paddock_field;

/* ---- Tensors ---- */

/* As in the Open Inference Protocol, version 2: row-major, native byte order. Frozen for this
 * major. */
enum paddock_datatype {
    PADDOCK_BOOL = 1, /* uint8_t, 0 or 1 */
    PADDOCK_UINT8,
    PADDOCK_UINT16,
    PADDOCK_UINT32,
    PADDOCK_UINT64,
    PADDOCK_INT8,
    PADDOCK_INT16,
    PADDOCK_INT32,
    PADDOCK_INT64,
    PADDOCK_FP16, /* IEEE 754 binary16 in a uint16_t */
    PADDOCK_FP32,
    PADDOCK_FP64,
    PADDOCK_BYTES /* paddock_bytes; text is UTF-8 */
};

#define PADDOCK_MAX_RANK 8

typedef struct paddock_bytes {
    const char *data; /* not ended by NUL; may be NULL when len is 0 */
    size_t len;
} paddock_bytes;

typedef struct paddock_tensor {
    const char *name;
    uint32_t datatype; /* PADDOCK_BOOL ... */
    uint32_t rank;     /* 0..PADDOCK_MAX_RANK; 0: one element */
    int64_t shape[PADDOCK_MAX_RANK];
    const void *data; /* aligned for its type; NULL in a description, or without elements */
    size_t count;     /* elements: the product of the shape */
} paddock_tensor;

/* ---- Models ---- */

/* Why a call failed. */
enum paddock_error {
    PADDOCK_OK = 0,
    PADDOCK_E_CONFIG,      /* the description of the model or the runtime is wrong or missing */
    PADDOCK_E_UNAVAILABLE, /* nobody answers, or "not now" */
    PADDOCK_E_TIMEOUT,     /* no answer in time */
    PADDOCK_E_NOT_FOUND,   /* the runtime does not know this model */
    PADDOCK_E_INPUT,       /* the runtime refuses these inputs */
    PADDOCK_E_MODEL,       /* the model or its runtime failed at its work */
    PADDOCK_E_PROTOCOL,    /* the answer is none: not JSON, wrong shape or type, not a number */
    PADDOCK_E_CANCELLED,   /* the run was cancelled */
    PADDOCK_E_INTERNAL     /* anything else */
};

typedef struct paddock_host paddock_host;

/* A model that can be called: the subject of a test, or its baseline. Allocated by the host. */
typedef struct paddock_model {
    const paddock_host *host;
    const char *model_id; /* "nba-props:7" */
    const char *name;     /* "nba-props" */
    const char *version;  /* "7" */
    const char *status;   /* "development", "canary", "stable", "deprecated" */
    const char *runtime;  /* the id of its runtime: "openinference"; "" if it has none */
} paddock_model;

/* What a model says of itself. */
typedef struct paddock_metadata {
    const char *name;     /* "" if it does not say */
    const char *version;  /* "" if it does not say */
    const char *platform; /* "" if it does not say */
    const paddock_tensor *inputs;
    const paddock_tensor *outputs; /* no data; -1 in a shape: any extent */
    size_t n_inputs, n_outputs;    /* 0: it does not say */
} paddock_metadata;

/* One question. Zero it, then fill it in. */
typedef struct paddock_request {
    const paddock_tensor *inputs; /* the first extent is usually the number of rows */
    size_t n_inputs;
    const char *const *outputs; /* names of the outputs wanted */
    size_t n_outputs;           /* 0: all */
    uint64_t timeout_ms;        /* 0: what is left of the test's time */
} paddock_request;

/* One answer. Allocated by the host. */
typedef struct paddock_answer {
    uint32_t error; /* PADDOCK_OK, or why there is no output */
    uint32_t n_outputs;
    const char *message; /* of the error, for people; "" if there is none */
    const paddock_tensor *outputs;
    uint64_t duration_ns; /* from the call to its end, the runtime's work included */
} paddock_answer;

/* ---- Datasets ---- */

/* A file of the test case, read and checked by the host (CSV, JSON lines, NumPy .npy). A column is
 * a tensor whose first extent is the rows: numbers are FP64 (NAN where a value is missing), truth
 * values BOOL, texts BYTES; a column of .npy has the file's type, and as many further extents. */
typedef struct paddock_dataset {
    const char *name;   /* as the test case names it */
    const char *sha256; /* of the file, 64 hexadecimal digits */
    size_t rows;
    const paddock_tensor *columns; /* the features, in the file's order, without the label */
    size_t n_columns;
    const paddock_tensor *label; /* what the model should say; NULL if the test case names none */
} paddock_dataset;

/* ---- Kind 1: test ---- */

/* run() has a process to itself: it may block, start threads, leak. It returns nothing: the verdict
 * is computed from what it reported, in this order:
 *
 *   killed at the deadline      timeout      (with what had been reported)
 *   ended by a signal           crashed      (which one)
 *   ended before run returned   error
 *   paddock_error() was called  error
 *   a check of level FAIL is not ok  failed
 *   paddock_skip() was called   skipped
 *   no check at all             error
 *   otherwise                   passed */

enum paddock_level { PADDOCK_FAIL = 1, PADDOCK_WARN = 2 };

/* Which values of a measurement are better. */
enum paddock_direction {
    PADDOCK_NEITHER = 0, /* only to be looked at */
    PADDOCK_LOWER,
    PADDOCK_HIGHER,
    PADDOCK_TARGET /* the nearer to `target` */
};

/* A number that is kept with the result and compared across versions and nights. The comparison is
 * the better, the more of the samples it is given: `values` allow a rank test, `baseline_values` a
 * paired one, `samples` and `variance` an interval. Zero it, then fill it in. */
typedef struct paddock_measurement {
    const char *name;  /* [a-z][a-z0-9_.]{0,62}, once in a run: "latency_p99" */
    double value;      /* finite */
    const char *unit;  /* UCUM where it has one: "ms", "By", "1" for ratios; NULL: a count */
    uint32_t better;   /* PADDOCK_LOWER ... */
    uint32_t critical; /* 1: a regression of this one is grave */
    double target;     /* of PADDOCK_TARGET */
    double
        margin_ratio; /* a smaller change, relative to the baseline, does not matter; 0: default */
    uint64_t samples; /* how many the value rests on; 0: unknown */
    double variance;  /* of one sample; 0 with fewer than 2 samples: unknown */
    const double *values;          /* the samples themselves, in the order taken; NULL: not given */
    const double *baseline_values; /* the baseline's, asked the same things in the same order
                                      (paired); NULL: not paired */
    size_t n_values;               /* of both; at most PADDOCK_MAX_VALUES are kept, evenly spread */
} paddock_measurement;

#define PADDOCK_MAX_VALUES 10000

/* Of a series of samples. Frozen for this major. */
typedef struct paddock_summary {
    uint64_t count;
    double mean, variance, min, max; /* NAN while unknown (variance below 2 samples) */
} paddock_summary;

/* The run. Allocated by the host. Its process may start threads and processes, of which 64 may live
 * at once (four for each processor where that is more): one more, and all are killed. */
typedef struct paddock_test {
    const paddock_host *host;
    const char *test_id; /* of the test case */
    const char *name;
    const paddock_value *config; /* an object as the table of fields says */
    paddock_model *subject;      /* the version under test */
    paddock_model *baseline;     /* the version it would replace; NULL if there is none */
    const paddock_dataset *const *datasets;
    size_t n_datasets;
    uint64_t seed;       /* all randomness of the run comes from it; the result keeps it */
    const char *scratch; /* an empty directory of its own, removed afterwards; limited in size */
} paddock_test;

typedef struct paddock_test_ops {
    void (*run)(paddock_test *t); /* [main] */
} paddock_test_ops;

/* ---- Kind 2: strategy ---- */

/* Says how a route's traffic is to be shared. One instance for each route. The server asks about
 * once a second and serves by the last good answer meanwhile, so a slow or crashed strategy costs
 * nothing but freshness. It must be deterministic: no clock but `now_ms`, no randomness but from
 * `seed`. Its process may start neither threads nor processes, and has 256 MiB. */

/* A score that clients reported for decisions (POST ~/selection/outcomes). Frozen for this major.
 */
typedef struct paddock_score {
    const char *name; /* "reward" */
    uint64_t count;
    double mean, variance;
} paddock_score;

enum paddock_health {
    PADDOCK_HEALTH_UNKNOWN = 0,
    PADDOCK_HEALTHY,
    PADDOCK_DEGRADED,
    PADDOCK_UNHEALTHY
};

/* One that may serve. Allocated by the host. Live figures are of the last `window_ms`. */
typedef struct paddock_candidate {
    const char *model_id; /* the same candidate has the same id in every call, not the same index */
    const char *name, *version;
    const char *status;       /* "canary" or "stable" */
    double configured;        /* weight by the route's own parameters, 0..1; NAN if it has none */
    double published;         /* weight served now, 0..1 */
    double performance_score; /* NAN while unknown */
    uint32_t health;          /* PADDOCK_HEALTHY ... */
    uint32_t n_scores;
    uint64_t window_ms;
    uint64_t requests, errors; /* in the window */
    double rate_per_second, error_rate;
    double mean_ms, p50_ms, p95_ms, p99_ms; /* latency; NAN while unknown */
    const paddock_score *scores;
} paddock_candidate;

/* The answer for one candidate; zero at the call. Frozen for this major. */
typedef struct paddock_weight {
    double weight; /* >= 0, finite; the host divides by the sum. All zero: no answer */
    double score;  /* why, as one number, shown by `explain`; any unit */
} paddock_weight;

/* What came of one decision, in the order of the log. */
typedef struct paddock_outcome {
    const char *decision_id;
    const char *model_id;
    const char *name;  /* of the score */
    double value;      /* finite */
    double propensity; /* probability with which this candidate had been chosen, 0..1 */
    int64_t at_ms;     /* UTC, since 1970 */
} paddock_outcome;

/* One route's instance. Allocated by the host; valid until close. */
typedef struct paddock_strategy {
    const paddock_host *host;
    const char *route;
    const paddock_value *config; /* an object as the table of fields says */
    uint64_t seed;               /* fixed for the life of the route */
    int64_t now_ms;              /* UTC, since 1970, of this call */
    void *state;                 /* the plugin's own; NULL at first */
} paddock_strategy;

typedef struct paddock_strategy_ops {
    /* [main] Fill weights[i] for candidates[i]; n >= 1. Return false for no answer. */
    bool (*weigh)(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights);
    /* The others may be NULL. */
    bool (*open)(paddock_strategy *s); /* [main] once, first; false: unusable, say why in the log */
    void (*close)(paddock_strategy *s); /* [main] once, last */
    void (*update)(paddock_strategy *s, const paddock_outcome *const *outcomes,
                   size_t n);          /* [main] */
    void (*tick)(paddock_strategy *s); /* [main] about once a second, before weigh */
    /* [main] Hand the state to paddock_save(); after load() of the same bytes all further answers
     * must be the same. load: false if the bytes are not understood (the state starts anew). */
    bool (*save)(paddock_strategy *s);
    bool (*load)(paddock_strategy *s, const void *data, size_t len);
} paddock_strategy_ops;

/* ---- Kind 3: runtime ---- */

/* One call into a runtime. Allocated by the host; valid until the callback returns. */
typedef struct paddock_call {
    const paddock_host *host;
    uint64_t deadline_ns; /* by paddock_now_ns(): be back by then, with PADDOCK_E_TIMEOUT */
    const char *scratch;  /* the directory of the test's run */
} paddock_call;

typedef struct paddock_runtime_ops {
    /* [main] `config` is the model's runtime description without its kind, as the table of fields
     * says; valid until close. Not to connect yet. NULL after paddock_fail(). */
    void *(*open)(paddock_call *c, const paddock_value *config);
    /* [main] Never while another call is under way. */
    void (*close)(void *self);
    /* The others return false (NULL) after paddock_fail(), which says why.
     * [any] if `parallel` is 1, else one call at a time. */
    bool (*ready)(void *self, paddock_call *c);
    /* Valid until the next call of it, or close. */
    const paddock_metadata *(*metadata)(void *self, paddock_call *c);
    /* Each output is made by paddock_add_output() or paddock_add_bytes(). */
    bool (*infer)(void *self, paddock_call *c, const paddock_request *rq);
    uint32_t parallel; /* 1: the three above may run in several threads at once */
} paddock_runtime_ops;

/* ---- What the host offers ---- */

/* Reached through the functions that follow, which say what each does. Allocated by the host;
 * functions are only ever appended. */
struct paddock_host {
    uint32_t abi_major, abi_minor; /* the host's */

    uint32_t (*value_type)(const paddock_value *v);
    size_t (*value_count)(const paddock_value *v);
    const paddock_value *(*value_get)(const paddock_value *v, const char *key);
    const paddock_value *(*value_at)(const paddock_value *v, size_t index);
    const char *(*value_key)(const paddock_value *v, size_t index);
    double (*value_number)(const paddock_value *v);
    int64_t (*value_integer)(const paddock_value *v);
    const char *(*value_text)(const paddock_value *v);
    const char *(*value_json)(const paddock_host *h, const paddock_value *v);

    void (*log)(const paddock_host *h, const char *format, va_list args);
    uint64_t (*now_ns)(const paddock_host *h);
    uint64_t (*left_ns)(const paddock_host *h);
    bool (*stop)(const paddock_host *h);
    double (*element)(const paddock_tensor *tensor, size_t index);
    const void *(*extension)(const paddock_host *h, const char *id);

    void (*check)(paddock_test *t, uint32_t level, bool ok, const char *name, const char *format,
                  va_list args);
    void (*measure)(paddock_test *t, const paddock_measurement *m);
    void (*sample)(paddock_test *t, const char *series, double value);
    double (*quantile)(paddock_test *t, const char *series, double q);
    bool (*summary)(paddock_test *t, const char *series, paddock_summary *out);
    void (*skip_test)(paddock_test *t, const char *format, va_list args);
    void (*error)(paddock_test *t, const char *format, va_list args);
    const paddock_dataset *(*dataset)(paddock_test *t, const char *name);
    size_t (*rows)(paddock_model *m, const paddock_dataset *d, size_t first, size_t n,
                   const paddock_tensor **inputs);

    uint32_t (*ready)(paddock_model *m, uint64_t timeout_ms);
    const paddock_metadata *(*metadata)(paddock_model *m, uint64_t timeout_ms);
    const paddock_answer *(*infer)(paddock_model *m, const paddock_request *rq);
    const char *(*model_message)(paddock_model *m);

    void (*part)(paddock_strategy *s, size_t index, const char *name, double value);
    bool (*save)(paddock_strategy *s, const void *data, size_t len);

    void *(*add_output)(paddock_call *c, const char *name, uint32_t datatype, const int64_t *shape,
                        uint32_t rank);
    bool (*set_bytes)(paddock_call *c, void *output, size_t index, const char *data, size_t len);
    void (*fail_call)(paddock_call *c, uint32_t error, const char *format, va_list args);
};

/* ---- For every kind ---- */

/* A line for the log of the run, which keeps the newest 64 KiB. What is printed to stdout and
 * stderr goes there as well. [any] */
PADDOCK_PRINTF(2, 3)
static inline void paddock_log(const paddock_host *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    h->log(h, format, args);
    va_end(args);
}

/* The monotonic clock. [any] */
static inline uint64_t paddock_now_ns(const paddock_host *h)
{
    return h->now_ns(h);
}

/* Time until the deadline, 0 when it has passed; UINT64_MAX if there is none. [any] */
static inline uint64_t paddock_left_ns(const paddock_host *h)
{
    return h->left_ns(h);
}

/* True once it is time to wind up: the deadline is near (a tenth of the time, at most a second, is
 * left) or the run was cancelled. [any] */
static inline bool paddock_stop(const paddock_host *h)
{
    return h->stop(h);
}

/* An optional service by its id, "name/1"; NULL if this host has none. What it points to is
 * described where the id is. [any] */
static inline const void *paddock_extension(const paddock_host *h, const char *id)
{
    return h->extension(h, id);
}

/* The next 64 random bits of a sequence that `*state` determines. The same in every version of this
 * header: copy t->seed into a variable of your own. [any] */
static inline uint64_t paddock_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1), with 53 random bits. [any] */
static inline double paddock_uniform(uint64_t *state)
{
    return (double)(paddock_random(state) >> 11) * 0x1p-53;
}

/* ---- Reading values. All take NULL for "absent". [any] ---- */

/* PADDOCK_ABSENT ... */
static inline uint32_t paddock_type(const paddock_host *h, const paddock_value *v)
{
    return h->value_type(v);
}

/* Items of an array, members of an object, else 0. */
static inline size_t paddock_count(const paddock_host *h, const paddock_value *v)
{
    return h->value_count(v);
}

/* The member `key` of an object; NULL if it is not there or `v` is no object. */
static inline const paddock_value *paddock_get(const paddock_host *h, const paddock_value *v,
                                               const char *key)
{
    return h->value_get(v, key);
}

/* An item of an array, or the value of a member in the order given; NULL beyond the end. */
static inline const paddock_value *paddock_at(const paddock_host *h, const paddock_value *v,
                                              size_t index)
{
    return h->value_at(v, index);
}

/* The name of a member; NULL beyond the end. */
static inline const char *paddock_key(const paddock_host *h, const paddock_value *v, size_t index)
{
    return h->value_key(v, index);
}

/* A number or truth value as double; NAN if it is something else. */
static inline double paddock_as_number(const paddock_host *h, const paddock_value *v)
{
    return h->value_number(v);
}

/* An integer or truth value; a number is cut towards 0 and clamped; 0 if it is something else. */
static inline int64_t paddock_as_integer(const paddock_host *h, const paddock_value *v)
{
    return h->value_integer(v);
}

/* A text; NULL if it is something else. */
static inline const char *paddock_as_text(const paddock_host *h, const paddock_value *v)
{
    return h->value_text(v);
}

/* Any value as compact JSON text; valid until the same thread's next call. */
static inline const char *paddock_as_json(const paddock_host *h, const paddock_value *v)
{
    return h->value_json(h, v);
}

/* The same for a member: paddock_number(t->host, t->config, "limit_ms"). */
static inline double paddock_number(const paddock_host *h, const paddock_value *v, const char *key)
{
    return h->value_number(h->value_get(v, key));
}

static inline int64_t paddock_integer(const paddock_host *h, const paddock_value *v,
                                      const char *key)
{
    return h->value_integer(h->value_get(v, key));
}

static inline bool paddock_boolean(const paddock_host *h, const paddock_value *v, const char *key)
{
    return h->value_integer(h->value_get(v, key)) != 0;
}

static inline const char *paddock_text(const paddock_host *h, const paddock_value *v,
                                       const char *key)
{
    return h->value_text(h->value_get(v, key));
}

/* ---- Reading tensors. [any] ---- */

/* Element `index` (row-major) of any numeric tensor as double; NAN for BYTES and beyond the end. */
static inline double paddock_element(const paddock_host *h, const paddock_tensor *tensor,
                                     size_t index)
{
    return h->element(tensor, index);
}

/* An output by name; a NULL name is the first. NULL if there is none. */
static inline const paddock_tensor *paddock_output(const paddock_answer *a, const char *name)
{
    for (uint32_t i = 0; i < a->n_outputs; i++)
        if (!name || strcmp(a->outputs[i].name, name) == 0)
            return &a->outputs[i];
    return NULL;
}

/* A column of a dataset by name, the label's included; NULL if there is none. */
static inline const paddock_tensor *paddock_column(const paddock_dataset *d, const char *name)
{
    for (size_t i = 0; i < d->n_columns; i++)
        if (strcmp(d->columns[i].name, name) == 0)
            return &d->columns[i];
    return d->label && strcmp(d->label->name, name) == 0 ? d->label : NULL;
}

/* ---- For tests ---- */

/* Record whether something holds; the first of a name that does not hold decides. Word the text as
 * what was seen, whether it holds or not. Returns `ok`. At most 1,000 are kept in detail, but all
 * count. `name` is [a-z][a-z0-9_.]{0,62}. [any] */
PADDOCK_PRINTF(4, 5)
static inline bool paddock_check(paddock_test *t, bool ok, const char *name, const char *format,
                                 ...)
{
    va_list args;
    va_start(args, format);
    t->host->check(t, PADDOCK_FAIL, ok, name, format, args);
    va_end(args);
    return ok;
}

/* The same for what should be known but fails nobody. [any] */
PADDOCK_PRINTF(4, 5)
static inline bool paddock_warn(paddock_test *t, bool ok, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->host->check(t, PADDOCK_WARN, ok, name, format, args);
    va_end(args);
    return ok;
}

/* Keep a measurement. At most 1,000; a value that is not finite is a fault of the plugin. [any] */
static inline void paddock_measure(paddock_test *t, const paddock_measurement *m)
{
    t->host->measure(t, m);
}

/* Add a sample to a series of this name, at most 64 of them. The host keeps its quantile sketch,
 * exact to 0.55 % of the value whatever the number of samples. Negative values and NAN are refused.
 * Only for use within the run: what is to be kept is measured. [any] */
static inline void paddock_sample(paddock_test *t, const char *series, double value)
{
    t->host->sample(t, series, value);
}

/* A quantile of the series so far, q in 0..1; NAN while it is empty. [any] */
static inline double paddock_quantile(paddock_test *t, const char *series, double q)
{
    return t->host->quantile(t, series, q);
}

/* Count, mean, variance and extremes of the series so far; false (and NANs) while it is empty.
 * [any] */
static inline bool paddock_summarize(paddock_test *t, const char *series, paddock_summary *out)
{
    return t->host->summary(t, series, out);
}

/* Say that the test does not apply to this model, then return from run(). [any] */
PADDOCK_PRINTF(2, 3)
static inline void paddock_skip(paddock_test *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->host->skip_test(t, format, args);
    va_end(args);
}

/* Say that the test could not be carried out, which is no judgement of the model; then return.
 * [any] */
PADDOCK_PRINTF(2, 3)
static inline void paddock_error(paddock_test *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->host->error(t, format, args);
    va_end(args);
}

/* A dataset of the test case by name; a NULL name is the first. NULL if there is none. Valid for
 * the whole run. [any] */
static inline const paddock_dataset *paddock_data(paddock_test *t, const char *name)
{
    return t->host->dataset(t, name);
}

/* Rows first .. first + n - 1 as inputs for the model (n is cut at the end of the dataset). By the
 * model's metadata: a single input takes all columns in order, several take the columns of their
 * names; both are converted to the datatypes asked for. Without metadata: one FP32 input "input".
 * Returns the number of inputs, 0 if they cannot be made (paddock_model_message() says why). Valid
 * until the same thread's next call for this model. [any] */
static inline size_t paddock_rows(paddock_model *m, const paddock_dataset *d, size_t first,
                                  size_t n, const paddock_tensor **inputs)
{
    return m->host->rows(m, d, first, n, inputs);
}

/* Ask the model. Never NULL; valid until the same thread asks the same model again. [any] */
static inline const paddock_answer *paddock_ask(paddock_model *m, const paddock_request *rq)
{
    return m->host->infer(m, rq);
}

/* The short form: these inputs, all outputs, all the time that is left. [any] */
static inline const paddock_answer *paddock_infer(paddock_model *m, const paddock_tensor *inputs,
                                                  size_t n_inputs)
{
    paddock_request rq;
    memset(&rq, 0, sizeof rq);
    rq.inputs = inputs;
    rq.n_inputs = n_inputs;
    return m->host->infer(m, &rq);
}

/* Would it answer now? PADDOCK_OK, or why not. timeout_ms 0: all the time that is left. [any] */
static inline uint32_t paddock_ready(paddock_model *m, uint64_t timeout_ms)
{
    return m->host->ready(m, timeout_ms);
}

/* What the model says of itself; NULL on an error or if its runtime has no metadata. Asked once,
 * then kept: valid for the whole run. [any] */
static inline const paddock_metadata *paddock_metadata_of(paddock_model *m, uint64_t timeout_ms)
{
    return m->host->metadata(m, timeout_ms);
}

/* Why the same thread's last paddock_ready(), paddock_metadata_of(), paddock_rows() or
 * paddock_ask() for this model failed; "" if it did not. Valid until the next of them. [any] */
static inline const char *paddock_model_message(paddock_model *m)
{
    return m->host->model_message(m);
}

/* ---- For strategies ---- */

/* Within weigh(): a named part of the score of candidates[index], shown by `explain`; at most 16.
 * [main] */
static inline void paddock_part(paddock_strategy *s, size_t index, const char *name, double value)
{
    s->host->part(s, index, name, value);
}

/* Within save(): append bytes of the state, at most 1 MiB in all; false beyond. [main] */
static inline bool paddock_save(paddock_strategy *s, const void *data, size_t len)
{
    return s->host->save(s, data, len);
}

/* ---- For runtimes ---- */

/* Within infer(): a new output of the answer. Returns its elements, zeroed and aligned, to be
 * filled in before returning (of BYTES: only through paddock_set_bytes()). NULL after
 * paddock_fail() if the shape is impossible or too large (1 GiB in all). [any] */
static inline void *paddock_add_output(paddock_call *c, const char *name, uint32_t datatype,
                                       const int64_t *shape, uint32_t rank)
{
    return c->host->add_output(c, name, datatype, shape, rank);
}

/* Element `index` of a BYTES output; the bytes are copied. False beyond the end. [any] */
static inline bool paddock_set_bytes(paddock_call *c, void *output, size_t index, const char *data,
                                     size_t len)
{
    return c->host->set_bytes(c, output, index, data, len);
}

/* Say why the call fails; returns false, so that `return paddock_fail(...)` is one line. [any] */
PADDOCK_PRINTF(3, 4)
static inline bool paddock_fail(paddock_call *c, uint32_t error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->host->fail_call(c, error, format, args);
    va_end(args);
    return false;
}

/* ---- The one exported symbol ---- */

enum paddock_kind { PADDOCK_KIND_TEST = 1, PADDOCK_KIND_STRATEGY = 2, PADDOCK_KIND_RUNTIME = 3 };

typedef struct paddock_plugin {
    uint32_t abi_major, abi_minor; /* set by PADDOCK_PLUGIN */
    uint32_t kind;                 /* PADDOCK_KIND_* */
    uint32_t flags;                /* PADDOCK_ALONE | ... */
    const char *id;      /* [a-z][a-z0-9._-]{0,63}, unique in its kind: the type of a test case, the
                            strategy of a route, the runtime of a model. Without a dot: bundled with
                            Paddock; others use a domain of theirs, "org.example.max-latency" */
    const char *version; /* of the plugin, by semantic versioning: "1.0.0" */
    const char *summary; /* one line, 1..200 bytes */
    const paddock_field *config; /* NULL: it takes no configuration */
    const void *ops;             /* the table of its kind */
} paddock_plugin;

enum paddock_plugin_flag {
    PADDOCK_ALONE = 1u << 0,          /* a test that measures time: no other test runs beside it */
    PADDOCK_NEEDS_BASELINE = 1u << 1, /* a test that is skipped where there is no baseline */
    PADDOCK_NEEDS_DATASET = 1u << 2   /* a test case of this type without a dataset is refused */
};

extern PADDOCK_EXPORT const paddock_plugin paddock_plugin_entry;

/* All macros end without a semicolon. The fields of PADDOCK_PLUGIN are designated and in order:
 * PADDOCK_PLUGIN(.kind = PADDOCK_KIND_TEST, .flags = PADDOCK_ALONE, .id = ..., .ops = &OPS); */
#define PADDOCK_PLUGIN(...)                       \
    const paddock_plugin paddock_plugin_entry = { \
        .abi_major = PADDOCK_ABI_MAJOR, .abi_minor = PADDOCK_ABI_MINOR, __VA_ARGS__}

/* The short way for a test with the function run_. config_: its table of fields, or NULL. */
#define PADDOCK_TEST(id_, version_, summary_, config_, run_)                                  \
    static const paddock_test_ops paddock_ops_ = {.run = (run_)};                             \
    PADDOCK_PLUGIN(.kind = PADDOCK_KIND_TEST, .flags = 0, .id = (id_), .version = (version_), \
                   .summary = (summary_), .config = (config_), .ops = &paddock_ops_)

/* The short way for a strategy that keeps no state, with the function weigh_. */
#define PADDOCK_STRATEGY(id_, version_, summary_, config_, weigh_)                                \
    static const paddock_strategy_ops paddock_ops_ = {                                            \
        (weigh_), NULL, NULL, NULL, NULL, NULL, NULL};                                            \
    PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = (id_), .version = (version_), \
                   .summary = (summary_), .config = (config_), .ops = &paddock_ops_)

#ifdef __cplusplus
}
#endif

#endif
