/* A plugin's table of configuration: to text and back, instances checked and filled in, its schema.
 */
#include <paddock/plugin.h> /* before cmocka, which has macros of common names */

#include "support/unit.h"
#include "base/json.h"
#include "extend/plugin_fields.h"

#include <stdlib.h>
#include <string.h>

static const char *const MODES[] = {"mean", "median", NULL};

static const paddock_field POINT[] = {
    {.name = "x", .type = PADDOCK_FIELD_NUMBER, .flags = PADDOCK_REQUIRED, .doc = "x"},
    {.name = "y", .type = PADDOCK_FIELD_NUMBER, .preset = "-1", .min = -1, .max = 0, .doc = "y"},
    {.name = NULL},
};
static const paddock_field ITEM[] = {
    {.name = "point", .type = PADDOCK_FIELD_OBJECT, .fields = POINT, .doc = "a point"},
    {.name = NULL},
};
static const paddock_field TABLE[] = {
    {.name = "limit", .type = PADDOCK_FIELD_NUMBER, .max = 10, .preset = "2.5", .doc = "limit"},
    {.name = "count", .type = PADDOCK_FIELD_INTEGER, .min = 1, .doc = "at least one"},
    {.name = "mode",
     .type = PADDOCK_FIELD_TEXT,
     .choices = MODES,
     .preset = "\"mean\"",
     .doc = "m"},
    {.name = "on", .type = PADDOCK_FIELD_BOOLEAN, .flags = PADDOCK_REQUIRED, .doc = "on"},
    {.name = "points", .type = PADDOCK_FIELD_ARRAY, .max = 2, .fields = ITEM, .doc = "points"},
    {.name = "data", .type = PADDOCK_FIELD_DATASET, .doc = "a dataset"},
    {.name = "key", .type = PADDOCK_FIELD_TEXT, .flags = PADDOCK_SECRET, .doc = "a key"},
    {.name = "dirs", .type = PADDOCK_FIELD_ARRAY, .flags = PADDOCK_SERVER, .doc = "directories"},
    {.name = "extra", .type = PADDOCK_FIELD_ANY, .doc = "anything"},
    {.name = NULL},
};

/* Check an instance given as text; the filled-in one as text, or "pointer detail" of the first
 * fault. */
static void check(const paddock_field *table, enum plugin_config_source source, const char *given,
                  const char *wanted)
{
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    json_t *in = json_read(given, strlen(given), NULL);
    assert_non_null(in);
    json_t *out = plugin_fields_check(table, in, "", source, f);
    struct bytes text = BYTES_INIT(1 << 16);
    if (out)
        json_put_value(&text, out);
    else
        bytes_printf(&text, "%s %s", f->list[0].pointer, f->list[0].detail);
    assert_string_equal(text.data, wanted);
    bytes_release(&text);
    json_decref(in);
    json_decref(out);
    arena_free(a);
}

static void instances_are_filled_in(void **state)
{
    (void)state;
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true}",
          "{\"limit\":2.5,\"mode\":\"mean\",\"on\":true}");
    check(TABLE, CONFIG_FROM_BODY,
          "{\"on\":false,\"limit\":3,\"count\":1000000,\"points\":[{\"x\":1},{\"x\":2,\"y\":0}],"
          "\"extra\":[null]}",
          "{\"limit\":3,\"count\":1000000,\"mode\":\"mean\",\"on\":false,"
          "\"points\":[{\"x\":1,\"y\":-1},{\"x\":2,\"y\":0}],\"extra\":[null]}");
    check(TABLE, CONFIG_FROM_SERVER, "{\"on\":true,\"dirs\":[\"/a\"]}",
          "{\"limit\":2.5,\"mode\":\"mean\",\"on\":true,\"dirs\":[\"/a\"]}");
    check(NULL, CONFIG_FROM_BODY, "{}", "{}");
}

static void faults_name_their_place(void **state)
{
    (void)state;
    check(TABLE, CONFIG_FROM_BODY, "{}", "/on is required");
    check(TABLE, CONFIG_FROM_BODY, "[]", " must be an object");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":1}", "/on must be true or false");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"no/pe\":1}", "/no~1pe no such field");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"limit\":\"3\"}", "/limit must be a number");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"limit\":11}",
          "/limit must be from 0 to 10, got 11");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"count\":0}",
          "/count must be from 1 to inf, got 0");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"count\":1.5}", "/count must be an integer");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"mode\":\"max\"}",
          "/mode must be one of mean, median");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"points\":[{\"x\":1},{}]}",
          "/points/1/x is required");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"points\":[1,2,3]}",
          "/points must have 0 to 2 items, got 3");
    check(TABLE, CONFIG_FROM_BODY, "{\"on\":true,\"dirs\":[]}",
          "/dirs is set by the server's configuration only");
    check(NULL, CONFIG_FROM_BODY, "{\"a\":1}", "/a no such field");
}

