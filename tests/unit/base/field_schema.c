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
    {.name = "number", .type = FIELD_STRING, .flags = FIELD_NULLABLE | FIELD_FILLED},
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
#define KIND                                    \
    "\"kind\":{\"type\":[\"string\",\"null\"]," \
    "\"enum\":[\"small\",\"large\",null]},"
#define RATIO_AND_ANY "\"ratio\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},\"any\":{},"
#define TAGS                                                                           \
    "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":1024}," \
    "\"maxItems\":5},"
#define PORT_IS "\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,\"maximum\":65535"
#define PORT    "\"properties\":{\"port\":{" PORT_IS "}},\"required\":[\"port\"]"

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

/* All members are there; what is filled in is never null. */
static void answer(void **state)
{
    (void)state;
    expect(SCHEMA_ANSWER,
           "{\"type\":\"object\",\"properties\":{" ID KIND RATIO_AND_ANY TAGS
           "\"number\":{\"type\":\"string\"},"
           "\"due\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
           "\"created\":{\"type\":\"string\",\"format\":\"date-time\",\"readOnly\":true},"
           "\"inner\":{\"type\":\"object\"," PORT "}},"
           "\"required\":[\"id\",\"kind\",\"ratio\",\"any\",\"tags\",\"number\",\"due\","
           "\"created\",\"inner\"]}");
}

/* What only the server sets may be in the body, since what GET gave may be PUT back. */
static void create(void **state)
{
    (void)state;
    expect(SCHEMA_CREATE,
           "{\"type\":\"object\",\"properties\":{" ID KIND RATIO_AND_ANY TAGS
           "\"number\":{\"type\":[\"string\",\"null\"]},"
           "\"due\":{\"type\":[\"string\",\"integer\",\"null\"],\"format\":\"date-time\"},"
           "\"created\":{\"type\":[\"string\",\"integer\"],\"format\":\"date-time\","
           "\"readOnly\":true},"
           "\"secret\":{\"type\":\"string\",\"writeOnly\":true},"
           "\"inner\":{\"type\":\"object\"," PORT ",\"additionalProperties\":false}},"
           "\"required\":[\"id\"],\"additionalProperties\":false}");
}

/* Null takes back whatever may be left out. */
static void patch(void **state)
{
    (void)state;
    expect(SCHEMA_PATCH,
           "{\"type\":\"object\",\"properties\":{" ID KIND
           "\"ratio\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1},\"any\":{},"
           "\"tags\":{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"string\","
           "\"maxLength\":1024},\"maxItems\":5},"
           "\"number\":{\"type\":[\"string\",\"null\"]},"
           "\"due\":{\"type\":[\"string\",\"integer\",\"null\"],\"format\":\"date-time\"},"
           "\"created\":{\"type\":[\"string\",\"integer\",\"null\"],\"format\":\"date-time\","
           "\"readOnly\":true},"
           "\"secret\":{\"type\":[\"string\",\"null\"],\"writeOnly\":true},"
           "\"inner\":{\"type\":[\"object\",\"null\"],\"properties\":{\"port\":{" PORT_IS
           "}},\"additionalProperties\":false}},\"additionalProperties\":false}");
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
