#include "base/field.h"

#include "support/unit.h"

#include <string.h>

struct query {
    const char *name, *kind, *labels, *any, *tags;
    int64_t count, due;
    double ratio;
    bool on;
};

static const char *const KINDS[] = {"small", "large", NULL};

static const char *no_x(const char *text)
{
    return strchr(text, 'x') ? "must not contain 'x'" : NULL;
}

#define AT(member) .name = #member, .offset = offsetof(struct query, member)

static const struct field QUERY[] = {
    {AT(name), .type = FIELD_STRING, .min = 1, .max = 4},
    {AT(kind), .type = FIELD_ENUM, .choices = KINDS},
    {AT(labels), .type = FIELD_OBJECT, .max = 40},
    {AT(any), .type = FIELD_ANY},
    {AT(tags), .type = FIELD_STRINGS, .min = 1, .max = 3, .check = no_x},
    {AT(count), .type = FIELD_INT, .min = -5, .max = 100},
    {AT(due), .type = FIELD_TIME},
    {AT(ratio), .type = FIELD_NUMBER, .min = 0, .max = 1},
    {AT(on), .type = FIELD_BOOL},
    {.name = NULL},
};

struct fixture {
    struct arena *arena;
    struct faults faults;
    struct query query;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.arena = arena_new(1 << 20)};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static bool decode(struct fixture *f, const char *name, const char *text)
{
    const struct field *field = QUERY;
    while (strcmp(field->name, name) != 0)
        field++;
    faults_init(&f->faults, f->arena);
    return field_decode_text(field, text, &f->query, f->arena, &f->faults);
}

static void each_type(void **state)
{
    struct fixture *f = *state;
    struct query *q = &f->query;
    assert_true(decode(f, "name", "7") && strcmp(q->name, "7") == 0);
    assert_true(decode(f, "kind", "small") && q->kind == KINDS[0]);
    assert_true(decode(f, "count", "-5") && q->count == -5);
    assert_true(decode(f, "ratio", "1e-1") && q->ratio == 0.1);
    assert_true(decode(f, "ratio", "1") && q->ratio == 1);
    assert_true(decode(f, "on", "true") && q->on);
    assert_true(decode(f, "on", "false") && !q->on);
    assert_true(decode(f, "due", "2026-11-23T02:00:00Z") && q->due == 1795399200000);
    assert_true(decode(f, "due", "1795399200001") && q->due == 1795399200001);
    assert_true(decode(f, "tags", "a,b") && strcmp(q->tags, "[\"a\",\"b\"]") == 0);
    assert_true(decode(f, "labels", "{\"a\" : 1}") && strcmp(q->labels, "{\"a\":1}") == 0);
    assert_true(decode(f, "any", "[1]") && strcmp(q->any, "[1]") == 0);
    assert_true(decode(f, "any", "word") && strcmp(q->any, "\"word\"") == 0);
}

static void refuses(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[][2] = {
        {"count", ""},      {"count", "1.0"},   {"count", "1x"},
        {"count", " 1"},    {"count", "+1"},    {"count", "101"},
        {"ratio", "0x1"},   {"ratio", "inf"},   {"ratio", "nan"},
        {"ratio", "1e400"}, {"ratio", "-"},     {"on", "1"},
        {"on", "TRUE"},     {"due", "0"},       {"due", "now"},
        {"name", "\xff"},   {"name", "12345"},  {"name", ""},
        {"labels", "{"},    {"labels", "[]"},   {"tags", ""},
        {"tags", "a,x"},    {"tags", "a,\xff"}, {"tags", "a,b,c,d"},
        {"kind", "tiny"},   {"any", "\xc3"},    {"count", "99999999999999999999"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (decode(f, rows[i][0], rows[i][1]))
            fail_msg("%s=%s is accepted", rows[i][0], rows[i][1]);
        const char *pointer = f->faults.list[0].pointer;
        assert_int_equal(strncmp(pointer, rows[i][0], strlen(rows[i][0])), 0);
    }
}

static void says_what_is_due(void **state)
{
    struct fixture *f = *state;
    assert_false(decode(f, "count", "101"));
    assert_string_equal(f->faults.list[0].pointer, "count");
    assert_string_equal(f->faults.list[0].detail, "must be a whole number from -5 to 100, got 101");
    assert_false(decode(f, "ratio", "abc"));
    assert_string_equal(f->faults.list[0].detail, "must be a number from 0 to 1");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(each_type),
        WITH_FIXTURE(refuses),
        WITH_FIXTURE(says_what_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
