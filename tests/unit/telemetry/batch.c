#include "telemetry/batch.h"

#include "support/unit.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "telemetry/payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1795399200000)

struct fixture {
    struct arena *arena;
    struct faults faults;
    struct batch *batch;
    struct batch_config config;
    unsigned resolved;
    struct err err;
    struct payload payload;
};

/* "m17" and its alias "n17" are 17. */
static uint64_t resolve(void *ctx, const char *id, size_t len)
{
    struct fixture *f = ctx;
    f->resolved++;
    return len > 1 && (id[0] == 'm' || id[0] == 'n') ? strtoull(id + 1, NULL, 10) : 0;
}

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.arena = arena_new(1 << 20);
    f.batch = batch_new();
    f.config = (struct batch_config){.format = BATCH_NDJSON,
                                     .uid = 5,
                                     .model_id = "nba:2.1.0",
                                     .resolve = resolve,
                                     .ctx = &f,
                                     .now_ms = NOW,
                                     .oldest_ms = NOW - 1000};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    batch_free(f->batch);
    arena_free(f->arena);
    return 0;
}

/* Feed a body in pieces of `piece` bytes. */
static bool scan_pieces(struct fixture *f, const char *body, size_t len, size_t piece)
{
    arena_reset(f->arena);
    faults_init(&f->faults, f->arena);
    batch_start(f->batch, &f->config, &f->faults);
    for (size_t at = 0; at < len; at += piece)
        if (!batch_feed(f->batch, body + at, len - at < piece ? len - at : piece))
            break;
    memset(&f->err, 0, sizeof f->err);
    if (!batch_end(f->batch, &f->err))
        return false;
    size_t n = batch_payload_len(f->batch);
    uint32_t checksum;
    const void *data = batch_payload(f->batch, &checksum);
    assert_true(payload_open(&f->payload, data, n, &f->err));
    assert_int_equal(checksum32(data, n), checksum);
    return true;
}

static bool scan(struct fixture *f, const char *body)
{
    return scan_pieces(f, body, strlen(body), strlen(body) + 1);
}

static void assert_fault(struct fixture *f, size_t i, const struct err_kind *kind,
                         const char *pointer, const char *detail)
{
    assert_true(i < f->faults.listed);
    assert_ptr_equal(f->faults.list[i].kind, kind);
    assert_string_equal(f->faults.list[i].pointer, pointer);
    assert_string_equal(f->faults.list[i].detail, detail);
}

static void test_lines(void **state)
{
    struct fixture *f = *state;
    static const char body[] = "{\"latency_ms\":1}\n"
                               "\n  \r\n"
                               "{\"latency_ms\":2,\"success\":false,\"error_type\":\"a\"}\r\n"
                               "{\"latency_ms\":3,\"scores\":{\"x\":7}}";
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        assert_true(scan_pieces(f, body, sizeof body - 1, piece));
        assert_int_equal(batch_accepted(f->batch), 3);
        assert_int_equal(f->payload.head.groups, 1);
        assert_int_equal(f->payload.groups[0].uid, 5);
        assert_true(f->payload.records[0].latency_ms == 1 && f->payload.records[2].latency_ms == 3);
        assert_int_equal(record_time(&f->payload.records[0]), NOW);
        assert_int_equal(f->payload.records[1].bits & RECORD_RARE_MASK, RECORD_FAILURE | 1);
        assert_int_equal(f->payload.scores[0].record, 2);
        size_t len;
        assert_memory_equal(payload_word(&f->payload, 0, &len), "a", 1);
        assert_memory_equal(payload_word(&f->payload, 1, &len), "x", 1);
    }
}

