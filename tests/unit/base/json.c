#include "base/json.h"

#include "base/fault.h"

#include "support/unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *read_text(const char *text, struct err *e)
{
    return json_read(text, strlen(text), e);
}

static void refuses_what_is_not_strict(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{}x",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "NaN",
        "[Infinity]",
        "1e400",
        "[01]",
        "[1,]",
        "{'a':1}",
        "\"\xff\"",
        "\"\xc3\"",
        "\"a\\u0000b\"",
        "{\"a\\u0000\":1}",
        "\"\\ud800\"",
        "\"a\nb\"",
        "/* */ 1",
        "99999999999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct err e;
        if (read_text(texts[i], &e))
            fail_msg("%s is accepted", texts[i]);
        assert_ptr_equal(e.kind, &ERR_MALFORMED_JSON);
        assert_int_equal(strncmp(e.detail, "line ", 5), 0);
        assert_null(strstr(e.detail, "JSON_")); /* names of the library are nobody's business */
        for (const char *c = e.detail; *c; c++)
            assert_in_range(*c, 0x20, 0x7e);
    }
    assert_null(json_read("1\0", 2, NULL));
    assert_null(json_read(NULL, 0, NULL));
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char text[200];
    struct err e;
    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        json_t *value = json_read(text, 2 * (size_t)depth, &e);
        if (depth == 64)
            assert_non_null(value);
        else
            assert_null(value);
        json_decref(value);
    }
    assert_string_equal(e.detail, "nesting is deeper than 64 levels");
    json_t *flat = read_text("{\"a\":[{\"b\":[[1]]}]}", &e);
    assert_non_null(flat);
    json_decref(flat);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(1000);
    json_put_string(&b, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xf0\x9f\x98\x80");
    assert_string_equal(b.data, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9"
                                "\xf0\x9f\x98\x80\"");
    bytes_clear(&b);
    json_put_stringn(&b, "a\0\xff\xc3", 4);
    assert_string_equal(b.data, "\"a\\u0000\\ufffd\\ufffd\"");
    bytes_clear(&b);
    json_put_string(&b, "");
    assert_string_equal(b.data, "\"\"");
    bytes_release(&b);
}

/* A character that cannot stand as it is, wherever it stands in a text of any length. */
static void specials_are_found_anywhere(void **state)
{
    (void)state;
    static const struct {
        char c;
        const char *escape;
    } specials[] = {{'"', "\\\""},     {'\\', "\\\\"},      {'\x1f', "\\u001f"},
                    {'\0', "\\u0000"}, {'\x80', "\\ufffd"}, {'\xff', "\\ufffd"}};
    struct bytes b = BYTES_INIT(1000);
    for (size_t len = 1; len <= 20; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t k = 0; k < sizeof specials / sizeof *specials; k++) {
                char text[20], want[64];
                memset(text, at % 2 ? '!' : '\x7f', len); /* the neighbours of what is special */
                text[at] = specials[k].c;
                snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at, text, specials[k].escape,
                         (int)(len - at - 1), text + at + 1);
                bytes_clear(&b);
                json_put_stringn(&b, text, len);
                assert_string_equal(b.data, want);
            }
        }
    }
    bytes_release(&b);
    struct bytes small = BYTES_INIT(5); /* as a whole or not at all */
    json_put_string(&small, "abcd");
    assert_true(small.full && small.len == 0);
    bytes_clear(&small);
    json_put_string(&small, "abc");
    assert_true(!small.full && small.len == 5);
    bytes_release(&small);
}

static void put(struct bytes *b, double value)
{
    bytes_clear(b);
    json_put_number(b, value);
}

static void known_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0.0"},
        {1, "1"},
        {-17, "-17"},
        {0.1, "0.1"},
        {-0.93, "-0.93"},
        {23.417, "23.417"},
        {1e-5, "0.00001"},
        {1.5e-7, "1.5e-07"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {9007199254740991, "9007199254740991"},
        {9007199254740992, "9007199254740992"},
        {1e21, "1e+21"},
        {123456.789, "123456.789"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {5e-324, "4.94065645841247e-324"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    struct bytes b = BYTES_INIT(100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(&b, rows[i].value);
        assert_string_equal(b.data, rows[i].text);
    }
    bytes_release(&b);
}

/* Random doubles and random decimals read back as the same number. */
static void numbers_read_back(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(100);
    uint64_t x = 88172645463325252;
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double value;
        if (i % 2)
            value = (double)(int64_t)(x >> 30) / pow(10, (double)(x % 12));
        else
            memcpy(&value, &x, sizeof value);
        if (!isfinite(value))
            continue;
        put(&b, value);
        if (strtod(b.data, NULL) != value)
            fail_msg("%.17g becomes %s", value, b.data);
        if (i % 100 == 0) {
            json_t *read = read_text(b.data, NULL);
            assert_true(json_number_value(read) == value);
            json_decref(read);
        }
    }
    bytes_release(&b);
}

static void members_get_their_commas(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(1000);
    json_kv_string(&b, "s", "x{");
    json_kv_string(&b, "n", NULL);
    json_key(&b, "o");
    bytes_char(&b, '{');
    json_kv_int(&b, "i", -5);
    json_kv_number(&b, "d", 0.5);
    json_kv_bool(&b, "b", true);
    json_kv_time(&b, "t", 1795399200000);
    json_kv_time(&b, "z", 0);
    json_kv_raw(&b, "r", "[1]");
    json_kv_raw(&b, "q\"", NULL);
    bytes_char(&b, '}');
    assert_string_equal(b.data, "\"s\":\"x{\",\"n\":null,\"o\":{\"i\":-5,\"d\":0.5,\"b\":true,"
                                "\"t\":\"2026-11-23T02:00:00.000Z\",\"z\":null,\"r\":[1],"
                                "\"q\\\"\":null}");
    bytes_release(&b);
}

static void values_keep_their_order(void **state)
{
    (void)state;
    static const char text[] =
        "{\"z\":[1,-2.5,true,false,null,\"\\n\"],\"a\":{},\"m\":[],\"b\":{\"c\":1}}";
    struct bytes b = BYTES_INIT(1000);
    json_t *value = read_text(text, NULL);
    json_put_value(&b, value);
    assert_string_equal(b.data, text);
    json_decref(value);
    bytes_release(&b);
}

/* The examples of RFC 7396, appendix A. */
static void merges_as_rfc_7396(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    struct bytes b = BYTES_INIT(1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *target = read_text(rows[i][0], NULL), *patch = read_text(rows[i][1], NULL);
        json_t *result = json_merge(target, patch);
        bytes_clear(&b);
        json_put_value(&b, result);
        assert_string_equal(b.data, rows[i][2]);
        json_decref(result);
        /* The inputs are as they were. */
        for (int k = 0; k < 2; k++) {
            bytes_clear(&b);
            json_put_value(&b, k ? patch : target);
            assert_string_equal(b.data, rows[i][k]);
        }
        json_decref(target);
        json_decref(patch);
    }
    bytes_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_strict),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(specials_are_found_anywhere),
        cmocka_unit_test(known_numbers),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(members_get_their_commas),
        cmocka_unit_test(values_keep_their_order),
        cmocka_unit_test(merges_as_rfc_7396),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
