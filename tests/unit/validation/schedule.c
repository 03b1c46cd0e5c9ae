#include "validation/schedule.h"

#include "registry/registered_model.h"
#include "support/unit.h"

#include <string.h>

#define MIDNIGHT INT64_C(1764201600000) /* 2025-11-27T00:00:00Z */

static void due_is_the_newest_such_hour(void **state)
{
    (void)state;
    assert_int_equal(MIDNIGHT % DAY_MS, 0);
    for (int64_t hour = 0; hour < 24; hour++) {
        const int64_t at = MIDNIGHT + hour * HOUR_MS;
        assert_int_equal(night_due(at, hour), at);
        assert_int_equal(night_due(at - 1, hour), at - DAY_MS);
        assert_int_equal(night_due(at + 1, hour), at);
        assert_int_equal(night_due(at + DAY_MS - 1, hour), at);
        assert_int_equal(night_next(at, hour), at + DAY_MS);
        assert_int_equal(night_next(at - 1, hour), at);
        assert_int_equal(night_next(at + DAY_MS - 1, hour), at + DAY_MS);
    }
}

static void a_night_ends_at_its_hour_or_never(void **state)
{
    (void)state;
    const int64_t two = MIDNIGHT + 2 * HOUR_MS;
    assert_int_equal(night_until(two, -1), 0);
    assert_int_equal(night_until(two, 6), MIDNIGHT + 6 * HOUR_MS);
    assert_int_equal(night_until(two + 17, 6), MIDNIGHT + 6 * HOUR_MS);
    assert_int_equal(night_until(two, 1), MIDNIGHT + DAY_MS + HOUR_MS); /* over midnight */
    assert_int_equal(night_until(two, 2), two + DAY_MS);                /* a whole day */
    assert_int_equal(night_until(MIDNIGHT + 23 * HOUR_MS, 0), MIDNIGHT + DAY_MS);
}

static struct nightly_hours hours_of(const char *json)
{
    const struct registered_model r = {.entity = {.json = json, .json_len = strlen(json)}};
    return nightly_hours_of(&r);
}

static void hours_are_what_the_name_says(void **state)
{
    (void)state;
    struct nightly_hours h =
        hours_of("{\"name\":\"a\",\"nightly\":{\"enabled\":true,\"hour_utc\":23,"
                 "\"end_hour_utc\":5},\"x\":1}");
    assert_true(h.enabled);
    assert_int_equal(h.hour_utc, 23);
    assert_int_equal(h.end_hour_utc, 5);
    h = hours_of("{\"nightly\":{\"enabled\":false,\"hour_utc\":0,\"end_hour_utc\":null}}");
    assert_false(h.enabled);
    assert_int_equal(h.hour_utc, 0);
    assert_int_equal(h.end_hour_utc, -1);
    h = hours_of("{\"nightly\":{\"end_hour_utc\":0}}");
    assert_true(h.enabled);
    assert_int_equal(h.hour_utc, 2);
    assert_int_equal(h.end_hour_utc, 0);
    h = hours_of("{\"name\":\"a\"}");
    assert_true(h.enabled);
    assert_int_equal(h.hour_utc, 2);
    assert_int_equal(h.end_hour_utc, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_is_the_newest_such_hour),
        cmocka_unit_test(a_night_ends_at_its_hour_or_never),
        cmocka_unit_test(hours_are_what_the_name_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
