/* The scanner of inference records against jansson: the same bodies are accepted, with the same
 * values.
 *
 * Input: a byte of options, a byte with the size of the pieces, the body. */
#include "base/clock.h"
#include "base/utf8.h"
#include "telemetry/batch.h"
#include "telemetry/payload.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    INT64_C(1795399200000)
#define OLDEST (NOW - 90 * INT64_C(86400000))
#define UID    7

enum { OPTION_NDJSON = 1, OPTION_NAMED = 2, OPTION_SKIP = 4 };

#define CHECK(ok)                                                    \
    do {                                                             \
        if (!(ok)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok); \
            abort();                                                 \
        }                                                            \
    } while (0)

/* --- the oracle --- */

/* What the batch is expected to hold: counted in order, or per model when grouped. */
struct expected {
    bool good;   /* every record keeps the rules */
    bool broken; /* a plain body that is no JSON */
    bool too_long;
    size_t n;       /* good records */
    double latency; /* sums over them, which do not depend on the grouping */
    double time, scores;
    size_t failures, skewed, named_errors, n_scores;
    double last_latency; /* of the only record, if n is 1 */
};

static bool absent(const json_t *v)
{
    return !v || json_is_null(v);
}

static bool short_string(const json_t *v, size_t most)
{
    return absent(v) ||
           (json_is_string(v) && utf8_count(json_string_value(v), json_string_length(v)) <= most);
}

static bool known_fields(const json_t *record)
{
    static const char *const names[] = {"latency_ms", "success", "error_type",  "timestamp",
                                        "scores",     "score",   "decision_id", "model_id"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)record, key, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            known |= strcmp(key, names[i]) == 0;
        if (!known)
            return false;
    }
    return true;
}

static bool good_scores(const json_t *record, double *sum, size_t *n)
{
    const json_t *scores = json_object_get(record, "scores"),
                 *one = json_object_get(record, "score");
    const char *key;
    json_t *value;
    *sum = 0;
    *n = 0;
    if (!absent(scores) && !absent(one))
        return false;
    if (!absent(one)) {
        *sum = json_number_value(one);
        *n = 1;
        return json_is_number(one);
    }
    if (absent(scores))
        return true;
    if (!json_is_object(scores) || json_object_size(scores) > 16)
        return false;
    json_object_foreach((json_t *)(uintptr_t)scores, key, value) {
        size_t characters = utf8_count(key, strlen(key));
        if (!json_is_number(value) || characters < 1 || characters > 128)
            return false;
        *sum += json_number_value(value);
        ++*n;
    }
    return true;
}

static bool good_time(const json_t *v, int64_t *ms, bool *skewed)
{
    *ms = NOW;
    *skewed = false;
    if (absent(v))
        return true;
    int64_t t;
    if (json_is_number(v)) {
        double number = json_number_value(v);
        if (!(number >= 0 && number < 253402300800000.0))
            return false;
        t = (int64_t)number;
    } else if (!json_is_string(v) || !time_parse(json_string_value(v), json_string_length(v), &t)) {
        return false;
    }
    if (t > NOW + 300000)
        *skewed = true;
    else
        *ms = t;
    return t >= OLDEST;
}

static bool good_model(const json_t *v, bool named)
{
    if (absent(v))
        return !named;
    if (!json_is_string(v))
        return false;
    const char *id = json_string_value(v);
    size_t len = json_string_length(v);
    return named ? len > 0 && id[0] == 'm' : len == 2 && memcmp(id, "m1", 2) == 0;
}

static void expect_record(struct expected *x, const json_t *r, bool named)
{
    const json_t *latency = json_object_get(r, "latency_ms"),
                 *success = json_object_get(r, "success");
    const json_t *error = json_object_get(r, "error_type");
    double scores;
    size_t n_scores;
    int64_t ms;
    bool skewed;
    bool good = json_is_object(r) && known_fields(r) && json_is_number(latency) &&
                json_number_value(latency) >= 0 && json_number_value(latency) <= 86400000 &&
                (absent(success) || json_is_boolean(success)) && short_string(error, 64) &&
                (absent(error) || json_is_false(success)) &&
                short_string(json_object_get(r, "decision_id"), 512) &&
                good_time(json_object_get(r, "timestamp"), &ms, &skewed) &&
                good_scores(r, &scores, &n_scores) &&
                good_model(json_object_get(r, "model_id"), named);
    if (!good) {
        x->good = false;
        return;
    }
    x->n++;
    x->latency += x->last_latency = json_number_value(latency);
    x->time += (double)ms;
    x->scores += scores;
    x->n_scores += n_scores;
    x->failures += json_is_false(success);
    x->skewed += skewed;
    x->named_errors += !absent(error);
}

