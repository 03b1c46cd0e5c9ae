#include "base/bytes.h"

#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void appends_and_terminates(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(1000);
    assert_null(b.data);
    assert_true(bytes_text(&b, "ab"));
    assert_true(bytes_char(&b, 'c'));
    assert_true(bytes_add(&b, "\0d", 2));
    assert_true(bytes_add(&b, NULL, 0));
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.data, "abc\0d", 6);
    bytes_clear(&b);
    assert_string_equal(b.data, "");
    assert_true(bytes_printf(&b, "%s-%d", "x", 7));
    assert_string_equal(b.data, "x-7");
    bytes_release(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 1000);
}

static void the_maximum_refuses_whole_appends(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(10);
    assert_true(bytes_text(&b, "0123456789"));
    assert_false(b.full);
    assert_false(bytes_char(&b, 'x'));
    assert_true(b.full);
    assert_string_equal(b.data, "0123456789");
    bytes_clear(&b);
    assert_false(b.full);
    assert_false(bytes_printf(&b, "%s", "01234567890"));
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
    assert_true(bytes_printf(&b, "%s", "0123456789"));
    assert_string_equal(b.data, "0123456789");
    assert_null(bytes_room(&b, SIZE_MAX));
    bytes_release(&b);

    struct bytes none = BYTES_INIT(0);
    assert_true(bytes_add(&none, "", 0));
    assert_false(bytes_char(&none, 'x'));
    bytes_release(&none);

    struct bytes boundless = BYTES_INIT(SIZE_MAX);
    assert_true(bytes_text(&boundless, "x"));
    assert_null(bytes_room(&boundless, SIZE_MAX - 1));
    assert_string_equal(boundless.data, "x");
    bytes_release(&boundless);
}

static void prints_what_needs_growth(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(100000);
    size_t expected = 0;
    for (int width = 1; width < 300; width++) {
        assert_true(bytes_printf(&b, "%*d", width, 5));
        expected += (size_t)width;
        assert_int_equal(b.len, expected);
        assert_int_equal(b.data[b.len], 0);
        assert_int_equal(b.data[b.len - 1], '5');
    }
    bytes_release(&b);
}

static void writes_decimals(void **state)
{
    (void)state;
    const int64_t numbers[] = {0, 7, -1, 10, 99, 100, -12345, INT64_MAX, INT64_MIN};
    struct bytes b = BYTES_INIT(100);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char expected[32];
        bytes_clear(&b);
        snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        assert_true(bytes_int(&b, numbers[i]));
        assert_string_equal(b.data, expected);
    }
    bytes_clear(&b);
    bytes_uint(&b, UINT64_MAX);
    assert_string_equal(b.data, "18446744073709551615");
    bytes_release(&b);
}

static void room_and_take(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(100);
    char *to = bytes_room(&b, 3);
    memcpy(to, "abc", 4);
    b.len += 3;
    size_t len;
    char *text = bytes_take(&b, &len);
    assert_string_equal(text, "abc");
    assert_int_equal(len, 3);
    assert_int_equal(b.len, 0);
    free(text);
    text = bytes_take(&b, NULL);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_terminates),
        cmocka_unit_test(the_maximum_refuses_whole_appends),
        cmocka_unit_test(prints_what_needs_growth),
        cmocka_unit_test(writes_decimals),
        cmocka_unit_test(room_and_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
