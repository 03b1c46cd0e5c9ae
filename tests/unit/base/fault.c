#include "base/fault.h"

#include "support/unit.h"

#include "base/bytes.h"
#include "base/json.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct faults faults;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.arena = arena_new(1 << 20);
    faults_init(&f.faults, f.arena);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((struct fixture *)*state)->arena);
    return 0;
}

static void a_single_fault_keeps_its_kind(void **state)
{
    struct fixture *f = *state;
    struct err e;
    assert_false(fault_add(&f->faults, &ERR_UNKNOWN_FIELD, "/sporr", "is not a field"));
    assert_false(faults_fail(&f->faults, &e));
    assert_ptr_equal(e.kind, &ERR_UNKNOWN_FIELD);
    assert_string_equal(e.detail, "/sporr is not a field");
    assert_string_equal(e.members,
                        "\"errors\":[{\"field\":\"/sporr\",\"detail\":\"is not a field\"}]");
}

static void several_are_a_failed_validation(void **state)
{
    struct fixture *f = *state;
    struct err e;
    fault_add(&f->faults, &ERR_UNKNOWN_FIELD, "/a", "is \"not\" a field");
    fault_add(&f->faults, &ERR_UNKNOWN_FIELD, "", "x");
    assert_false(faults_fail(&f->faults, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    assert_string_equal(e.detail, "2 faults; the first: /a is \"not\" a field");
    assert_string_equal(e.members,
                        "\"errors\":[{\"field\":\"/a\",\"detail\":\"is \\\"not\\\" a field\"},"
                        "{\"field\":\"\",\"detail\":\"x\"}]");
    assert_false(faults_fail(&f->faults, NULL));
}

static void a_hundred_are_listed(void **state)
{
    struct fixture *f = *state;
    struct err e;
    for (int i = 0; i < 150; i++)
        fault_add(&f->faults, &ERR_INVALID, "/x", "number %d", i);
    assert_int_equal(f->faults.listed, 100);
    assert_int_equal(f->faults.total, 150);
    faults_fail(&f->faults, &e);
    assert_non_null(strstr(e.members, "\"number 99\""));
    assert_null(strstr(e.members, "\"number 100\""));
    assert_non_null(strstr(e.members, ",\"errors_total\":150"));
}

/* Texts that a client chose are cut, between characters, and a full arena is survived. */
static void long_texts(void **state)
{
    struct fixture *f = *state;
    char text[3001];
    for (int i = 0; i < 3000; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    fault_add(&f->faults, &ERR_INVALID, text, "%s", text);
    assert_int_equal(strlen(f->faults.list[0].pointer), 498);
    assert_int_equal(strlen(f->faults.list[0].detail), 498);

    struct arena *small = arena_new(600);
    struct faults faults;
    struct err e;
    faults_init(&faults, small);
    for (int i = 0; i < 5; i++)
        fault_add(&faults, &ERR_INVALID, text, "%s", text);
    assert_int_equal(faults.listed, 5);
    assert_string_equal(faults.list[4].pointer, "");
    assert_false(faults_fail(&faults, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    assert_null(e.members);
    arena_free(small);
}

static void pointers(void **state)
{
    (void)state;
    char out[16];
    pointer_join(out, sizeof out, "", "a");
    assert_string_equal(out, "/a");
    pointer_join(out, sizeof out, "/a", "b/c~d");
    assert_string_equal(out, "/a/b~1c~0d");
    pointer_join(out, sizeof out, "/a", "");
    assert_string_equal(out, "/a/");
    pointer_join(out, sizeof out, "/0123456789", "abc\xe2\x82\xac");
    assert_string_equal(out, "/0123456789/abc");
    pointer_join(out, sizeof out, "/0123456789012", "/x");
    assert_string_equal(out, "/0123456789012/");
    pointer_join(out, sizeof out, "/01234567890123456789", "x");
    assert_string_equal(out, "/01234567890123");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_single_fault_keeps_its_kind),
        WITH_FIXTURE(several_are_a_failed_validation),
        WITH_FIXTURE(a_hundred_are_listed),
        WITH_FIXTURE(long_texts),
        cmocka_unit_test(pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
