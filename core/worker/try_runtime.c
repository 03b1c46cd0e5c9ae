/* What a runtime must stand. */
#include "base/mem.h"
#include "worker/host_parts.h"
#include "worker/holdings.h"
#include "worker/model.h"
#include "worker/run.h"
#include "worker/try.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define LEAK_WARM  20
#define LEAK_TIMES 100
#define THREADS    8
#define CALLS      20
#define INPUTS     8
#define CALL_MS    2000

/* Inputs as the model's metadata ask for them: two rows of zeros. */
struct question {
    paddock_tensor inputs[INPUTS];
    size_t n;
};

static bool open_model(struct trial *t, struct model *m, struct err *e)
{
    struct model_source source = {.given = true,
                                  .model_id = "model:1",
                                  .name = "model",
                                  .version = "1",
                                  .status = "canary",
                                  .runtime_file = t->file,
                                  .runtime = t->given,
                                  .fd = load_open(t->file, e)};
    bool good = source.fd >= 0 && model_open(&source, ".", m, e);
    if (source.fd >= 0)
        close(source.fd);
    return good;
}

static bool without_reason(const char *message)
{
    return strstr(message, "without a reason") != NULL;
}

/* open() either opens, or says why not. */
static bool opens(struct trial *t, struct err *e)
{
    struct model m;
    if (open_model(t, &m, e)) {
        model_close(&m);
        return true;
    }
    if (without_reason(e->detail))
        return fail(e, &ERR_INVALID, "open() fails and does not say why by paddock_fail()");
    char why[sizeof e->detail];
    snprintf(why, sizeof why, "%.400s", e->detail);
    return trial_skip(t, e, why);
}

static bool open_or_skip(struct trial *t, struct model *m, struct err *e)
{
    if (open_model(t, m, e))
        return true;
    t->skipped = true;
    return false;
}

/* Every failure has a reason, whatever was asked. */
static bool reasoned(struct model *m, const char *what, struct err *e)
{
    const char *message = host_model_message(&m->pub);
    return !without_reason(message) ||
           fail(e, &ERR_INVALID, "%s fails and does not say why by paddock_fail()", what);
}

static bool describes(struct trial *t, struct err *e)
{
    struct model m;
    if (!open_or_skip(t, &m, e))
        return false;
    bool good = (host_ready(&m.pub, CALL_MS) == PADDOCK_OK || reasoned(&m, "ready()", e)) &&
                (host_metadata(&m.pub, CALL_MS) || reasoned(&m, "metadata()", e));
    if (good && strstr(host_model_message(&m.pub), "impossible tensors"))
        good = fail(e, &ERR_INVALID, "%s", host_model_message(&m.pub));
    model_close(&m);
    return good;
}

/* Questions that no model has an answer to: none, and ones of a strange form. */
static bool refuses(struct trial *t, struct err *e)
{
    static const int64_t EMPTY = 0;
    static const paddock_bytes TEXT = {"text", 4};
    const paddock_tensor strange[] = {
        {.name = "no such input", .datatype = PADDOCK_BYTES, .rank = 0, .data = &TEXT, .count = 1},
        {.name = "input", .datatype = PADDOCK_INT64, .rank = 1, .shape = {EMPTY}, .count = 0},
    };
    const paddock_request questions[] = {
        {.inputs = NULL, .n_inputs = 0, .timeout_ms = CALL_MS},
        {.inputs = &strange[0], .n_inputs = 1, .timeout_ms = CALL_MS},
        {.inputs = &strange[1], .n_inputs = 1, .timeout_ms = CALL_MS},
        {.inputs = strange, .n_inputs = 2, .timeout_ms = CALL_MS},
    };
    struct model m;
    bool good = open_or_skip(t, &m, e);
    for (size_t i = 0; good && i < sizeof questions / sizeof *questions; i++)
        if (host_infer(&m.pub, &questions[i])->error != PADDOCK_OK)
            good = reasoned(&m, "infer()", e);
    if (!t->skipped)
        model_close(&m);
    return good;
}

