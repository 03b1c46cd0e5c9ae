#include "support/conformance.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

struct seen {
    char text[1024];
    size_t left; /* records until the reader has had enough; 0: never */
};

static bool write_down(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                       size_t len)
{
    struct seen *seen = ctx;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%s@%lld.%s=%.*s ", key, (long long)at,
             id, (int)len, (const char *)data);
    return seen->left == 0 || --seen->left > 0;
}

static void assert_read(struct fixture *f, struct series_read r, size_t stop_after,
                        const char *expected)
{
    struct seen seen = {"", stop_after};
    r.each = write_down;
    r.ctx = &seen;
    if (!wait_read(f->store, &r))
        fail_msg("cannot read: %s", r.err.detail);
    assert_string_equal(seen.text, expected);
}

static void append(struct fixture *f, const struct series_record *records, size_t n)
{
    struct series_append a = {.records = records, .n = n};
    if (!wait_append(f->store, &a))
        fail_msg("cannot append: %s", a.err.detail);
}

static const struct series_record RECORDS[] = {
    {"m/2/60", 30, "a", "x", 1},   {"m/1/60", 20, "b", "2", 1}, {"m/1/60", 10, "a", "1", 1},
    {"m/1/60", 20, "a", "3", 1},   {"m/10/60", 5, "a", "y", 1}, {"n", 1, "", "", 0},
    {"m/1/3600", -7, "a", "h", 1}, {"m", 1, "a", "z", 1},
};

static void records_are_read_by_key_prefix_time_and_order(void **state)
{
    struct fixture *f = *state;
    append(f, RECORDS, LEN(RECORDS));
    reopen(f);
    assert_read(f, (struct series_read){.key = "m/1/60"}, 0,
                "m/1/60@10.a=1 m/1/60@20.a=3 m/1/60@20.b=2 ");
    assert_read(f, (struct series_read){.key = "m/1/60", .newest_first = true}, 0,
                "m/1/60@20.b=2 m/1/60@20.a=3 m/1/60@10.a=1 ");
    assert_read(f, (struct series_read){.key = "m/1/60", .from = 11}, 0,
                "m/1/60@20.a=3 m/1/60@20.b=2 ");
    assert_read(f, (struct series_read){.key = "m/1/60", .to = 20}, 0, "m/1/60@10.a=1 ");
    assert_read(f, (struct series_read){.key = "m/1/60", .limit = 2}, 0,
                "m/1/60@10.a=1 m/1/60@20.a=3 ");
    assert_read(f, (struct series_read){.key = "m/1/60"}, 1, "m/1/60@10.a=1 ");
    assert_read(f, (struct series_read){.key = "m/1/*", .from = INT64_MIN}, 0,
                "m/1/3600@-7.a=h m/1/60@10.a=1 m/1/60@20.a=3 m/1/60@20.b=2 ");
    assert_read(f, (struct series_read){.key = "m/*", .from = 15, .newest_first = true}, 0,
                "m/2/60@30.a=x m/1/60@20.b=2 m/1/60@20.a=3 ");
    assert_read(f, (struct series_read){.key = "*", .from = 1, .to = 6}, 0,
                "m@1.a=z m/10/60@5.a=y n@1.= ");
    assert_read(f, (struct series_read){.key = "m/1/6"}, 0, "");
}

static void a_record_sent_again_is_written_once(void **state)
{
    struct fixture *f = *state;
    const struct series_record again[] = {
        {"k", 1, "a", "old", 3}, {"k", 1, "b", "other", 5}, {"k", 1, "a", "newer", 5}};
    append(f, again, 2);
    append(f, again, 3);
    assert_read(f, (struct series_read){.key = "k"}, 0, "k@1.a=newer k@1.b=other ");
}

static void data_may_be_any_bytes(void **state)
{
    struct fixture *f = *state;
    append(f, &(struct series_record){"k", 1, "a", "\0\xff\n", 3}, 1);
    struct seen seen = {"", 0};
    struct series_read r = {.key = "k", .each = write_down, .ctx = &seen};
    assert_true(wait_read(f->store, &r));
    assert_string_equal(seen.text, "k@1.a= ");
}

static void trims_delete_before_a_time_and_only_that(void **state)
{
    struct fixture *f = *state;
    append(f, RECORDS, LEN(RECORDS));
    const struct series_trim exact = {"m/1/60", 20};
    struct series_append a = {.trims = &exact, .n_trims = 1};
    assert_true(wait_append(f->store, &a));
    assert_read(f, (struct series_read){.key = "m/1/60"}, 0, "m/1/60@20.a=3 m/1/60@20.b=2 ");
    const struct series_trim prefix[] = {{"m/1*", 21}, {"n", INT64_MAX}};
    const struct series_record fresh = {"m/1/60", 40, "a", "4", 1};
    a = (struct series_append){.records = &fresh, .n = 1, .trims = prefix, .n_trims = 2};
    assert_true(wait_append(f->store, &a));
    reopen(f);
    assert_read(f, (struct series_read){.key = "*", .from = INT64_MIN}, 0,
                "m@1.a=z m/1/60@40.a=4 m/2/60@30.a=x ");
}

static void assert_mark(struct fixture *f, const char *name, bool found, int64_t value)
{
    int64_t is = -1;
    bool there;
    struct err e;
    assert_true(f->store->ops->mark(f->store, name, &is, &there, &e));
    assert_int_equal(there, found);
    if (found)
        assert_int_equal(is, value);
}

static void marks_come_with_their_records(void **state)
{
    struct fixture *f = *state;
    assert_mark(f, "rolled", false, 0);
    const struct series_mark marks[] = {{"rolled", 17}, {"other", -3}};
    struct series_append a = {.records = RECORDS, .n = 2, .marks = marks, .n_marks = 2};
    assert_true(wait_append(f->store, &a));
    assert_mark(f, "rolled", true, 17);
    const struct series_mark later = {"rolled", INT64_MAX};
    a = (struct series_append){.marks = &later, .n_marks = 1};
    assert_true(wait_append(f->store, &a));
    reopen(f);
    assert_mark(f, "rolled", true, INT64_MAX);
    assert_mark(f, "other", true, -3);
    assert_mark(f, "roll", false, 0);
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(records_are_read_by_key_prefix_time_and_order),
    CONFORM(a_record_sent_again_is_written_once),
    CONFORM(data_may_be_any_bytes),
    CONFORM(trims_delete_before_a_time_and_only_that),
    CONFORM(marks_come_with_their_records),
};
const struct part CONFORM_SERIES = {TESTS, LEN(TESTS)};