static void test_line_pointers(void **state)
{
    struct fixture *f = *state;
    assert_false(scan(
        f, "{\"latency_ms\":1}\n\n{\"latency_ms\":-3}\n{\"latency_ms\":1} 2\n{\"foo\":}\n[]\n"));
    assert_int_equal(f->faults.total, 5);
    assert_fault(f, 0, &ERR_INVALID, "/2/latency_ms",
                 "must be a number from 0 to 86400000, got -3");
    assert_fault(f, 1, &ERR_MALFORMED_JSON, "/3",
                 "something follows the record, at byte 17 of the line");
    assert_fault(f, 2, &ERR_UNKNOWN_FIELD, "/4/foo", "an inference record has no such field");
    assert_fault(f, 3, &ERR_MALFORMED_JSON, "/4", "a value is malformed, at byte 7 of the line");
    assert_fault(f, 4, &ERR_INVALID, "/5", "must be an object, got an array");
}

static void test_malformed_line(void **state)
{
    struct fixture *f = *state;
    assert_false(scan(f, "{\"latency_ms\":1}\n{\"latency_ms\":1,}"));
    assert_int_equal(f->faults.total, 1);
    assert_fault(f, 0, &ERR_MALFORMED_JSON, "/1", "a key is expected, at byte 16 of the line");
    assert_ptr_equal(f->err.kind, &ERR_MALFORMED_JSON);
}

static void test_json(void **state)
{
    struct fixture *f = *state;
    f->config.format = BATCH_JSON;
    assert_true(scan(f, " {\"latency_ms\":4} "));
    assert_int_equal(batch_accepted(f->batch), 1);
    assert_true(scan(f, "[{\"latency_ms\":4},\n{\"latency_ms\":5}]"));
    assert_int_equal(batch_accepted(f->batch), 2);
    assert_true(scan(f, "[]"));
    assert_int_equal(batch_accepted(f->batch), 0);
    assert_false(scan(f, "{\"latency_ms\":-1}"));
    assert_fault(f, 0, &ERR_INVALID, "/latency_ms", "must be a number from 0 to 86400000, got -1");
    assert_false(scan(f, "[{\"latency_ms\":4},{\"latency_ms\":\"x\"},7]"));
    assert_int_equal(f->faults.total, 2);
    assert_fault(f, 0, &ERR_INVALID, "/1/latency_ms",
                 "must be a number from 0 to 86400000, got a string");
    assert_fault(f, 1, &ERR_INVALID, "/2", "must be an object, got 7");
    assert_false(scan(f, "7"));
    assert_fault(f, 0, &ERR_INVALID, "", "must be an object or an array of objects");
    assert_ptr_equal(f->err.kind, &ERR_INVALID);
}

static void test_broken_json(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body, *pointer, *detail;
    } cases[] = {
        {"", "", "an object or an array is expected, at byte 0 of the body"},
        {"nonsense", "", "an object or an array is expected, at byte 0 of the body"},
        {"[", "/0", "a value is malformed, at byte 1 of the body"},
        {"[{\"latency_ms\":1}", "", "',' or ']' is expected, at byte 17 of the body"},
        {"[{\"latency_ms\":1},{\"latency_ms\":}]", "/1",
         "a value is malformed, at byte 32 of the body"},
        {"{\"latency_ms\":1}x", "", "something follows the value, at byte 16 of the body"},
        {"[{\"latency_ms\":1}] []", "", "something follows the value, at byte 19 of the body"},
    };
    f->config.format = BATCH_JSON;
    for (int skip = 0; skip < 2; skip++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            f->config.skip_invalid = skip;
            assert_false(scan(f, cases[i].body));
            assert_ptr_equal(f->err.kind, &ERR_MALFORMED_JSON);
            assert_fault(f, 0, &ERR_MALFORMED_JSON, cases[i].pointer, cases[i].detail);
        }
}

static void test_skip(void **state)
{
    struct fixture *f = *state;
    f->config.skip_invalid = true;
    assert_true(scan(
        f,
        "{\"latency_ms\":1}\n{\"latency_ms\":-1,\"scores\":{\"bad\":1}}\nx\n{\"latency_ms\":2}\n"));
    assert_int_equal(batch_accepted(f->batch), 2);
    assert_int_equal(batch_rejected(f->batch), 2);
    assert_int_equal(f->faults.total, 2);
    assert_int_equal(f->payload.head.scores, 0);
    assert_true(scan(f, "x\n"));
    assert_int_equal(batch_accepted(f->batch), 0);
}

