/* The model that `paddock plugin check` and `run` use where no other was given: a runtime like any
 * other, whose model answers the logistic function of each row's sum, or does what models should
 * not do. It is not among the plugins of a server. */
#include <paddock/plugin.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static const char *const BEHAVIOURS[] = {"good",  "fails",   "nan",   "infinite",
                                         "empty", "renamed", "short", NULL};

static const paddock_field CONFIG[] = {
    {.name = "behaviour",
     .type = PADDOCK_FIELD_TEXT,
     .preset = "\"good\"",
     .choices = BEHAVIOURS,
     .doc = "what it does when it is asked"},
    {.name = "delay_ms",
     .type = PADDOCK_FIELD_NUMBER,
     .max = 10000,
     .preset = "0",
     .doc = "how long it takes, in ms"},
    {.name = NULL},
};

struct practice {
    const char *behaviour;
    double delay_ms;
    atomic_flag asked;
};

static bool behaves(const struct practice *p, const char *how)
{
    return strcmp(p->behaviour, how) == 0;
}

static void *practice_open(paddock_call *c, const paddock_value *config)
{
    struct practice *p = calloc(1, sizeof *p);
    if (!p) {
        paddock_fail(c, PADDOCK_E_INTERNAL, "no memory");
        return NULL;
    }
    p->behaviour = paddock_text(c->host, config, "behaviour");
    p->delay_ms = paddock_number(c->host, config, "delay_ms");
    return p;
}

static bool practice_ready(void *self, paddock_call *c)
{
    return !behaves(self, "fails") || paddock_fail(c, PADDOCK_E_UNAVAILABLE, "it always fails");
}

static const paddock_metadata *practice_metadata(void *self, paddock_call *c)
{
    static const paddock_tensor INPUT = {
        .name = "input", .datatype = PADDOCK_FP64, .rank = 2, .shape = {-1, -1}};
    static const paddock_tensor OUTPUT = {
        .name = "probability", .datatype = PADDOCK_FP64, .rank = 1, .shape = {-1}};
    static const paddock_metadata METADATA = {.name = "practice",
                                              .version = "1",
                                              .platform = "paddock",
                                              .inputs = &INPUT,
                                              .outputs = &OUTPUT,
                                              .n_inputs = 1,
                                              .n_outputs = 1};
    if (behaves(self, "fails")) {
        paddock_fail(c, PADDOCK_E_UNAVAILABLE, "it always fails");
        return NULL;
    }
    return &METADATA;
}

static void wait_ms(double ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000)};
    pause.tv_nsec = (long)((ms - (double)pause.tv_sec * 1000) * 1e6);
    if (ms > 0)
        nanosleep(&pause, NULL);
}

static double answer_of(const struct practice *p, double sum)
{
    if (behaves(p, "nan"))
        return NAN;
    return behaves(p, "infinite") ? INFINITY : 1 / (1 + exp(-sum));
}

static bool practice_infer(void *self, paddock_call *c, const paddock_request *rq)
{
    struct practice *p = self;
    const paddock_tensor *in = rq->inputs;
    if (!atomic_flag_test_and_set(&p->asked))
        paddock_log(c->host, "practice: asked"); /* `paddock plugin check` looks for it */
    wait_ms(p->delay_ms);
    if (behaves(p, "fails"))
        return paddock_fail(c, PADDOCK_E_UNAVAILABLE, "it always fails");
    if (rq->n_inputs != 1 || in->rank == 0 || in->datatype == PADDOCK_BYTES)
        return paddock_fail(c, PADDOCK_E_INPUT, "one tensor of numbers is wanted");
    if (behaves(p, "empty"))
        return true;
    int64_t rows = in->shape[0], answers = behaves(p, "short") && rows > 0 ? rows - 1 : rows;
    size_t width = rows ? in->count / (size_t)rows : 0;
    double *out = paddock_add_output(c, behaves(p, "renamed") ? "?" : "probability", PADDOCK_FP64,
                                     &answers, 1);
    for (int64_t i = 0; out && i < answers; i++) {
        double sum = 0;
        for (size_t k = 0; k < width; k++)
            sum += paddock_element(c->host, in, (size_t)i * width + k);
        out[i] = answer_of(p, sum);
    }
    return out != NULL;
}

static const paddock_runtime_ops OPS = {
    .open = practice_open,
    .close = free,
    .ready = practice_ready,
    .metadata = practice_metadata,
    .infer = practice_infer,
    .parallel = 1,
};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "practice", .version = "1.0.0",
               .summary = "a model to practise with", .config = CONFIG, .ops = &OPS);
