/* The test type "unit": given inputs, expected outputs. Each case is one question with what its
 * answer must be, or with the kind of refusal that it must meet. */
#include "../shared/datatype.h"
#include "../shared/inputs.h"

#include <ctype.h>
#include <paddock/plugin.h>
#include <stdio.h>

static const char *const ERRORS[] = {"input", "not_found", "model", "any", NULL};

static const paddock_field EXPECTATION[] = {
    {"output", PADDOCK_FIELD_TEXT, 0, 1, 256, NULL, NULL, NULL,
     "The output's name; left out: the first."},
    {"datatype", PADDOCK_FIELD_TEXT, 0, 0, 0, NULL, DATATYPE_NAMES, NULL, "Its datatype."},
    {"shape", PADDOCK_FIELD_ARRAY, 0, 0, PADDOCK_MAX_RANK, NULL, NULL, EXTENT_FIELD,
     "Its shape; -1: any extent."},
    {"data", PADDOCK_FIELD_ARRAY, 0, 0, 0, NULL, NULL, NULL,
     "Its elements, nested or flat; texts and truth values must be equal, numbers within "
     "tolerance."},
    {"tolerance", PADDOCK_FIELD_NUMBER, 0, 0, 1e300, NULL, NULL, NULL,
     "Absolute, in the output's unit; left out: the test's."},
    {"relative", PADDOCK_FIELD_NUMBER, 0, 0, 1e300, NULL, NULL, NULL,
     "Relative to the expected value, added to `tolerance`; left out: the test's."},
    {"min", PADDOCK_FIELD_NUMBER, 0, 0, 0, NULL, NULL, NULL, "No element may be smaller."},
    {"max", PADDOCK_FIELD_NUMBER, 0, 0, 0, NULL, NULL, NULL, "No element may be larger."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field EXPECTATION_ROW[] = {
    {"expectation", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, EXPECTATION, "Of one output."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CASE[] = {
    {"name", PADDOCK_FIELD_TEXT, PADDOCK_REQUIRED, 1, 100, NULL, NULL, NULL, "What it shows."},
    {"inputs", PADDOCK_FIELD_ARRAY, PADDOCK_REQUIRED, 1, 64, NULL, NULL, TENSOR_FIELD,
     "The question."},
    {"expect", PADDOCK_FIELD_ARRAY, 0, 1, 64, NULL, NULL, EXPECTATION_ROW,
     "What the answer must be."},
    {"expect_error", PADDOCK_FIELD_TEXT, 0, 0, 0, NULL, ERRORS, NULL,
     "The question must be refused, with this kind of error."},
    {"timeout_ms", PADDOCK_FIELD_INTEGER, 0, 1, 3600000, NULL, NULL, NULL,
     "Longest wait for this answer, in milliseconds; left out: all the test's time."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CASE_ROW[] = {
    {"case", PADDOCK_FIELD_OBJECT, 0, 0, 0, NULL, NULL, CASE, "One question and its answer."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CONFIG[] = {
    {"cases", PADDOCK_FIELD_ARRAY, PADDOCK_REQUIRED, 1, 1000, NULL, NULL, CASE_ROW,
     "The questions, asked one after the other."},
    {"tolerance", PADDOCK_FIELD_NUMBER, 0, 0, 1e300, "1e-6", NULL, NULL,
     "Absolute, in the output's unit."},
    {"relative", PADDOCK_FIELD_NUMBER, 0, 0, 1e300, "1e-5", NULL, NULL,
     "Relative to the expected value, added to `tolerance`."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

/* One case under way. `name` is its check, `title` the author's words. */
struct unit {
    paddock_test *t;
    const paddock_value *spec;
    char name[63];
    const char *title;
    double worst; /* |seen - expected| of the case so far */
};

/* "case.an_empty_row" of "An empty row": what the name of a check may hold. */
static void name_case(struct unit *u)
{
    size_t n = (size_t)snprintf(u->name, sizeof u->name, "case.");
    for (const char *s = u->title; *s && n + 1 < sizeof u->name; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x80)
            u->name[n++] = (char)(isalnum(c) ? tolower(c) : '_');
    }
    u->name[n] = '\0';
}

#define FAIL(u, ...) (paddock_check((u)->t, false, (u)->name, __VA_ARGS__), false)

static double own_or(const struct unit *u, const paddock_value *e, const char *key)
{
    double own = paddock_number(u->t->host, e, key);
    return isnan(own) ? paddock_number(u->t->host, u->t->config, key) : own;
}

static bool check_form(struct unit *u, const paddock_value *e, const paddock_tensor *out)
{
    const paddock_host *h = u->t->host;
    const char *type = paddock_text(h, e, "datatype");
    const paddock_value *shape = paddock_get(h, e, "shape");
    char text[160];
    if (type && datatype_by_name(type) != out->datatype)
        return FAIL(u, "%s: '%s' is %s, not %s", u->title, out->name, datatype_name(out->datatype),
                    type);
    if (!shape)
        return true;
    bool fits = paddock_count(h, shape) == out->rank;
    for (uint32_t i = 0; fits && i < out->rank; i++) {
        int64_t extent = paddock_as_integer(h, paddock_at(h, shape, i));
        fits = extent < 0 || extent == out->shape[i];
    }
    return fits ||
           FAIL(u, "%s: '%s' has the shape %s, not %s", u->title, out->name,
                shape_text(out->shape, out->rank, text, sizeof text), paddock_as_json(h, shape));
}

/* Element `i` against what was written for it. */
static bool check_element(struct unit *u, const paddock_tensor *out, size_t i,
                          const paddock_value *want, const double bound[2])
{
    const paddock_host *h = u->t->host;
    if (out->datatype == PADDOCK_BYTES) {
        const paddock_bytes *b = (const paddock_bytes *)out->data + i;
        const char *text = paddock_as_text(h, want);
        bool same =
            text && strlen(text) == b->len && memcmp(text, b->data ? b->data : "", b->len) == 0;
        return same || FAIL(u, "%s: element %zu of '%s' is \"%.*s\", not %s", u->title, i,
                            out->name, (int)(b->len < 200 ? b->len : 200), b->data ? b->data : "",
                            paddock_as_json(h, want));
    }
    double seen = paddock_element(h, out, i), expected = paddock_as_number(h, want);
    double error = fabs(seen - expected), allowed = bound[0] + bound[1] * fabs(expected);
    if (error <= allowed) { /* false for NAN */
        u->worst = fmax(u->worst, error);
        return true;
    }
    return FAIL(u, "%s: element %zu of '%s' is %.9g, not %s (off by %.3g, allowed %.3g)", u->title,
                i, out->name, seen, paddock_as_json(h, want), error, allowed);
}

/* Go through nested arrays; `*i` counts the elements. */
static bool check_data(struct unit *u, const paddock_tensor *out, const paddock_value *want,
                       const double bound[2], size_t *i)
{
    const paddock_host *h = u->t->host;
    if (paddock_type(h, want) != PADDOCK_ARRAY)
        return check_element(u, out, (*i)++, want, bound);
    for (size_t k = 0; k < paddock_count(h, want); k++)
        if (!check_data(u, out, paddock_at(h, want, k), bound, i))
            return false;
    return true;
}

static bool check_bounds(struct unit *u, const paddock_value *e, const paddock_tensor *out)
{
    const paddock_host *h = u->t->host;
    double min = paddock_number(h, e, "min"), max = paddock_number(h, e, "max");
    if (isnan(min) && isnan(max))
        return true;
    min = isnan(min) ? -INFINITY : min;
    max = isnan(max) ? INFINITY : max;
    for (size_t i = 0; i < out->count; i++) {
        double x = paddock_element(h, out, i);
        if (!(x >= min && x <= max)) /* NAN, and that of texts, is outside of any bounds */
            return FAIL(u, "%s: element %zu of '%s' is %.9g, not in %g..%g", u->title, i, out->name,
                        x, min, max);
    }
    return true;
}

static bool check_output(struct unit *u, const paddock_value *e, const paddock_answer *a)
{
    const paddock_host *h = u->t->host;
    const char *name = paddock_text(h, e, "output");
    const paddock_tensor *out = paddock_output(a, name);
    if (!out)
        return FAIL(u, "%s: there is no output '%s'", u->title, name ? name : "");
    const paddock_value *data = paddock_get(h, e, "data");
    int64_t shape[PADDOCK_MAX_RANK];
    uint32_t rank;
    size_t wanted = data ? value_elements(h, data, shape, &rank) : out->count, i = 0;
    if (wanted != out->count)
        return FAIL(u, "%s: '%s' has %zu elements, not %zu", u->title, out->name, out->count,
                    wanted);
    double bound[2] = {own_or(u, e, "tolerance"), own_or(u, e, "relative")};
    return check_form(u, e, out) && (!data || check_data(u, out, data, bound, &i)) &&
           check_bounds(u, e, out);
}

/* The case says how it must be refused. */
static bool check_refusal(struct unit *u, const paddock_answer *a, const char *expected)
{
    const char *seen = error_name(a->error);
    bool any = strcmp(expected, "any") == 0 &&
               (a->error == PADDOCK_E_INPUT || a->error == PADDOCK_E_NOT_FOUND ||
                a->error == PADDOCK_E_MODEL);
    if (any || strcmp(expected, seen) == 0)
        return paddock_check(u->t, true, u->name, "%s: refused: %s", u->title, a->message);
    if (a->error == PADDOCK_OK)
        return FAIL(u, "%s: answered, but should be refused (%s)", u->title, expected);
    return answer_judged(u->t, a, u->name, u->title);
}

static bool run_case(struct unit *u)
{
    const paddock_host *h = u->t->host;
    const char *refusal = paddock_text(h, u->spec, "expect_error");
    const paddock_value *expect = paddock_get(h, u->spec, "expect");
    struct tensors in;
    struct why why;
    if (!tensors_read(&in, h, paddock_get(h, u->spec, "inputs"), &why)) {
        paddock_error(u->t, "case '%s': %s", u->title, why.text);
        return false;
    }
    int64_t timeout = paddock_integer(h, u->spec, "timeout_ms");
    paddock_request rq = {.inputs = in.items, .n_inputs = in.n, .timeout_ms = (uint64_t)timeout};
    const paddock_answer *a = paddock_ask(u->t->subject, &rq);
    bool good = refusal ? check_refusal(u, a, refusal) : answer_judged(u->t, a, u->name, u->title);
    for (size_t i = 0; good && !refusal && i < paddock_count(h, expect); i++)
        good = check_output(u, paddock_at(h, expect, i), a);
    if (good && !refusal)
        paddock_check(u->t, true, u->name, "%s: as expected, largest error %.3g", u->title,
                      u->worst);
    tensors_free(&in);
    return good;
}

static void run(paddock_test *t)
{
    const paddock_host *h = t->host;
    const paddock_value *cases = paddock_get(h, t->config, "cases");
    size_t n = paddock_count(h, cases), failed = 0, done = 0;
    double worst = 0;
    for (; done < n; done++) {
        if (paddock_stop(h)) {
            paddock_error(t, "the time is up after %zu of %zu cases", done, n);
            return;
        }
        struct unit u = {.t = t, .spec = paddock_at(h, cases, done)};
        u.title = paddock_text(h, u.spec, "name");
        if (!paddock_get(h, u.spec, "expect") == !paddock_get(h, u.spec, "expect_error")) {
            paddock_error(t, "case '%s' needs one of 'expect' and 'expect_error'", u.title);
            return;
        }
        name_case(&u);
        failed += !run_case(&u);
        worst = fmax(worst, u.worst);
    }
    paddock_measure(t, &(paddock_measurement){.name = "cases_failed",
                                              .value = (double)failed,
                                              .better = PADDOCK_LOWER,
                                              .samples = n});
    paddock_measure(t, &(paddock_measurement){
                           .name = "largest_error", .value = worst, .better = PADDOCK_NEITHER});
}

PADDOCK_TEST("unit", "1.0.0", "Given inputs, expected outputs within a tolerance", CONFIG, run);
