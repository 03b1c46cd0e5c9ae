#include "base/clock.h"

#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void formats_as_libc_does(void **state)
{
    (void)state;
    /* Days from 1970 to 9999, at another time of day each. */
    int64_t at = 0;
    for (int64_t day = 0; day < 2932897; day += 1 + day % 13) {
        at = day * 86400000 + (day * 7919003) % 86400000;
        char ours[TIME_TEXT_SIZE], theirs[64];
        time_t seconds = at / 1000;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        snprintf(theirs, sizeof theirs, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(at % 1000));
        time_format(at, ours);
        if (strcmp(ours, theirs) != 0)
            fail_msg("%s is not %s", ours, theirs);
        int64_t back;
        assert_true(time_parse(ours, strlen(ours), &back));
        assert_int_equal(back, at);
    }
    assert_true(at > 253402000000000);
}

static void clamps_what_it_formats(void **state)
{
    (void)state;
    char text[TIME_TEXT_SIZE];
    time_format(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void parses_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T02:00:00.000Z", 1795399200000},
        {"2026-11-23t02:00:00z", 1795399200000},
        {"2026-11-23T02:00:00.1Z", 1795399200100},
        {"2026-11-23T02:00:00.123456789Z", 1795399200123},
        {"2026-11-23T04:30:00.5+02:30", 1795399200500},
        {"2026-11-22T21:00:00-05:00", 1795399200000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2017-01-01T00:59:60+01:00", 1483228800000},
        {"2016-12-31T22:59:60Z", -1},
        {"2023-02-29T00:00:00Z", -1},
        {"1900-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-04-31T00:00:00Z", -1},
        {"2026-11-23T24:00:00Z", -1},
        {"2026-11-23T02:60:00Z", -1},
        {"2026-11-23T02:00:61Z", -1},
        {"2026-11-23T02:00:00", -1},
        {"2026-11-23T02:00:00.Z", -1},
        {"2026-11-23T02:00:00.1234567890Z", -1},
        {"2026-11-23T02:00:00+24:00", -1},
        {"2026-11-23T02:00:00+0200", -1},
        {"2026-11-23T02:00:00Zx", -1},
        {"2026-11-23 02:00:00Z", -1},
        {" 2026-11-23T02:00:00Z", -1},
        {"+026-11-23T02:00:00Z", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"1970-01-01T00:00:00+00:01", -1},
        {"9999-12-31T23:59:59-00:01", -1},
        {"", -1},
        {"2026", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -7;
        bool ok = time_parse(rows[i].text, strlen(rows[i].text), &ms);
        if (ok != (rows[i].ms >= 0) || ms != (ok ? rows[i].ms : -7))
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)ms);
    }
    /* The length counts, not a NUL. */
    int64_t ms;
    assert_true(time_parse("2026-11-23T02:00:00Zjunk", 20, &ms));
    assert_false(time_parse("2026-11-23T02:00:00Z", 21, &ms));
}

static void parses_spans(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* 0: none */
    } rows[] = {
        {"90s", 90000},
        {"15m", 900000},
        {"1h", 3600000},
        {"7d", 604800000},
        {"0s", 0},
        {"-1s", 0},
        {"s", 0},
        {"", 0},
        {"1", 0},
        {"1.5h", 0},
        {"1hx", 0},
        {" 1h", 0},
        {"1w", 0},
        {"9223372036854775808s", 0},
        {"99999999999999999d", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = 0;
        bool ok = span_parse(rows[i].text, &ms);
        if (ok != (rows[i].ms > 0) || ms != rows[i].ms)
            fail_msg("%s: %d %lld", rows[i].text, ok, (long long)ms);
    }
}

static void clocks_tell_the_time(void **state)
{
    (void)state;
    int64_t a = clock_mono_ns(&CLOCK_SYSTEM), wall = clock_wall_ms(&CLOCK_SYSTEM);
    assert_true(clock_mono_ns(&CLOCK_SYSTEM) >= a);
    assert_true(llabs(wall - (int64_t)time(NULL) * 1000) < 5000);

    struct manual_clock m;
    manual_clock_init(&m, 1000);
    assert_int_equal(clock_wall_ms(&m.clock), 1000);
    assert_int_equal(clock_mono_ns(&m.clock), 0);
    m.wall_ms = 5;
    m.mono_ns = 6;
    assert_int_equal(clock_wall_ms(&m.clock), 5);
    assert_int_equal(clock_mono_ns(&m.clock), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_as_libc_does), cmocka_unit_test(clamps_what_it_formats),
        cmocka_unit_test(parses_rfc_3339),      cmocka_unit_test(parses_spans),
        cmocka_unit_test(clocks_tell_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