static char *repeat(const char *line, size_t n, const char *first, const char *last)
{
    struct bytes b = BYTES_INIT(SIZE_MAX);
    bytes_text(&b, first);
    for (size_t i = 0; i < n; i++)
        bytes_text(&b, line);
    bytes_text(&b, last);
    return bytes_take(&b, NULL);
}

static void test_too_long(void **state)
{
    struct fixture *f = *state;
    char *body = repeat("{\"latency_ms\":1}\n", BATCH_LINES_MAX, "", "");
    assert_true(scan(f, body));
    assert_int_equal(batch_accepted(f->batch), BATCH_LINES_MAX);
    free(body);
    body = repeat("\n", BATCH_LINES_MAX, "", "{\"latency_ms\":1}");
    assert_false(scan(f, body));
    assert_ptr_equal(f->err.kind, &BATCH_TOO_LONG);
    free(body);
    f->config.format = BATCH_JSON;
    body = repeat("{\"latency_ms\":1},", BATCH_ITEMS_MAX - 1, "[", "{\"latency_ms\":1}]");
    assert_true(scan(f, body));
    assert_int_equal(batch_accepted(f->batch), BATCH_ITEMS_MAX);
    free(body);
    body = repeat("{\"latency_ms\":1},", BATCH_ITEMS_MAX, "[", "{\"latency_ms\":1}]");
    assert_false(scan(f, body));
    assert_ptr_equal(f->err.kind, &BATCH_TOO_LONG);
    free(body);
}

/* Hundreds of thousands of faults are counted, a hundred are listed. */
static void test_many_faults(void **state)
{
    struct fixture *f = *state;
    char *body = repeat("{\"latency_ms\":-1}\n", 5000, "", "");
    assert_false(scan(f, body));
    assert_int_equal(f->faults.total, 5000);
    assert_int_equal(f->faults.listed, FAULTS_LISTED);
    free(body);
}

static void test_model_of_path(void **state)
{
    struct fixture *f = *state;
    assert_true(scan(
        f, "{\"latency_ms\":1,\"model_id\":\"nba:2.1.0\"}\n{\"latency_ms\":1,\"model_id\":null}"));
    assert_false(scan(f, "{\"latency_ms\":1,\"model_id\":\"nba:2.1.1\"}"));
    assert_fault(f, 0, &ERR_INVALID, "/0/model_id",
                 "must be 'nba:2.1.0', the model of the path, or be left out");
}

static void test_named_models(void **state)
{
    struct fixture *f = *state;
    f->config.uid = 0;
    assert_true(scan(f, "{\"latency_ms\":1,\"model_id\":\"m2\"}\n"
                        "{\"latency_ms\":2,\"model_id\":\"m1\",\"scores\":{\"a\":2,\"b\":20}}\n"
                        "{\"latency_ms\":3,\"model_id\":\"n2\",\"scores\":{\"b\":3}}\n"
                        "{\"latency_ms\":4,\"model_id\":\"m3\"}\n"
                        "{\"latency_ms\":5,\"model_id\":\"m1\",\"scores\":{\"a\":5}}\n"
                        "{\"latency_ms\":6,\"model_id\":\"m2\"}\n"));
    assert_int_equal(f->resolved, 4);
    const struct payload *p = &f->payload;
    static const double order[] = {1, 3, 6, 2, 5, 4};
    assert_int_equal(p->head.groups, 3);
    assert_int_equal(p->groups[0].uid, 2);
    assert_int_equal(p->groups[0].records, 3);
    assert_int_equal(p->groups[1].uid, 1);
    assert_int_equal(p->groups[1].records, 2);
    assert_int_equal(p->groups[2].uid, 3);
    for (int i = 0; i < 6; i++)
        assert_true(p->records[i].latency_ms == order[i]);
    static const double values[] = {3, 2, 20, 5};
    static const uint32_t records[] = {1, 3, 3, 4}, names[] = {1, 0, 1, 0};
    assert_int_equal(p->head.scores, 4);
    for (int i = 0; i < 4; i++) {
        assert_true(p->scores[i].value == values[i]);
        assert_int_equal(p->scores[i].record, records[i]);
        assert_int_equal(p->scores[i].name, names[i]);
    }
}

