#include "support/unit.h"

#include "registry/version.h"
#include "dice.h"

#include <stdio.h>
#include <string.h>

static int sign(int n)
{
    return n < 0 ? -1 : n > 0;
}

static void numbers_compare_as_numbers(void **state)
{
    static const char *const ascending[] = {"",
                                            "-1",
                                            "0",
                                            "1",
                                            "1-rc",
                                            "1.9",
                                            "1.9.1",
                                            "1.10",
                                            "1.a",
                                            "1a",
                                            "2",
                                            "9",
                                            "10",
                                            "99999999999999999999",
                                            "100000000000000000000",
                                            "a",
                                            "v1.9",
                                            "v1.10",
                                            "v10"};
    const int n = sizeof ascending / sizeof *ascending;
    (void)state;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            assert_int_equal(sign(version_compare(ascending[i], ascending[k])), sign(i - k));
    assert_int_equal(version_compare("1.01", "1.1"), 0);
    assert_int_equal(version_compare("00", "0"), 0);
}

/* The prefix never contradicts the comparison, and the comparison is an order. */
static void prefix_agrees(void **state)
{
    uint64_t r = 3;
    static const char letters[] = "0001129.a-\xc3";
    char v[200][14];
    (void)state;
    for (int i = 0; i < 200; i++) {
        size_t len = dice(&r, 13);
        for (size_t k = 0; k < len; k++)
            v[i][k] = letters[dice(&r, sizeof letters - 1)];
        v[i][len] = '\0';
    }
    for (int i = 0; i < 200; i++)
        for (int k = 0; k < 200; k++) {
            int order = sign(version_compare(v[i], v[k]));
            uint64_t a = version_prefix(v[i]), b = version_prefix(v[k]);
            assert_int_equal(order, -sign(version_compare(v[k], v[i])));
            if (a != b && order != (a < b ? -1 : 1))
                fail_msg("'%s' and '%s'", v[i], v[k]);
            for (int j = 0; j < 200; j += 17)
                if (order <= 0 && version_compare(v[k], v[j]) <= 0)
                    assert_true(version_compare(v[i], v[j]) <= 0);
        }
}

/* However long a number is, it stands to other characters as a digit does. */
static void long_numbers(void **state)
{
    static const char *const ascending[] = {
        "/", "7", "12345678", "123456789", "1234567890", "12345678901234567890", ";", "a"};
    (void)state;
    for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++) {
        assert_true(version_compare(ascending[i - 1], ascending[i]) < 0);
        assert_true(version_prefix(ascending[i - 1]) <= version_prefix(ascending[i]));
    }
}

static void whole_numbers(void **state)
{
    (void)state;
    assert_int_equal(version_number("0"), 0);
    assert_int_equal(version_number("17"), 17);
    assert_int_equal(version_number("007"), 7);
    assert_int_equal(version_number("999999999999999999"), 999999999999999999);
    assert_int_equal(version_number("1000000000000000000"), -1);
    assert_int_equal(version_number("1.0"), -1);
    assert_int_equal(version_number("-1"), -1);
    assert_int_equal(version_number(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_as_numbers),
        cmocka_unit_test(prefix_agrees),
        cmocka_unit_test(long_numbers),
        cmocka_unit_test(whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
