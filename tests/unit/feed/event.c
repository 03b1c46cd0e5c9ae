#include "feed/event.h"

#include "support/unit.h"

#include "base/json.h"

#include <string.h>

static void signature(void **state)
{
    struct event_headers h;
    struct bytes body = BYTES_INIT(1000);
    (void)state;
    /* The example of the Standard Webhooks specification's reference libraries. */
    bytes_text(&body, "{\"test\": 2432232314}");
    assert_true(event_sign(&h, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                           "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330999, &body));
    assert_string_equal(h.lines[2], "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_string_equal(h.lines[3], "webhook-timestamp: 1614265330");
    assert_string_equal(h.lines[4],
                        "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_null(h.lines[5]);
    assert_false(event_sign(&h, "hunter2", "x", 0, &body));
    bytes_release(&body);
}

static void cloud_event(void **state)
{
    static const char TEXT[] = "{\"seq\":42}";
    const struct journal_entry entry = {.seq = 42,
                                        .at = 1000,
                                        .ns = "odds",
                                        .action = "model.promoted",
                                        .entity = "model",
                                        .entity_id = "nba \"x\":1",
                                        .name = "nba \"x\"",
                                        .text = TEXT,
                                        .text_len = sizeof TEXT - 1,
                                        .hash = "ab"};
    struct bytes out = BYTES_INIT(EVENT_MAX);
    char id[EVENT_ID_SIZE];
    (void)state;
    event_id(17, 42, id);
    assert_true(event_body(&entry, id, &out));
    json_t *event = json_read(out.data, out.len, NULL);
    assert_non_null(event);
    assert_string_equal(json_string_value(json_object_get(event, "specversion")), "1.0");
    assert_string_equal(json_string_value(json_object_get(event, "id")), "evt_17_42");
    assert_string_equal(json_string_value(json_object_get(event, "source")), "/paddock/odds");
    assert_string_equal(json_string_value(json_object_get(event, "type")), "model.promoted");
    assert_string_equal(json_string_value(json_object_get(event, "subject")), "nba \"x\"");
    assert_string_equal(json_string_value(json_object_get(event, "time")),
                        "1970-01-01T00:00:01.000Z");
    const json_t *data = json_object_get(event, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "seq")), 42);
    assert_string_equal(json_string_value(json_object_get(data, "hash")), "ab");
    json_decref(event);
    bytes_release(&out);
    struct bytes small = BYTES_INIT(64);
    assert_false(event_body(&entry, id, &small));
    bytes_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signature), cmocka_unit_test(cloud_event)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