/* A NUL byte is no JSON anywhere; jansson overlooks one behind a number. */
static json_t *parse(const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return NULL;
    return json_loadb(len ? text : "", len,
                      JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

static void expect_body(struct expected *x, const char *body, size_t len, bool named)
{
    json_t *value = parse(body, len);
    x->broken = !value;
    if (json_is_array(value)) {
        size_t i;
        json_t *item;
        x->too_long = json_array_size(value) > BATCH_ITEMS_MAX;
        json_array_foreach(value, i, item)
            expect_record(x, item, named);
    } else if (value) {
        expect_record(x, value, named);
    }
    json_decref(value);
}

static void expect_lines(struct expected *x, const char *body, size_t len, bool named)
{
    for (size_t at = 0, lines = 0; at < len; lines++) {
        const char *eol = memchr(body + at, '\n', len - at);
        size_t end = eol ? (size_t)(eol - body) : len;
        bool blank = true;
        for (size_t i = at; i < end; i++)
            blank &= body[i] == ' ' || body[i] == '\t' || body[i] == '\r';
        if (!blank) {
            json_t *value = parse(body + at, end - at);
            x->good &= value != NULL;
            if (value)
                expect_record(x, value, named);
            json_decref(value);
        }
        x->too_long |= lines + 1 > BATCH_LINES_MAX;
        at = end + 1;
    }
}

/* --- the scanner --- */

static uint64_t resolve(void *ctx, const char *id, size_t len)
{
    (void)ctx;
    return len && id[0] == 'm' ? len : 0;
}

static void compare(struct batch *b, const struct expected *x)
{
    struct payload p;
    struct err e;
    size_t len = batch_payload_len(b), failures = 0, skewed = 0, errors = 0;
    uint32_t checksum;
    double latency = 0, time = 0, scores = 0;
    const void *data = batch_payload(b, &checksum);
    CHECK(payload_open(&p, data, len, &e));
    CHECK(p.head.records == x->n && p.head.scores == x->n_scores);
    for (uint32_t i = 0; i < p.head.records; i++) {
        const struct payload_record *r = &p.records[i];
        latency += r->latency_ms;
        time += (double)record_time(r);
        failures += (r->bits & RECORD_FAILURE) != 0;
        skewed += (r->bits & RECORD_SKEWED) != 0;
        errors += (r->bits & RECORD_ERROR_MASK) != 0;
    }
    for (uint32_t i = 0; i < p.head.scores; i++)
        scores += p.scores[i].value;
    CHECK(failures == x->failures && skewed == x->skewed && errors == x->named_errors);
    /* Sums of a few doubles in another order. */
    CHECK(fabs(latency - x->latency) <= 1e-9 * x->latency);
    CHECK(fabs(time - x->time) <= 1e-9 * x->time);
    CHECK(x->n != 1 || p.records[0].latency_ms == x->last_latency);
    CHECK(x->n_scores > 1 || scores == x->scores);
}

static bool scan(struct batch *b, const struct batch_config *config, struct faults *f,
                 const char *body, size_t len, size_t piece)
{
    struct err e = {0};
    batch_start(b, config, f);
    for (size_t at = 0; at < len; at += piece) {
        /* Each piece in memory of its own size, so that reading past it is noticed. */
        size_t n = len - at < piece ? len - at : piece;
        char *copy = malloc(n);
        memcpy(copy, body + at, n);
        bool go_on = batch_feed(b, copy, n);
        free(copy);
        if (!go_on)
            break;
    }
    bool ok = batch_end(b, &e);
    CHECK(ok || e.kind);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct batch *b; /* recycled, as in the server */
    static struct arena *a;
    static struct faults f;
    if (size < 2)
        return 0;
    if (!b) {
        b = batch_new();
        a = arena_new(16 << 20);
    }
    unsigned options = data[0];
    const char *body = (const char *)data + 2;
    size_t len = size - 2, piece = data[1] ? data[1] : len + 1;
    bool named = options & OPTION_NAMED, lines = options & OPTION_NDJSON;
    struct batch_config config = {.format = lines ? BATCH_NDJSON : BATCH_JSON,
                                  .uid = named ? 0 : UID,
                                  .model_id = "m1",
                                  .resolve = resolve,
                                  .now_ms = NOW,
                                  .oldest_ms = OLDEST,
                                  .skip_invalid = options & OPTION_SKIP};
    struct expected x = {.good = true};
    if (lines)
        expect_lines(&x, body, len, named);
    else
        expect_body(&x, body, len, named);
    faults_init(&f, a);
    bool ok = scan(b, &config, &f, body, len, piece);
    /* A key given twice inside an array makes jansson refuse the body; we refuse that record. And a
     * body that is an array of anything is scanned to its end, one that is neither array nor object
     * is not. */
    bool strict = !(options & OPTION_SKIP);
    if (strict || lines) {
        bool good = x.good || (lines && !strict);
        CHECK(ok == (good && !x.broken && !x.too_long));
        if (ok)
            compare(b, &x);
    } else if (ok && !x.broken) {
        CHECK(batch_accepted(b) == x.n || x.too_long);
    }
    CHECK(ok || strict || f.total > 0 || x.too_long);
    arena_reset(a);
    return 0;
}
