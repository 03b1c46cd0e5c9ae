#include "base/utf8.h"

#include "support/unit.h"

#include <string.h>

/* The definition, for comparison: encode a code point. */
static size_t encode(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

static void every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char text[4];
        uint32_t code = 0;
        size_t n = encode(c, text), got = utf8_next(text, n, &code);
        bool is_one = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (got != (is_one ? n : 0) || (is_one && code != c))
            fail_msg("U+%04x: %zu", c, got);
        if (is_one && n > 1 && utf8_next(text, n - 1, &code) != 0)
            fail_msg("U+%04x cut off is accepted", c);
    }
}

static void malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3x",
        "\xe2\x82x",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xc3",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[64];
        assert_false(utf8_valid(texts[i], strlen(texts[i])));
        /* Behind some ASCII of any length, and before some. */
        for (size_t before = 0; before < 20; before++) {
            memset(text, 'a', sizeof text);
            memcpy(text + before, texts[i], strlen(texts[i]));
            assert_false(utf8_valid(text, 40));
        }
    }
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("plain ascii, longer than eight", 30));
    assert_true(utf8_valid("gr\xc3\xbc\xc3\x9f dich, \xe2\x82\xac, \xf0\x9f\x98\x80", 22));
}

static void counts_and_cuts(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    assert_int_equal(utf8_count(text, strlen(text)), 4);
    for (size_t max = 0; max < 12; max++)
        assert_int_equal(utf8_cut(text, strlen(text), max), expected[max]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(malformed),
        cmocka_unit_test(counts_and_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
