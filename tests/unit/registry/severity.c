#include "registry/severity.h"

#include "support/unit.h"

static void names_and_values_agree(void **state)
{
    (void)state;
    enum severity s = SEVERITY_HIGH;
    for (int i = 0; i < SEVERITY_COUNT; i++) {
        assert_true(severity_parse(severity_name((enum severity)i), &s));
        assert_int_equal(s, i);
    }
    assert_null(SEVERITY_NAMES[SEVERITY_COUNT]);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    enum severity s = SEVERITY_LOW;
    assert_false(severity_parse("High", &s));
    assert_false(severity_parse("", &s));
    assert_false(severity_parse(NULL, &s));
    assert_int_equal(s, SEVERITY_LOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_agree),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