static void test_unknown_models(void **state)
{
    struct fixture *f = *state;
    f->config.uid = 0;
    assert_false(scan(f, "{\"latency_ms\":1,\"model_id\":\"x\"}\n{\"latency_ms\":1}\n{\"latency_"
                         "ms\":1,\"model_id\":\"x\"}"));
    assert_int_equal(f->resolved, 1);
    assert_int_equal(f->faults.total, 3);
    assert_fault(f, 0, &ERR_INVALID, "/0/model_id", "no model with id 'x'");
    assert_fault(f, 1, &ERR_INVALID, "/1/model_id", "is required");
    /* A model that only refused records named has no group. */
    f->config.skip_invalid = true;
    assert_true(
        scan(f, "{\"latency_ms\":-1,\"model_id\":\"m1\"}\n{\"latency_ms\":1,\"model_id\":\"m2\"}"));
    assert_int_equal(f->payload.head.groups, 1);
    assert_int_equal(f->payload.groups[0].uid, 2);
}

/* Ten thousand models taking turns, and many error types. */
static void test_many_models(void **state)
{
    struct fixture *f = *state;
    struct bytes b = BYTES_INIT(SIZE_MAX);
    f->config.uid = 0;
    for (int i = 0; i < 20000; i++)
        bytes_printf(&b,
                     "{\"latency_ms\":%d,\"model_id\":\"m%d\",\"success\":false,\"error_type\":\"e%"
                     "d\",\"score\":%d}\n",
                     i, i % 10000 + 1, i % 3000, i);
    assert_true(scan(f, b.data));
    bytes_release(&b);
    const struct payload *p = &f->payload;
    assert_int_equal(p->head.groups, 10000);
    assert_int_equal(p->head.errors, 3000);
    for (uint32_t g = 0; g < 10000; g++) {
        assert_int_equal(p->groups[g].uid, g + 1);
        assert_true(p->records[2 * g].latency_ms == g &&
                    p->records[2 * g + 1].latency_ms == g + 10000);
        assert_true(p->scores[2 * g].value == g && p->scores[2 * g].record == 2 * g);
        char text[16];
        size_t len, want = (size_t)snprintf(text, sizeof text, "e%u", g % 3000);
        const char *word =
            payload_word(p, (uint32_t)(p->records[2 * g].bits & RECORD_ERROR_MASK) - 1, &len);
        assert_true(len == want && memcmp(word, text, len) == 0);
    }
}

/* A payload that was tampered with is refused, whatever its checksum says. */
static void test_payload_checks(void **state)
{
    struct fixture *f = *state;
    assert_true(scan(f, "{\"latency_ms\":1,\"success\":false,\"error_type\":\"abc\",\"score\":2}"));
    size_t len = batch_payload_len(f->batch);
    uint32_t checksum;
    const void *data = batch_payload(f->batch, &checksum);
    _Alignas(8) char copy[512];
    struct payload p;
    for (size_t i = 0; i <= len; i++) {
        memcpy(copy, data, len);
        if (i < len)
            assert_false(payload_open(&p, copy, i, &f->err));
    }
    for (size_t i = 0; i < sizeof(struct payload_head) - 8; i++) {
        memcpy(copy, data, len);
        copy[i] ^= 1;
        assert_false(payload_open(&p, copy, len, &f->err));
    }
    memcpy(copy, data, len);
    payload_view(&p, copy);
    ((struct payload_record *)(uintptr_t)p.records)->latency_ms = -1;
    assert_false(payload_open(&p, copy, len, &f->err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),          TEST(test_line_pointers),  TEST(test_malformed_line),
        TEST(test_json),           TEST(test_broken_json),    TEST(test_skip),
        TEST(test_too_long),       TEST(test_many_faults),    TEST(test_model_of_path),
        TEST(test_named_models),   TEST(test_unknown_models), TEST(test_many_models),
        TEST(test_payload_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
