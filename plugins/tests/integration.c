/* The test type "integration": the whole way to the model and back. Is the runtime ready, does it
 * describe the model, do answers have the shapes and types described, is one row's answer the same
 * alone, again, in a batch and beside others, are bad questions refused, and does the model still
 * answer afterwards? */
#include "../shared/datatype.h"
#include "../shared/inputs.h"
#include "../shared/snapshot.h"

#include <paddock/plugin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const paddock_field DESCRIPTION[] = {
    {"name", PADDOCK_FIELD_TEXT, PADDOCK_REQUIRED, 1, 256, NULL, NULL, NULL, "Its name."},
    {"datatype", PADDOCK_FIELD_TEXT, 0, 0, 0, NULL, DATATYPE_NAMES, NULL, "Its datatype."},
    {"shape", PADDOCK_FIELD_ARRAY, 0, 0, PADDOCK_MAX_RANK, NULL, NULL, EXTENT_FIELD,
     "Its shape; -1: any extent."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field DESCRIPTION_ROW[] = {
    {"tensor", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, DESCRIPTION, "An input or output."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CONFIG[] = {
    INPUT_FIELDS,
    {"platform", PADDOCK_FIELD_TEXT, 0, 1, 256, NULL, NULL, NULL,
     "The platform that the model must say it runs on."},
    {"expect_inputs", PADDOCK_FIELD_ARRAY, 0, 1, 64, NULL, NULL, DESCRIPTION_ROW,
     "Inputs that its metadata must list."},
    {"expect_outputs", PADDOCK_FIELD_ARRAY, 0, 1, 64, NULL, NULL, DESCRIPTION_ROW,
     "Outputs that its metadata must list."},
    {"require_metadata", PADDOCK_FIELD_BOOLEAN, 0, 0, 0, "true", NULL, NULL,
     "A model without metadata fails."},
    {"repeatable", PADDOCK_FIELD_BOOLEAN, 0, 0, 0, "true", NULL, NULL,
     "The same question must get the same answer."},
    {"batch", PADDOCK_FIELD_INTEGER, 0, 0, 10000, "8", NULL, NULL,
     "Rows of the dataset to ask together and one by one; below 2: none."},
    {"tolerance", PADDOCK_FIELD_NUMBER, 0, 0, 1e300, "1e-5", NULL, NULL,
     "How far answers that should be the same may be apart, absolute and relative added."},
    {"bad_inputs", PADDOCK_FIELD_BOOLEAN, 0, 0, 0, "true", NULL, NULL,
     "Ask questions that must be refused."},
    {"concurrency", PADDOCK_FIELD_INTEGER, 0, 0, 64, "4", NULL, NULL,
     "Threads that ask at once; below 2: none."},
    {"requests", PADDOCK_FIELD_INTEGER, 0, 1, 100000, "40", NULL, NULL,
     "Questions that they ask in all."},
    {"timeout_ms", PADDOCK_FIELD_INTEGER, 0, 1, 3600000, "10000", NULL, NULL,
     "Longest wait for one answer, in milliseconds."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

struct path {
    paddock_test *t;
    struct inputs in;
    const paddock_metadata *md; /* NULL: none */
    uint64_t timeout_ms;
    double tolerance;
};

static const paddock_answer *ask(const struct path *p, const paddock_tensor *in, size_t n)
{
    paddock_request rq = {.inputs = in, .n_inputs = n, .timeout_ms = p->timeout_ms};
    return paddock_ask(p->t->subject, &rq);
}

/* ---- Readiness and metadata ---- */

static bool check_ready(struct path *p)
{
    uint32_t error = paddock_ready(p->t->subject, p->timeout_ms);
    const char *message = paddock_model_message(p->t->subject);
    if (error == PADDOCK_E_CONFIG) {
        paddock_error(p->t, "the model cannot be called: %s", message);
        return false;
    }
    return paddock_check(p->t, error == PADDOCK_OK, "ready", "%s",
                         error == PADDOCK_OK ? "the model is ready" : message);
}

/* Do two shapes go together, -1 being any extent in either? */
static bool shapes_agree(const int64_t *a, uint32_t rank_a, const int64_t *b, uint32_t rank_b)
{
    bool agree = rank_a == rank_b;
    for (uint32_t i = 0; agree && i < rank_a; i++)
        agree = a[i] < 0 || b[i] < 0 || a[i] == b[i];
    return agree;
}

static void check_described(const struct path *p, const char *key, const char *what,
                            const paddock_tensor *said, size_t n)
{
    const paddock_host *h = p->t->host;
    const paddock_value *list = paddock_get(h, p->t->config, key);
    for (size_t i = 0; i < paddock_count(h, list); i++) {
        const paddock_value *e = paddock_at(h, list, i), *shape = paddock_get(h, e, "shape");
        const char *name = paddock_text(h, e, "name"), *type = paddock_text(h, e, "datatype");
        int64_t extents[PADDOCK_MAX_RANK] = {0};
        uint32_t rank = (uint32_t)paddock_count(h, shape);
        for (uint32_t k = 0; k < rank && k < PADDOCK_MAX_RANK; k++)
            extents[k] = paddock_as_integer(h, paddock_at(h, shape, k));
        size_t at = 0;
        while (at < n && strcmp(said[at].name, name) != 0)
            at++;
        bool there = at < n;
        bool fits = there && (!type || datatype_by_name(type) == said[at].datatype) &&
                    (!shape || shapes_agree(extents, rank, said[at].shape, said[at].rank));
        char seen[160] = "";
        if (there)
            shape_text(said[at].shape, said[at].rank, seen, sizeof seen);
        paddock_check(p->t, fits, key, "the metadata lists %s %s '%s' %s %s", there ? "the" : "no",
                      what, name, there ? datatype_name(said[at].datatype) : "", seen);
    }
}

static void check_metadata(struct path *p)
{
    const paddock_host *h = p->t->host;
    p->md = paddock_metadata_of(p->t->subject, p->timeout_ms);
    const char *message = paddock_model_message(p->t->subject);
    if (!p->md) {
        if (paddock_boolean(h, p->t->config, "require_metadata"))
            paddock_check(p->t, false, "metadata", "no metadata: %s", message);
        else
            paddock_warn(p->t, false, "metadata", "no metadata: %s", message);
        return;
    }
    const char *platform = paddock_text(h, p->t->config, "platform");
    paddock_check(p->t, true, "metadata", "'%s' on '%s', %zu inputs, %zu outputs", p->md->name,
                  p->md->platform, p->md->n_inputs, p->md->n_outputs);
    if (platform)
        paddock_check(p->t, strcmp(platform, p->md->platform) == 0, "platform",
                      "the platform is '%s', expected '%s'", p->md->platform, platform);
    check_described(p, "expect_inputs", "input", p->md->inputs, p->md->n_inputs);
    check_described(p, "expect_outputs", "output", p->md->outputs, p->md->n_outputs);
}

/* ---- One answer ---- */

static const paddock_tensor *described(const paddock_metadata *md, const char *name)
{
    for (size_t i = 0; md && i < md->n_outputs; i++)
        if (strcmp(md->outputs[i].name, name) == 0)
            return &md->outputs[i];
    return NULL;
}

/* Every output as the metadata says, and every output it says. */
static void check_form(const struct path *p, const paddock_answer *a)
{
    char seen[160], said[160];
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const paddock_tensor *o = &a->outputs[i], *d = described(p->md, o->name);
        bool fits =
            d && d->datatype == o->datatype && shapes_agree(d->shape, d->rank, o->shape, o->rank);
        shape_text(o->shape, o->rank, seen, sizeof seen);
        if (d)
            paddock_check(p->t, fits, "form", "'%s' is %s %s, described as %s %s", o->name,
                          datatype_name(o->datatype), seen, datatype_name(d->datatype),
                          shape_text(d->shape, d->rank, said, sizeof said));
        else
            paddock_check(p->t, false, "form", "'%s' is not described", o->name);
    }
    for (size_t i = 0; i < p->md->n_outputs; i++)
        paddock_check(p->t, paddock_output(a, p->md->outputs[i].name) != NULL, "form",
                      "the output '%s', which is described, is %s", p->md->outputs[i].name,
                      paddock_output(a, p->md->outputs[i].name) ? "there" : "missing");
}

static bool check_answer(struct path *p, struct snapshot *first)
{
    const paddock_tensor *in;
    size_t n = inputs_get(&p->in, p->t->subject, 0, &in);
    if (n == 0) {
        paddock_error(p->t, "the dataset does not fit the model: %s",
                      paddock_model_message(p->t->subject));
        return false;
    }
    const paddock_answer *a = ask(p, in, n);
    if (!answer_judged(p->t, a, "answers", "a good question"))
        return false;
    paddock_check(p->t, true, "answers", "%u outputs in %.2f ms", a->n_outputs,
                  (double)a->duration_ns / 1e6);
    if (p->md && p->md->n_outputs)
        check_form(p, a);
    const char *output = "";
    int64_t at = answer_not_finite(p->t->host, a, &output);
    paddock_check(p->t, at < 0, "finite", "%s%s", at < 0 ? "all numbers are finite" : output,
                  at < 0 ? "" : " holds a number that is not finite");
    if (!snapshot_take(first, a)) {
        paddock_error(p->t, "out of memory");
        return false;
    }
    return true;
}

/* ---- The same question again ---- */

static bool ask_again(const struct path *p, const struct snapshot *first, const char *name)
{
    const paddock_tensor *in;
    struct why why = {"the same answer as at first"};
    size_t n = inputs_get(&p->in, p->t->subject, 0, &in);
    const paddock_answer *a = ask(p, in, n);
    bool repeatable = paddock_boolean(p->t->host, p->t->config, "repeatable");
    if (!repeatable)
        say_why(&why, "answered as before");
    bool same = a->error == PADDOCK_OK &&
                (!repeatable || snapshot_same(first, p->t->host, a, p->tolerance, &why));
    return paddock_check(p->t, same, name, "%s", a->error == PADDOCK_OK ? why.text : a->message);
}

/* Rows asked together must be answered as rows asked alone. */
static void check_batch(const struct path *p)
{
    size_t rows = (size_t)paddock_integer(p->t->host, p->t->config, "batch");
    const paddock_dataset *d = p->in.data;
    const paddock_tensor *in;
    struct snapshot all = {0};
    struct why why = {""};
    if (!d || rows < 2 || d->rows < 2)
        return;
    rows = rows < d->rows ? rows : d->rows;
    size_t n = paddock_rows(p->t->subject, d, 0, rows, &in);
    const paddock_answer *a = ask(p, in, n);
    if (!answer_judged(p->t, a, "batch", "a batch of rows") || !snapshot_take(&all, a))
        return;
    bool same = true;
    for (size_t i = 0; same && i < rows && !paddock_stop(p->t->host); i++) {
        n = paddock_rows(p->t->subject, d, i, 1, &in);
        a = ask(p, in, n);
        same = a->error == PADDOCK_OK
                   ? snapshot_same_row(&all, p->t->host, i, rows, a, p->tolerance, &why)
                   : say_why(&why, "%s", a->message);
    }
    paddock_check(p->t, same, "batch", "%zu rows together and alone%s%s", rows,
                  same ? " get the same answers" : ": ", why.text);
    snapshot_release(&all);
}

/* ---- Questions that must be refused ---- */

static bool refused(const paddock_answer *a)
{
    return a->error == PADDOCK_E_INPUT || a->error == PADDOCK_E_NOT_FOUND;
}

/* A model that takes nonsense fails; one that falls over it, but says so, is warned of. */
static void must_refuse(const struct path *p, const paddock_tensor *in, size_t n, const char *name,
                        const char *what)
{
    const paddock_answer *a = ask(p, in, n);
    paddock_check(p->t, a->error != PADDOCK_OK && a->error != PADDOCK_E_TIMEOUT, name,
                  "%s was %s%s%s", what, a->error == PADDOCK_OK ? "answered" : "not answered",
                  a->error == PADDOCK_OK ? "" : ": ", a->message);
    if (a->error != PADDOCK_OK && !refused(a))
        paddock_warn(p->t, false, name, "%s should be refused as such, but: %s (%s)", what,
                     a->message, error_name(a->error));
}

/* One more column than there is; nothing is read beyond the end. */
static void ask_wider(const struct path *p, const paddock_tensor *in, size_t n)
{
    paddock_tensor *bad = calloc(n, sizeof *bad);
    const paddock_tensor *t = &in[0];
    size_t size = datatype_size(t->datatype);
    if (bad && t->rank >= 1 && t->count > 0) {
        memcpy(bad, in, n * sizeof *bad);
        uint32_t last = t->rank - 1;
        size_t columns = (size_t)t->shape[last];
        bad[0].shape[last]++;
        bad[0].count = t->count / columns * (columns + 1);
        void *data = calloc(bad[0].count, size);
        bad[0].data = data;
        if (data && t->rank > 1)
            must_refuse(p, bad, n, "bad.shape", "an input with one column too many");
        free(data);
    }
    free(bad);
}

static void ask_otherwise(const struct path *p, const paddock_tensor *in, size_t n)
{
    paddock_tensor *bad = calloc(n, sizeof *bad);
    paddock_bytes *texts = calloc(in[0].count ? in[0].count : 1, sizeof *texts);
    if (bad && texts) {
        memcpy(bad, in, n * sizeof *bad);
        bad[0].name = "paddock_no_such_input";
        const paddock_answer *a = ask(p, bad, n);
        paddock_warn(p->t, refused(a), "bad.name", "an unknown input was %s: %s",
                     refused(a) ? "refused" : "not refused", a->message);
        bad[0].name = in[0].name;
        bad[0].data = texts;
        for (size_t i = 0; i < in[0].count; i++)
            texts[i] = (paddock_bytes){"not a number", 12};
        bad[0].datatype = PADDOCK_BYTES;
        if (in[0].datatype != PADDOCK_BYTES)
            must_refuse(p, bad, n, "bad.datatype", "an input of texts instead of numbers");
    }
    free(texts);
    free(bad);
}

static void check_bad(const struct path *p, const struct snapshot *first)
{
    const paddock_tensor *in;
    size_t n = inputs_get(&p->in, p->t->subject, 0, &in);
    if (n == 0)
        return;
    ask_wider(p, in, n);
    n = inputs_get(&p->in, p->t->subject, 0, &in); /* asking may have used its place */
    ask_otherwise(p, in, n);
    ask_again(p, first, "alive");
}

/* ---- Many at once ---- */

struct crowd {
    const struct path *p;
    const struct snapshot *answers; /* of the first `kinds` questions, asked alone */
    size_t kinds;
    uint64_t requests;
    _Atomic uint64_t next, wrong;
    pthread_mutex_t lock;
    struct why why; /* of the first that was wrong */
};

static void *ask_in_crowd(void *self)
{
    struct crowd *c = self;
    const paddock_host *h = c->p->t->host;
    for (uint64_t i; (i = atomic_fetch_add(&c->next, 1)) < c->requests && !paddock_stop(h);) {
        const paddock_tensor *in;
        struct why why = {""};
        size_t n = inputs_get(&c->p->in, c->p->t->subject, i % c->kinds, &in);
        const paddock_answer *a = ask(c->p, in, n);
        if (a->error == PADDOCK_OK &&
            snapshot_same(&c->answers[i % c->kinds], h, a, c->p->tolerance, &why))
            continue;
        atomic_fetch_add(&c->wrong, 1);
        pthread_mutex_lock(&c->lock);
        if (!*c->why.text)
            say_why(&c->why, "%s", a->error == PADDOCK_OK ? why.text : a->message);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

#define KINDS 8 /* different questions in the crowd */

static bool ask_alone(const struct path *p, struct snapshot *answers, size_t kinds)
{
    for (size_t i = 0; i < kinds; i++) {
        const paddock_tensor *in;
        size_t n = inputs_get(&p->in, p->t->subject, i, &in);
        const paddock_answer *a = ask(p, in, n);
        if (!answer_judged(p->t, a, "concurrent", "a question before the crowd") ||
            !snapshot_take(&answers[i], a))
            return false;
    }
    return true;
}

static void check_crowd(const struct path *p)
{
    size_t threads = (size_t)paddock_integer(p->t->host, p->t->config, "concurrency"), started = 0;
    struct snapshot answers[KINDS] = {{0}};
    struct crowd c = {.p = p,
                      .answers = answers,
                      .kinds = p->in.data ? KINDS : 1,
                      .requests = (uint64_t)paddock_integer(p->t->host, p->t->config, "requests")};
    pthread_t ids[64];
    if (threads < 2)
        return;
    pthread_mutex_init(&c.lock, NULL);
    if (ask_alone(p, answers, c.kinds)) {
        while (started < threads && pthread_create(&ids[started], NULL, ask_in_crowd, &c) == 0)
            started++;
        for (size_t i = 0; i < started; i++)
            pthread_join(ids[i], NULL);
        uint64_t asked = c.next < c.requests ? c.next : c.requests;
        paddock_check(p->t, c.wrong == 0, "concurrent",
                      "%llu questions by %zu threads, %llu answered otherwise than alone%s%s",
                      (unsigned long long)asked, started, (unsigned long long)c.wrong,
                      *c.why.text ? ": " : "", c.why.text);
    }
    for (size_t i = 0; i < KINDS; i++)
        snapshot_release(&answers[i]);
    pthread_mutex_destroy(&c.lock);
}

static void run(paddock_test *t)
{
    const paddock_host *h = t->host;
    struct path p = {.t = t,
                     .timeout_ms = (uint64_t)paddock_integer(h, t->config, "timeout_ms"),
                     .tolerance = paddock_number(h, t->config, "tolerance")};
    struct snapshot first = {0};
    if (!check_ready(&p))
        return;
    check_metadata(&p);
    if (!inputs_open(&p.in, t))
        return;
    if (check_answer(&p, &first)) {
        if (paddock_boolean(h, t->config, "repeatable"))
            ask_again(&p, &first, "repeatable");
        check_batch(&p);
        if (paddock_boolean(h, t->config, "bad_inputs"))
            check_bad(&p, &first);
        check_crowd(&p);
    }
    snapshot_release(&first);
    inputs_close(&p.in);
}

PADDOCK_TEST("integration", "1.0.0",
             "The whole way to the model: readiness, metadata, forms, refusals, many at once",
             CONFIG, run);
