#include "telemetry/validated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct run_brief run(const char *run_id, const char *status, const char *severity)
{
    return (struct run_brief){.run_id = run_id, .status = status, .severity = severity};
}

static enum check_status say(struct validation_summary s, const char *part)
{
    struct health_validated v;
    health_validated(&s, &v);
    assert_non_null(strstr(v.detail, part));
    return v.status;
}

static void no_run_is_unknown(void **state)
{
    (void)state;
    struct health_validated v;
    health_validated(NULL, &v);
    assert_int_equal(v.status, CHECK_UNKNOWN);
    assert_string_equal(v.detail, "no validation run has judged this model");
    assert_int_equal(say((struct validation_summary){0}, "no validation run"), CHECK_UNKNOWN);
}

static void status_and_severity_decide(void **state)
{
    (void)state;
    static const struct {
        const char *status, *severity;
        enum check_status check;
    } cases[] = {
        {"passed", "none", CHECK_PASS},   {"passed", "low", CHECK_PASS},
        {"passed", "medium", CHECK_WARN}, {"passed", "high", CHECK_FAIL},
        {"failed", "none", CHECK_FAIL},   {"failed", "high", CHECK_FAIL},
        {"error", "none", CHECK_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct run_brief r = run("r1", cases[i].status, cases[i].severity);
        assert_int_equal(say((struct validation_summary){.last = r, .complete = r}, "'r1'"),
                         cases[i].check);
        assert_int_equal(say((struct validation_summary){.last = r}, "'r1'"), cases[i].check);
    }
}

/* A partial run says something only where it failed; then a complete one must come. */
static void which_run_counts(void **state)
{
    (void)state;
    struct validation_summary s = {.last = run("partial", "error", "none"),
                                   .complete = run("whole", "passed", "none")};
    assert_int_equal(say(s, "'whole' passed"), CHECK_PASS);
    s.blocking = run("worse", "failed", "none");
    assert_int_equal(say(s, "partial validation run 'worse' failed"), CHECK_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_run_is_unknown),
        cmocka_unit_test(status_and_severity_decide),
        cmocka_unit_test(which_run_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
