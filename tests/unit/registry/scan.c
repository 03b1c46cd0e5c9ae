#include "support/unit.h"

#include "base/json.h"
#include "registry/scan.h"
#include "dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct slice text(const char *t)
{
    return (struct slice){t, strlen(t)};
}

static bool is_object(const char *t)
{
    struct scan s = scan_open(text(t), '{');
    struct slice key, value;
    while (scan_member(&s, &key, &value))
        ;
    return scan_ended(&s);
}

static void damage_is_seen(void **state)
{
    static const char *const good[] = {
        "{}", "{\"a\":1}", "{\"a\":[],\"b\":{\"c\":[1,-2.5e+3,null]}}", "{\"\":\"\\u00e9\"}"};
    static const char *const bad[] = {
        "",
        "{",
        "}",
        "[]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1}x",
        "{\"a\":1 }",
        "{\"a\":tru}",
        "{\"a\":\"x}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{\"a\":{\"b\"}}",
        "{\"a\":-}",
        "{a:1}",
        "{\"a\":1\"b\":2}",
        "{\"a\":[1 2]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_object(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_object(bad[i]))
            fail_msg("%s", bad[i]);
}

static void deep_nesting_ends(void **state)
{
    enum { N = 200000 };
    char *deep = malloc(N + 8);
    (void)state;
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', N);
    deep[N + 5] = '\0';
    assert_false(is_object(deep));
    free(deep);
}

static void picks_members(void **state)
{
    static const char *const names[] = {"b", "c", "x"};
    struct slice out[3];
    (void)state;
    assert_true(scan_pick(text("{\"a\":1,\"b\":\"t\",\"bb\":0,\"c\":[1,2]}"), names, 3, out));
    assert_true(slice_is(out[0], "\"t\""));
    assert_true(slice_is(out[1], "[1,2]"));
    assert_null(out[2].at);
    assert_true(scan_pick(text("{\"x\":3,\"c\":2,\"b\":1}"), names, 3, out));
    assert_true(slice_is(out[0], "1") && slice_is(out[1], "2") && slice_is(out[2], "3"));
    assert_false(scan_pick(text("{\"b\":1,\"c\":"), names, 3, out));
    assert_false(slice_is(out[2], ""));
}

static void numbers(void **state)
{
    int64_t n;
    (void)state;
    assert_true(slice_int(text("-17"), &n) && n == -17);
    assert_false(slice_int(text("1.5"), &n));
    assert_false(slice_int(text(""), &n));
    assert_false(slice_int((struct slice){NULL, 0}, &n));
    assert_false(slice_int(text("123456789012345678901234567890"), &n));
}

/* What json.h writes, unescaping gives back; jansson reads the same. */
static void unescapes_what_we_write(void **state)
{
    uint64_t r = 11;
    static const char *const pieces[] = {"a",     "\"",   "\\",   "/",        "\n",
                                         "\t",    "\x01", "\x1f", "\xc3\xa9", "\xf0\x9f\x8f\x80",
                                         "u0041", "b",    " "};
    (void)state;
    for (int round = 0; round < 2000; round++) {
        char plain[200] = "", out[400];
        struct bytes b = BYTES_INIT(4096);
        size_t n = dice(&r, 20), len = 0;
        for (size_t i = 0; i < n; i++)
            len += (size_t)snprintf(plain + len, sizeof plain - len, "%s",
                                    pieces[dice(&r, sizeof pieces / sizeof *pieces)]);
        json_put_string(&b, plain);
        struct slice literal = scan_value(b.data, b.data + b.len);
        assert_int_equal(literal.len, b.len);
        assert_int_equal(slice_unescape(literal, out), len);
        assert_string_equal(out, plain);
        bytes_release(&b);
    }
    char out[40];
    slice_unescape(text("\"\\ud83c\\udfc0 \\u00e9 \\ud800 \\b\\f\\/\""), out);
    assert_string_equal(out, "\xf0\x9f\x8f\x80 \xc3\xa9 \xef\xbf\xbd \b\f/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_seen),          cmocka_unit_test(deep_nesting_ends),
        cmocka_unit_test(picks_members),           cmocka_unit_test(numbers),
        cmocka_unit_test(unescapes_what_we_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
