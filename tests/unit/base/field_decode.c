#include "base/field.h"

#include "support/unit.h"

#include "base/json.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

struct inner {
    int64_t port;
    const char *host;
};

struct thing {
    const char *id, *name, *note, *kind, *labels, *tags, *extra, *secret, *internal;
    int64_t count, optional, created;
    double ratio, score;
    bool on;
    int64_t due;
    struct inner inner;
};

static const char *const KINDS[] = {"small", "large", NULL};

static const char *no_x(const char *text)
{
    return strchr(text, 'x') ? "must not contain 'x'" : NULL;
}

static void labels_are_texts(const json_t *value, const char *pointer, struct faults *f)
{
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item) {
        char at[100];
        pointer_join(at, sizeof at, pointer, key);
        if (!json_is_string(item))
            fault_add(f, &ERR_INVALID, at, "must be a string");
    }
}

static const struct field INNER[] = {
    {.name = "port",
     .type = FIELD_INT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(struct inner, port),
     .min = 1,
     .max = 65535},
    {.name = "host", .type = FIELD_STRING, .offset = offsetof(struct inner, host)},
    {.name = NULL},
};

#define AT(member) offsetof(struct thing, member)

static const struct field THING[] = {
    {.name = "id",
     .type = FIELD_STRING,
     .flags = FIELD_FIXED,
     .offset = AT(id),
     .min = 1,
     .max = 8},
    {.name = "name",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = AT(name),
     .min = 1,
     .max = 4,
     .check = no_x},
    {.name = "note", .type = FIELD_STRING, .flags = FIELD_NULLABLE, .offset = AT(note)},
    {.name = "kind", .type = FIELD_ENUM, .offset = AT(kind), .choices = KINDS},
    {.name = "labels",
     .type = FIELD_OBJECT,
     .offset = AT(labels),
     .max = 40,
     .check_json = labels_are_texts},
    {.name = "tags", .type = FIELD_STRINGS, .offset = AT(tags), .min = 1, .max = 3, .check = no_x},
    {.name = "extra", .type = FIELD_ANY, .offset = AT(extra), .max = 20},
    {.name = "secret",
     .type = FIELD_STRING,
     .flags = FIELD_SECRET,
     .offset = AT(secret),
     .max = 10},
    {.name = "internal",
     .type = FIELD_STRING,
     .flags = FIELD_HIDDEN,
     .offset = AT(internal),
     .max = 10},
    {.name = "count", .type = FIELD_INT, .offset = AT(count), .min = -5, .max = 100},
    {.name = "optional", .type = FIELD_INT, .flags = FIELD_NULLABLE, .offset = AT(optional)},
    {.name = "created", .type = FIELD_TIME, .flags = FIELD_SERVER, .offset = AT(created)},
    {.name = "ratio", .type = FIELD_NUMBER, .offset = AT(ratio), .min = 0, .max = 1},
    {.name = "score", .type = FIELD_NUMBER, .flags = FIELD_NULLABLE, .offset = AT(score)},
    {.name = "on", .type = FIELD_BOOL, .offset = AT(on)},
    {.name = "due", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .offset = AT(due)},
    {.name = "inner", .type = FIELD_NESTED, .offset = AT(inner), .sub = INNER},
    {.name = NULL},
};

struct fixture {
    struct arena *arena;
    struct faults faults;
    struct thing thing;
    struct field_seen seen;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = arena_new(1 << 20)};
    faults_init(&f.faults, f.arena);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static bool decode(struct fixture *f, enum decode_mode mode, const char *text)
{
    struct err e;
    json_t *object = json_read(text, strlen(text), &e);
    if (!object)
        fail_msg("%s: %s", text, e.detail);
    faults_init(&f->faults, f->arena);
    bool ok = fields_decode(THING, object, "", mode, &f->thing, f->arena, &f->seen, &f->faults);
    json_decref(object);
    assert_int_equal(ok, f->faults.total == 0);
    return ok;
}

/* Decoding `text` finds exactly one fault. */
static void one_fault(struct fixture *f, const char *text, const char *pointer, const char *detail)
{
    if (decode(f, DECODE_PATCH, text))
        fail_msg("%s is accepted", text);
    assert_int_equal(f->faults.total, 1);
    assert_string_equal(f->faults.list[0].pointer, pointer);
    assert_string_equal(f->faults.list[0].detail, detail);
    assert_ptr_equal(f->faults.list[0].kind, &ERR_INVALID);
}

