/* The two text formats of metrics, byte for byte. */
#include "support/unit.h"

#include "api/text_format.h"

#include <math.h>

static void fill(struct text_format *t)
{
    metric_counter(t, "a_b", "What it is.", 3);
    metric_gauge(t, "g", "Half.", 0.5);
    metric_family(t, "h_seconds", METRIC_HISTOGRAM, "Times.");
    sample_begin(t, "h_seconds", "_bucket");
    sample_label(t, "name", "a\"b\\c\nd");
    sample_le(t, 1);
    sample_uint(t, 1);
    sample_begin(t, "h_seconds", "_bucket");
    sample_label(t, "name", "");
    sample_le(t, INFINITY);
    sample_uint(t, 2);
    sample_begin(t, "h_seconds", "_sum");
    sample_number(t, NAN);
    metrics_end(t);
}

static void openmetrics(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(4096);
    fill(&(struct text_format){.out = &b, .openmetrics = true});
    assert_string_equal(b.data, "# HELP a_b What it is.\n# TYPE a_b counter\na_b_total 3\n"
                                "# HELP g Half.\n# TYPE g gauge\ng 0.5\n"
                                "# HELP h_seconds Times.\n# TYPE h_seconds histogram\n"
                                "h_seconds_bucket{name=\"a\\\"b\\\\c\\nd\",le=\"1.0\"} 1\n"
                                "h_seconds_bucket{name=\"\",le=\"+Inf\"} 2\n"
                                "h_seconds_sum NaN\n# EOF\n");
    bytes_release(&b);
}

static void plain(void **state)
{
    (void)state;
    struct bytes b = BYTES_INIT(4096);
    metric_counter(&(struct text_format){.out = &b}, "a_b", "What it is.", 3);
    metrics_end(&(struct text_format){.out = &b});
    assert_string_equal(b.data,
                        "# HELP a_b_total What it is.\n# TYPE a_b_total counter\na_b_total 3\n");
    bytes_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(openmetrics), cmocka_unit_test(plain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
