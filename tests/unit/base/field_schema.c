#include "base/field.h"

#include "support/unit.h"

#include "base/json.h"

#include <string.h>

static const char *const KINDS[] = {"small", "large", NULL};

static const struct field INNER[] = {
    {.name = "port", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 65535},
    {.name = NULL},
};

static const struct field THING[] = {
    {.name = "id",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED | FIELD_REQUIRED,
     .min = 1,
     .max = 8,
     .doc = "Who."},
    {.name = "kind", .type = FIELD_ENUM, .flags = FIELD_NULLABLE, .choices = KINDS},
    {.name = "ratio", .type = FIELD_NUMBER, .min = 0, .max = 1},
    {.name = "any", .type = FIELD_ANY},
    {.name = "tags", .type = FIELD_STRINGS, .max = 5},
    {.name = "due", .type = FIELD_TIME, .flags = FIELD_NULLABLE},
    {.name = "created", .type = FIELD_TIME, .flags = FIELD_SERVER},
    {.name = "secret", .type = FIELD_STRING, .flags = FIELD_SECRET},
    {.name = "hidden", .type = FIELD_STRING, .flags = FIELD_HIDDEN},
    {.name = "inner", .type = FIELD_NESTED, .sub = INNER},
    {.name = NULL},
};

#define ID                                                         \
    "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":8," \
    "\"description\":\"Who.\"},"
#define KIND  "\"kind\":{\"type\":[\"string\",\"null\"],\"enum\":[\"small\",\"large\",null]},"
#define RATIO "\"ratio\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"
#define TAGS                                                                                      \
    "\"any\":{},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":1024}," \
    "\"maxItems\":5},"
#define PORT                                                                             \
    "\"properties\":{\"port\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1," \
    "\"maximum\":65535}}"
#define WRITTEN_DUE                                                                  \
    "\"due\":{\"type\":[\"string\",\"integer\",\"null\"],\"format\":\"date-time\"}," \
    "\"secret\":{\"type\":\"string\",\"writeOnly\":true},"

static void expect(enum schema_form form, const char *schema)
{
    struct bytes b = BYTES_INIT(5000);
    struct err e;
    fields_schema(THING, form, &b);
    json_t *parsed = json_read(b.data, b.len, &e);
    assert_non_null(parsed);
    json_decref(parsed);
    assert_string_equal(b.data, schema);
    bytes_release(&b);
}

static void answer(void **state)
{
    (void)state;
    expect(SCHEMA_ANSWER,
           "{\"type\":\"object\",\"properties\":{" ID KIND RATIO TAGS
           "\"due\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
           "\"created\":{\"type\":\"string\",\"format\":\"date-time\",\"readOnly\":true},"
           "\"inner\":{\"type\":\"object\"," PORT "}}}");
}

static void create(void **state)
{
    (void)state;
    expect(SCHEMA_CREATE, "{\"type\":\"object\",\"properties\":{" ID KIND RATIO TAGS WRITTEN_DUE
                          "\"inner\":{\"type\":\"object\"," PORT
                          ",\"required\":[\"port\"],\"additionalProperties\":false}},"
                          "\"required\":[\"id\"],\"additionalProperties\":false}");
}

static void patch(void **state)
{
    (void)state;
    expect(SCHEMA_PATCH, "{\"type\":\"object\",\"properties\":{" KIND RATIO TAGS WRITTEN_DUE
                         "\"inner\":{\"type\":\"object\"," PORT
                         ",\"additionalProperties\":false}},\"additionalProperties\":false}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer),
        cmocka_unit_test(create),
        cmocka_unit_test(patch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