static void every_type(void **state)
{
    struct fixture *f = *state;
    assert_true(
        decode(f, DECODE_CREATE,
               "{\"id\":\"a\",\"name\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\","
               "\"note\":\"n\",\"kind\":\"large\",\"labels\":{ \"a\" : \"b\" },"
               "\"tags\":[\"t\"],\"extra\":null,\"secret\":\"s\",\"count\":-5,"
               "\"optional\":7,\"ratio\":1,\"score\":-1.5,\"on\":true,"
               "\"due\":\"2026-11-23T02:00:00Z\",\"inner\":{\"port\":80,\"host\":\"h\"}}"));
    struct thing *t = &f->thing;
    assert_string_equal(t->id, "a");
    assert_string_equal(t->name, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    assert_string_equal(t->note, "n");
    assert_ptr_equal(t->kind, KINDS[1]);
    assert_string_equal(t->labels, "{\"a\":\"b\"}");
    assert_string_equal(t->tags, "[\"t\"]");
    assert_string_equal(t->extra, "null");
    assert_string_equal(t->secret, "s");
    assert_int_equal(t->count, -5);
    assert_int_equal(t->optional, 7);
    assert_true(t->ratio == 1 && t->score == -1.5 && t->on);
    assert_int_equal(t->due, 1795399200000);
    assert_int_equal(t->inner.port, 80);
    assert_string_equal(t->inner.host, "h");
    /* All but internal (bit 8) and created (bit 11) were given. */
    assert_int_equal(f->seen.given, 0x1ffff & ~(1 << 8 | 1 << 11));
}

static void nulls(void **state)
{
    struct fixture *f = *state;
    f->thing = (struct thing){.note = "x", .optional = 1, .score = 1, .due = 1, .name = "keep"};
    assert_true(
        decode(f, DECODE_PATCH, "{\"note\":null,\"optional\":null,\"score\":null,\"due\":null}"));
    assert_null(f->thing.note);
    assert_true(f->thing.optional == INT64_MIN);
    assert_true(isnan(f->thing.score));
    assert_int_equal(f->thing.due, 0);
    assert_string_equal(f->thing.name, "keep");
    one_fault(f, "{\"name\":null}", "/name", "must not be null");
    one_fault(f, "{\"on\":null}", "/on", "must not be null");
    one_fault(f, "{\"inner\":null}", "/inner", "must not be null");
}

static void each_fault_says_what_is_due(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[][3] = {
        {"{\"name\":1}", "/name", "must be a string"},
        {"{\"name\":\"\"}", "/name", "must be a string of 1 to 4 characters, got 0"},
        {"{\"name\":\"12345\"}", "/name", "must be a string of 1 to 4 characters, got 5"},
        {"{\"name\":\"xy\"}", "/name", "must not contain 'x'"},
        {"{\"kind\":\"tiny\"}", "/kind", "must be one of 'small', 'large', got 'tiny'"},
        {"{\"kind\":3}", "/kind", "must be one of 'small', 'large'"},
        {"{\"labels\":[]}", "/labels", "must be an object"},
        {"{\"labels\":{\"a/b\":1}}", "/labels/a~1b", "must be a string"},
        {"{\"labels\":{\"a\":\"0123456789012345678901234567890123456789\"}}", "/labels",
         "must have at most 40 bytes as compact JSON"},
        {"{\"tags\":\"t\"}", "/tags", "must be an array of strings"},
        {"{\"tags\":[]}", "/tags", "must be an array of 1 to 3 strings, got 0"},
        {"{\"tags\":[\"a\",\"b\",\"c\",\"d\"]}", "/tags",
         "must be an array of 1 to 3 strings, got 4"},
        {"{\"tags\":[\"a\",2]}", "/tags/1", "must be a string"},
        {"{\"tags\":[\"x\"]}", "/tags/0", "must not contain 'x'"},
        {"{\"extra\":[123456789,123456789]}", "/extra",
         "must have at most 20 bytes as compact JSON"},
        {"{\"count\":101}", "/count", "must be a whole number from -5 to 100, got 101"},
        {"{\"count\":-6}", "/count", "must be a whole number from -5 to 100, got -6"},
        {"{\"count\":3.0}", "/count", "must be a whole number from -5 to 100, got 3.0"},
        {"{\"count\":3.5}", "/count", "must be a whole number from -5 to 100, got 3.5"},
        {"{\"count\":\"3\"}", "/count", "must be a whole number from -5 to 100"},
        {"{\"optional\":-9223372036854775808}", "/optional",
         "must be a whole number, got -9223372036854775808"},
        {"{\"ratio\":-0.5}", "/ratio", "must be a number from 0 to 1, got -0.5"},
        {"{\"ratio\":true}", "/ratio", "must be a number from 0 to 1"},
        {"{\"on\":1}", "/on", "must be true or false"},
        {"{\"inner\":[]}", "/inner", "must be an object"},
        {"{\"inner\":{\"port\":0}}", "/inner/port",
         "must be a whole number from 1 to 65535, got 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        one_fault(f, rows[i][0], rows[i][1], rows[i][2]);
}

static void times(void **state)
{
    struct fixture *f = *state;
    assert_true(decode(f, DECODE_PATCH, "{\"due\":1795399200000}"));
    assert_int_equal(f->thing.due, 1795399200000);
    static const char *const wrong[] = {
        "0",    "-1",   "253402300800000",          "1.5",           "\"x\"",
        "\"\"", "true", "\"1970-01-01T00:00:00Z\"", "\"2026-11-23\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"due\":%s}", wrong[i]);
        one_fault(f, text, "/due",
                  "must be a time as of RFC 3339 or in milliseconds since 1970, after "
                  "1970-01-01T00:00:00.000Z and before the year 10000");
    }
}

static void all_faults_in_one_pass(void **state)
{
    struct fixture *f = *state;
    assert_false(decode(f, DECODE_CREATE,
                        "{\"kinb\":1,\"count\":1000,\"internal\":\"i\",\"inner\":{\"x\":1}}"));
    assert_int_equal(f->faults.total, 6);
    static const char *const pointers[] = {"/kinb",    "/count",      "/internal",
                                           "/inner/x", "/inner/port", "/name"};
    for (int i = 0; i < 6; i++)
        assert_string_equal(f->faults.list[i].pointer, pointers[i]);
    assert_ptr_equal(f->faults.list[0].kind, &ERR_UNKNOWN_FIELD);
    assert_string_equal(f->faults.list[0].detail, "is not a field of this object");
    assert_ptr_equal(f->faults.list[2].kind, &ERR_UNKNOWN_FIELD);
    assert_string_equal(f->faults.list[5].detail, "is required");
}

static void server_fields_are_ignored_on_write(void **state)
{
    struct fixture *f = *state;
    f->thing.created = 5;
    assert_true(decode(f, DECODE_PATCH, "{\"created\":\"nonsense\"}"));
    assert_int_equal(f->thing.created, 5);
}

static void fixed_fields_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    f->thing.id = "a";
    assert_true(decode(f, DECODE_PATCH, "{\"id\":\"a\"}"));
    assert_false(decode(f, DECODE_PATCH, "{\"id\":\"b\"}"));
    assert_ptr_equal(f->faults.list[0].kind, &ERR_READ_ONLY_FIELD);
    assert_string_equal(f->thing.id, "a");
    assert_false(decode(f, DECODE_PATCH, "{\"id\":7}"));
    assert_ptr_equal(f->faults.list[0].kind, &ERR_INVALID);
    f->thing.id = NULL;
    assert_true(decode(f, DECODE_PATCH, "{\"id\":\"b\"}"));
    assert_string_equal(f->thing.id, "b");
}

static void stored_text_is_trusted_but_for_its_types(void **state)
{
    struct fixture *f = *state;
    assert_true(
        decode(f, DECODE_STORED,
               "{\"name\":\"xxxxxxxxx\",\"internal\":\"i\",\"created\":\"2026-11-23T02:00:00Z\","
               "\"count\":5000,\"gone\":1,\"tags\":[]}"));
    assert_string_equal(f->thing.name, "xxxxxxxxx");
    assert_string_equal(f->thing.internal, "i");
    assert_int_equal(f->thing.created, 1795399200000);
    assert_int_equal(f->thing.count, 5000);
    assert_true(decode(f, DECODE_STORED, "{\"name\":null}"));
    assert_string_equal(f->thing.name, "xxxxxxxxx");
    assert_false(decode(f, DECODE_STORED, "{\"name\":1}"));
    assert_false(decode(f, DECODE_STORED, "{\"kind\":\"x\"}"));
}

static void only_objects(void **state)
{
    struct fixture *f = *state;
    json_t *array = json_array();
    assert_false(
        fields_decode(THING, array, "/3", DECODE_PATCH, &f->thing, f->arena, NULL, &f->faults));
    assert_string_equal(f->faults.list[0].pointer, "/3");
    assert_string_equal(f->faults.list[0].detail, "must be an object");
    json_decref(array);
}

static void a_full_arena_is_a_fault(void **state)
{
    struct fixture *f = *state;
    struct arena *small = arena_new(64);
    json_t *object = json_pack("{s:s}", "note",
                               "0123456789012345678901234567890123456789"
                               "0123456789012345678901234567890123456789");
    assert_false(
        fields_decode(THING, object, "", DECODE_PATCH, &f->thing, small, NULL, &f->faults));
    assert_ptr_equal(f->faults.list[0].kind, &ERR_MEMORY);
    json_decref(object);
    arena_free(small);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_type),
        WITH_FIXTURE(nulls),
        WITH_FIXTURE(each_fault_says_what_is_due),
        WITH_FIXTURE(times),
        WITH_FIXTURE(all_faults_in_one_pass),
        WITH_FIXTURE(server_fields_are_ignored_on_write),
        WITH_FIXTURE(fixed_fields_may_be_repeated),
        WITH_FIXTURE(stored_text_is_trusted_but_for_its_types),
        WITH_FIXTURE(only_objects),
        WITH_FIXTURE(a_full_arena_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
