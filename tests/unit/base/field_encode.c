#include "base/field.h"

#include "support/unit.h"

#include "base/json.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

struct pair {
    int64_t a, b;
};

struct thing {
    const char *text, *labels, *tags, *any, *secret, *hidden;
    int64_t count, maybe, at;
    double number;
    bool on;
    struct pair pair;
};

static const struct field PAIR[] = {
    {.name = "a", .type = FIELD_INT, .offset = offsetof(struct pair, a)},
    {.name = "b", .type = FIELD_INT, .flags = FIELD_HIDDEN, .offset = offsetof(struct pair, b)},
    {.name = NULL},
};

#define AT(member) offsetof(struct thing, member)

static const struct field THING[] = {
    {.name = "text", .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = AT(text)},
    {.name = "labels", .type = FIELD_OBJECT, .offset = AT(labels)},
    {.name = "tags", .type = FIELD_STRINGS, .offset = AT(tags)},
    {.name = "any", .type = FIELD_ANY, .flags = FIELD_NULLABLE, .offset = AT(any)},
    {.name = "secret",
     .type = FIELD_STRING,
     .flags = FIELD_SECRET | FIELD_NULLABLE,
     .offset = AT(secret)},
    {.name = "hidden",
     .type = FIELD_STRING,
     .flags = FIELD_HIDDEN | FIELD_NULLABLE,
     .offset = AT(hidden)},
    {.name = "count", .type = FIELD_INT, .offset = AT(count)},
    {.name = "maybe", .type = FIELD_INT, .flags = FIELD_NULLABLE, .offset = AT(maybe)},
    {.name = "at", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .offset = AT(at)},
    {.name = "number", .type = FIELD_NUMBER, .flags = FIELD_NULLABLE, .offset = AT(number)},
    {.name = "on", .type = FIELD_BOOL, .offset = AT(on)},
    {.name = "pair", .type = FIELD_NESTED, .offset = AT(pair), .sub = PAIR},
    {.name = NULL},
};

static void encodes_values(void **state)
{
    (void)state;
    struct thing t = {"a\"b", "{\"x\":1}", "[\"t\"]",     "7", "s",  "h",
                      -1,     2,           1795399200000, 0.5, true, {3, 4}};
    struct bytes b = BYTES_INIT(1000);
    fields_encode(THING, &t, false, &b);
    assert_string_equal(b.data,
                        "\"text\":\"a\\\"b\",\"labels\":{\"x\":1},\"tags\":[\"t\"],\"any\":7,"
                        "\"count\":-1,\"maybe\":2,\"at\":\"2026-11-23T02:00:00.000Z\","
                        "\"number\":0.5,\"on\":true,\"pair\":{\"a\":3}");
    bytes_release(&b);
}

static void encodes_nulls(void **state)
{
    (void)state;
    struct thing t = {.maybe = INT64_MIN, .number = NAN};
    struct bytes b = BYTES_INIT(1000);
    fields_encode(THING, &t, true, &b);
    assert_string_equal(b.data,
                        "\"text\":null,\"labels\":{},\"tags\":[],\"any\":null,"
                        "\"secret\":null,\"hidden\":null,\"count\":0,\"maybe\":null,"
                        "\"at\":null,\"number\":null,\"on\":false,\"pair\":{\"a\":0,\"b\":0}");
    bytes_release(&b);
}

/* What is stored comes back the same. */
static void round_trip(void **state)
{
    (void)state;
    struct thing in = {"t", "{}", "[]", "[1]", "s", "h", 5, INT64_MIN, 0, NAN, true, {1, 2}};
    struct bytes first = BYTES_INIT(1000), second = BYTES_INIT(1000);
    bytes_char(&first, '{');
    fields_encode(THING, &in, true, &first);
    bytes_char(&first, '}');

    struct arena *a = arena_new(10000);
    struct faults faults;
    struct thing out = {0};
    json_t *object = json_read(first.data, first.len, NULL);
    faults_init(&faults, a);
    assert_true(fields_decode(THING, object, "", DECODE_STORED, &out, a, NULL, &faults));
    bytes_char(&second, '{');
    fields_encode(THING, &out, true, &second);
    bytes_char(&second, '}');
    assert_string_equal(first.data, second.data);
    json_decref(object);
    arena_free(a);
    bytes_release(&first);
    bytes_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_values),
        cmocka_unit_test(encodes_nulls),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
