#include "support/unit.h"

#include "http/route.h"

#include <string.h>

static void decodes(const char *text, bool form, const char *want)
{
    char out[64];
    long n = percent_decode(text, strlen(text), form, out);
    if (!want) {
        assert_int_equal(n, -1);
        return;
    }
    assert_int_equal(n, strlen(want));
    assert_string_equal(out, want);
}

static void test_decode(void **state)
{
    (void)state;
    decodes("", false, "");
    decodes("plain", false, "plain");
    decodes("a%20b", false, "a b");
    decodes("%41%7a%2F%2f", false, "Az//");
    decodes("a+b", false, "a+b");
    decodes("a+b", true, "a b");
    decodes("a%2Bb", true, "a+b");
    decodes("%C3%A4", false, "\xc3\xa4");
    decodes("%2541", false, "%41"); /* once, not twice */
}

static void test_refuse(void **state)
{
    (void)state;
    decodes("%", false, NULL);
    decodes("%4", false, NULL);
    decodes("a%4", false, NULL);
    decodes("%4g", false, NULL);
    decodes("%g4", false, NULL);
    decodes("%%41", false, NULL);
    decodes("%00", false, NULL);
    decodes("%C3", false, NULL);       /* half a character */
    decodes("%C0%AF", false, NULL);    /* overlong '/' */
    decodes("%ED%A0%80", false, NULL); /* surrogate */
    decodes("\xff", false, NULL);
    char out[8];
    assert_int_equal(percent_decode("a\0b", 3, false, out), -1);
}

static void test_good(void **state)
{
    (void)state;
    assert_true(percent_good("", 0));
    assert_true(percent_good("/a%20b%FF", 9));
    assert_false(percent_good("/a%", 3));
    assert_false(percent_good("/a%2", 4));
    assert_false(percent_good("/%zz", 4));
    assert_false(percent_good("/%00", 4));
    assert_true(percent_good("/%2", 1)); /* only as far as told */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_good),
    };
    return cmocka_run_group_tests_name("percent", tests, NULL, NULL);
}
