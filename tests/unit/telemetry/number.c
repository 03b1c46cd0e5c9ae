#include "telemetry/number.h"

#include "support/random.h"
#include "support/unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole text is a number, and the same double that strtod makes of it. */
static void assert_reads(const char *text)
{
    double value = 0, right = strtod(text, NULL);
    const char *end = number_scan(text, &value);
    if (!end || *end || memcmp(&value, &right, sizeof value) != 0)
        fail_msg("'%s': %a instead of %a", text, value, right);
}

static void test_grammar(void **state)
{
    (void)state;
    static const char *const none[] = {"",   "-",   "+1", ".5", "01",  "-01", "1.",  "1.e5",
                                       "1e", "1e+", "a",  "00", "--1", "-a",  "1.-", "NaN"};
    static const char *const partly[] = {"1 ", "1,2", "0x10", "1_0", "12abc", "1.5.5", "1e5e5"};
    static const size_t read[] = {1, 1, 1, 1, 2, 3, 3};
    double value;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(number_scan(none[i], &value));
    for (size_t i = 0; i < sizeof partly / sizeof *partly; i++)
        assert_ptr_equal(number_scan(partly[i], &value), partly[i] + read[i]);
}

static void test_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "12.5",
        "-3",
        "86400000",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "9007199254740993",
        "9007199254740992.5",
        "0.1",
        "0.30000000000000004",
        "123456789012345678",
        "1234567890123456789",
        "12345678901234567890",
        "0.000000000000000000001",
        "1.7976931348623157e308",
        "4.9e-324",
        "2.5e-324",
        "1e-400",
        "5e-1000000000",
        "8.5",
        "0.1000000000000000055511151231257827021181583404541015625",
        "9.5367431640625e-07",
        "100000000000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reads(texts[i]);
    double value;
    assert_non_null(number_scan("1e400", &value));
    assert_true(isinf(value));
}

static void test_random(void **state)
{
    (void)state;
    uint64_t seed = 1;
    char text[64];
    for (int i = 0; i < 100000; i++) {
        double d = (double)random_u64(&seed) / (double)(UINT64_C(1) << random_u64(&seed) % 63);
        snprintf(text, sizeof text, "%.*g", (int)(random_u64(&seed) % 17) + 1, d);
        if (!strchr(text, '+')) /* 1e+20 is JSON too, but let the others have their share */
            assert_reads(text);
        snprintf(text, sizeof text, "%.17g", d);
        assert_reads(text);
        snprintf(text, sizeof text, "%" PRIu64 "e-%d", random_u64(&seed) >> random_u64(&seed) % 64,
                 (int)(random_u64(&seed) % 25));
        assert_reads(text);
    }
}

/* Exactly between two doubles: to the even one. */
static void test_halfway(void **state)
{
    (void)state;
    uint64_t seed = 2;
    char text[64];
    for (int i = 0; i < 100000; i++) {
        uint64_t odd =
            (random_u64(&seed) >> 10 | UINT64_C(1) << 53 | 1) & ((UINT64_C(1) << 54) - 1);
        int places = (int)(random_u64(&seed) % 3) + 1; /* odd * 2^-places has that many decimals */
        snprintf(text, sizeof text, "%.*Lf", places, (long double)odd / (1 << places));
        assert_reads(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_halfway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