static bool make_question(struct model *m, struct question *q)
{
    const paddock_metadata *d = host_metadata(&m->pub, CALL_MS);
    static uint64_t zeros[4096];
    q->n = 0;
    if (!d || d->n_inputs == 0 || d->n_inputs > INPUTS)
        return false;
    for (; q->n < d->n_inputs; q->n++) {
        paddock_tensor *in = &q->inputs[q->n];
        *in = d->inputs[q->n];
        in->count = 1;
        for (uint32_t i = 0; i < in->rank; i++) {
            in->shape[i] = in->shape[i] < 0 ? 2 : in->shape[i];
            if (__builtin_mul_overflow(in->count, (size_t)in->shape[i], &in->count))
                return false;
        }
        if (in->count > 2048)
            return false;
        in->data = zeros; /* a zeroed paddock_bytes is an empty text */
    }
    return true;
}

static bool ask(struct model *m, const struct question *q, struct err *e)
{
    const paddock_request rq = {.inputs = q->inputs, .n_inputs = q->n, .timeout_ms = CALL_MS};
    return host_infer(&m->pub, &rq)->error == PADDOCK_OK || reasoned(m, "infer()", e);
}

static bool answers(struct trial *t, struct err *e)
{
    struct model m;
    struct question q;
    if (!open_or_skip(t, &m, e))
        return false;
    bool good =
        make_question(&m, &q) || trial_skip(t, e, "its metadata name no inputs to ask with");
    for (int i = 0; good && i < CALLS; i++)
        good = ask(&m, &q, e);
    model_close(&m);
    return good;
}

/* ---- several threads ---- */

struct asker {
    pthread_t thread;
    struct model *model;
    const struct question *question;
    bool good;
    struct err e;
};

static void *ask_often(void *arg)
{
    struct asker *a = arg;
    a->good = true;
    for (int i = 0; a->good && i < CALLS; i++)
        a->good = ask(a->model, a->question, &a->e);
    return NULL;
}

static bool ask_side_by_side(struct model *m, const struct question *q, struct err *e)
{
    static struct asker askers[THREADS];
    size_t n = 0;
    bool good = true;
    for (; n < THREADS; n++) {
        askers[n] = (struct asker){.model = m, .question = q};
        if (pthread_create(&askers[n].thread, NULL, ask_often, &askers[n]) != 0)
            break;
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(askers[i].thread, NULL);
        if (!askers[i].good && good)
            good = fail(e, &ERR_INVALID, "%s", askers[i].e.detail);
    }
    return good;
}

static bool parallel(struct trial *t, struct err *e)
{
    struct model m;
    struct question q;
    const paddock_runtime_ops *ops = t->plugin->ops;
    if (!ops->parallel)
        return trial_skip(t, e, "it answers one call at a time");
    if (!open_or_skip(t, &m, e))
        return false;
    bool good =
        (make_question(&m, &q) || trial_skip(t, e, "its metadata name no inputs to ask with")) &&
        ask_side_by_side(&m, &q, e);
    model_close(&m);
    return good;
}

/* ---- again and again ---- */

/* The plugin's own open and close, so that nothing of ours is counted. */
static bool live(struct trial *t, struct model *m, unsigned times, struct err *e)
{
    const paddock_runtime_ops *ops = t->plugin->ops;
    struct question q;
    for (unsigned i = 0; i < times; i++) {
        struct call call;
        model_call_start(&call, model_slot(m), CALL_MS);
        m->self = ops->open(&call.pub, (const paddock_value *)m->config);
        if (!m->self)
            return fail(e, &ERR_INVALID, "open() fails when it is called again: %s",
                        host_model_message(&m->pub));
        if (make_question(m, &q) && !ask(m, &q, e))
            return false;
        model_close(m);
    }
    return true;
}

static bool leak(struct trial *t, struct err *e)
{
    struct holdings before, after;
    struct model m;
    if (!open_or_skip(t, &m, e))
        return false;
    model_close(&m);
    bool good = live(t, &m, LEAK_WARM, e);
    holdings_take(&before);
    good = good && live(t, &m, LEAK_TIMES, e);
    holdings_take(&after);
    return good && !holdings_grew(&before, &after, LEAK_TIMES, e);
}

const struct scenario RUNTIME_SCENARIOS[] = {
    {"opens", opens},       {"describes", describes}, {"refuses", refuses}, {"answers", answers},
    {"parallel", parallel}, {"leak", leak},           {.name = NULL},
};
