#include "feed/outbox.h"

#include "support/unit.h"

#include <string.h>

static const struct outbox_row ROW = {
    17, "odds", "pager", "nba *", {.seq = 42, .created_ms = 1000, .attempts = 3}};

static void keys(void **state)
{
    struct arena *a = arena_new(100000);
    (void)state;
    assert_string_equal(outbox_queue_key(a, 0, NULL), "webhook-queue/*");
    assert_string_equal(outbox_queue_key(a, 17, NULL), "webhook-queue/17/*");
    assert_string_equal(outbox_queue_key(a, 17, "nba *"), "webhook-queue/17/nba */");
    assert_string_equal(outbox_log_key(a, 17), "webhook-log/17");
    arena_free(a);
}

static void round_trip(void **state)
{
    struct arena *a = arena_new(100000);
    struct outbox_row row;
    uint64_t seq;
    (void)state;
    struct series_record r = outbox_queued(a, &ROW);
    assert_true(outbox_queued_read(a, r.key, r.at, r.data, r.len, &row));
    assert_int_equal(row.uid, 17);
    assert_string_equal(row.ns, "odds");
    assert_string_equal(row.id, "pager");
    assert_string_equal(row.subject, "nba *");
    assert_int_equal(row.delivery.seq, 42);
    assert_int_equal(row.delivery.created_ms, 1000);
    assert_int_equal(row.delivery.attempts, 3);
    assert_int_equal(row.delivery.late_ms, 0);
    struct outbox_row late = ROW;
    late.delivery.late_ms = 90000000;
    r = outbox_queued(a, &late);
    assert_true(outbox_queued_read(a, r.key, r.at, r.data, r.len, &row));
    assert_int_equal(row.delivery.created_ms, 1000);
    assert_int_equal(row.delivery.late_ms, 90000000);
    assert_int_equal(row.delivery.attempts, 3);
    r = outbox_cursor(a, 99);
    assert_true(outbox_cursor_read(r.data, r.len, &seq));
    assert_int_equal(seq, 99);
    arena_free(a);
}

static void damage(void **state)
{
    static const struct {
        const char *key, *data;
    } BAD[] = {
        {"webhook-queue/17/a/", ""},
        {"webhook-queue/17/a/", "1"},
        {"webhook-queue/17/a/", "1 2"},
        {"webhook-queue/17/a/", "1 2 x"},
        {"webhook-queue/17/a/", "x 2 odds pager"},
        {"webhook-queue/17/a/", "1+ 2 odds pager"},
        {"webhook-queue/a/", "1 2 odds pager"},
        {"webhook-queue/17/", "1 2 odds pager"},
        {"webhook-queue/17/a", "1 2 odds pager"},
        {"webhook-queue/0/a/", "1 2 odds pager"},
        {"webhook-queue/", "1 2 odds pager"},
    };
    struct arena *a = arena_new(100000);
    struct outbox_row row;
    uint64_t seq;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (outbox_queued_read(a, BAD[i].key, 1, BAD[i].data, strlen(BAD[i].data), &row))
            fail_msg("%s with '%s' is taken", BAD[i].key, BAD[i].data);
    assert_false(outbox_cursor_read("", 0, &seq));
    assert_false(outbox_cursor_read("12x", 3, &seq));
    arena_free(a);
}

static void told(void **state)
{
    struct arena *a = arena_new(100000);
    const struct journal_entry entry = {.action = "model.promoted"};
    const struct outbox_report report = {.status = DELIVERY_FAILED,
                                         .last_status = 500,
                                         .last_error = "the receiver answered 500",
                                         .last_attempt_ms = 2000,
                                         .finished_ms = 2000};
    (void)state;
    struct series_record r = outbox_logged(a, &ROW, &entry, &report);
    assert_string_equal(r.key, "webhook-log/17");
    assert_int_equal(r.at, 1000);
    assert_string_equal(r.id, "00000000000000000042");
    assert_string_equal(r.data,
                        "{\"namespace\":\"odds\","
                        "\"delivery_id\":\"evt_17_42\",\"status\":\"failed\",\"seq\":42,"
                        "\"type\":\"model.promoted\",\"subject\":\"nba *\",\"attempts\":3,"
                        "\"last_status\":500,\"last_error\":\"the receiver answered 500\","
                        "\"created_at\":\"1970-01-01T00:00:01.000Z\","
                        "\"last_attempt_at\":\"1970-01-01T00:00:02.000Z\",\"next_attempt_at\":null,"
                        "\"finished_at\":\"1970-01-01T00:00:02.000Z\"}");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damage),
        cmocka_unit_test(told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
