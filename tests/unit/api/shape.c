/* The short notation of schemas. */
#include "support/unit.h"

#include "api/shape.h"

static const char *const PAIRS[][2] = {
    {"s", "{\"type\":\"string\"}"},
    {"i?", "{\"type\":[\"integer\",\"null\"]}"},
    {"t", "{\"type\":\"string\",\"format\":\"date-time\"}"},
    {"t?", "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"},
    {"any", "{}"},
    {"[n]", "{\"items\":{\"type\":\"number\"},\"type\":\"array\"}"},
    {"[b]?", "{\"items\":{\"type\":\"boolean\"},\"type\":[\"array\",\"null\"]}"},
    {"(a|b)", "{\"enum\":[\"a\",\"b\"]}"},
    {"(a)?", "{\"enum\":[\"a\",null]}"},
    {"@Model", "{\"$ref\":\"#/components/schemas/Model\"}"},
    {"@Model?", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Model\"},{\"type\":\"null\"}]}"},
    {"{*:i}", "{\"additionalProperties\":{\"type\":\"integer\"},\"type\":\"object\"}"},
    {"{a:s b~:[@X]}", "{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"items\":{\"$ref\":\"#/"
                      "components/schemas/X\"},"
                      "\"type\":\"array\"}},\"required\":[\"a\"],\"type\":\"object\"}"},
    {"{a~:any}?", "{\"properties\":{\"a\":{}},\"type\":[\"object\",\"null\"]}"},
};

static void stands_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        struct bytes b = BYTES_INIT(4096);
        shape_schema(PAIRS[i][0], &b);
        assert_string_equal(b.data, PAIRS[i][1]);
        bytes_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stands_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