static void tables_travel_as_text(void **state)
{
    (void)state;
    struct bytes first = BYTES_INIT(1 << 16), second = BYTES_INIT(1 << 16);
    struct arena *a = arena_new(1 << 20);
    struct err e;
    plugin_fields_describe(TABLE, &first);
    json_t *text = json_read(first.data, first.len, &e);
    assert_non_null(text);
    const paddock_field *back = plugin_fields_parse(text, a, &e);
    if (!back)
        fail_msg("%s", e.detail);
    plugin_fields_describe(back, &second);
    assert_string_equal(first.data, second.data);
    check(back, CONFIG_FROM_BODY, "{\"on\":true,\"points\":[{\"x\":1}]}",
          "{\"limit\":2.5,\"mode\":\"mean\",\"on\":true,\"points\":[{\"x\":1,\"y\":-1}]}");
    json_decref(text);
    bytes_release(&first);
    bytes_release(&second);
    arena_free(a);
}

static void the_schema_says_the_same(void **state)
{
    (void)state;
    struct bytes out = BYTES_INIT(1 << 16);
    plugin_fields_schema(POINT, &out);
    assert_string_equal(
        out.data,
        "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"number\",\"description\":\"x\"},"
        "\"y\":{\"type\":\"number\",\"minimum\":-1,\"maximum\":0,\"default\":-1,"
        "\"description\":\"y\"}},\"required\":[\"x\"],\"additionalProperties\":false}");
    bytes_clear(&out);
    plugin_fields_schema(TABLE, &out);
    assert_null(strstr(out.data, "dirs")); /* clients cannot set it */
    assert_non_null(strstr(out.data, "\"enum\":[\"mean\",\"median\"]"));
    assert_non_null(strstr(out.data, "\"maxItems\":2,\"items\":{\"type\":\"object\""));
    json_t *read = json_read(out.data, out.len, NULL);
    assert_non_null(read);
    json_decref(read);
    bytes_release(&out);
}

static void refused(const paddock_field *row, const char *part)
{
    const paddock_field table[] = {*row, {.name = NULL}};
    struct err e = {0};
    assert_false(plugin_fields_valid(table, &e));
    if (!strstr(e.detail, part))
        fail_msg("%s (wanted: %s)", e.detail, part);
}

#define ROW(...) (&(paddock_field){__VA_ARGS__, .doc = "d"})

static void wrong_tables_are_refused(void **state)
{
    (void)state;
    const paddock_field twice[] = {*ROW(.name = "a", .type = PADDOCK_FIELD_ANY),
                                   *ROW(.name = "a", .type = PADDOCK_FIELD_ANY),
                                   {.name = NULL}};
    struct err e;
    assert_true(plugin_fields_valid(TABLE, &e));
    assert_true(plugin_fields_valid(NULL, &e));
    assert_false(plugin_fields_valid(twice, &e));
    refused(ROW(.name = "Bad", .type = PADDOCK_FIELD_ANY), "is no name");
    refused(ROW(.name = "a", .type = 99), "unknown type");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_NUMBER, .min = 2, .max = 1), "range");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_NUMBER, .max = NAN), "range");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_NUMBER, .max = 1, .preset = "2"),
            "the preset of 'a' must be from 0 to 1, got 2");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_NUMBER, .preset = "x"), "is no JSON");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_ANY, .flags = PADDOCK_REQUIRED, .preset = "1"),
            "must be given, and has a preset");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_ANY, .choices = MODES), "choices");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_ANY, .fields = POINT), "fields of its own");
    refused(ROW(.name = "a", .type = PADDOCK_FIELD_ARRAY, .fields = POINT), "exactly one row");
    refused(&(paddock_field){.name = "a", .type = PADDOCK_FIELD_ANY}, "no doc");
}

static void wrong_descriptions_are_refused(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "{}",
        "[{}]",
        "[{\"name\":\"a\",\"type\":\"thing\"}]",
        "[{\"name\":\"a\",\"type\":\"any\",\"flags\":[\"odd\"],\"doc\":\"d\"}]",
        "[{\"name\":\"a\",\"type\":\"text\",\"choices\":[1],\"doc\":\"d\"}]",
        "[{\"name\":\"a\",\"type\":\"array\",\"fields\":[],\"doc\":\"d\"}]",
    };
    struct arena *a = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct err e;
        json_t *text = json_read(TEXTS[i], strlen(TEXTS[i]), &e);
        assert_null(plugin_fields_parse(text, a, &e));
        assert_ptr_equal(e.kind, &ERR_INVALID);
        json_decref(text);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_are_filled_in),
        cmocka_unit_test(faults_name_their_place),
        cmocka_unit_test(tables_travel_as_text),
        cmocka_unit_test(the_schema_says_the_same),
        cmocka_unit_test(wrong_tables_are_refused),
        cmocka_unit_test(wrong_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
