#include "base/err.h"

#include "support/unit.h"

#include <errno.h>
#include <string.h>

static void fail_fills_and_is_false(void **state)
{
    (void)state;
    struct err e = {.members = "old"};
    assert_false(fail(&e, &ERR_BUSY, "%d of %s", 3, "four"));
    assert_ptr_equal(e.kind, &ERR_BUSY);
    assert_null(e.members);
    assert_string_equal(e.detail, "3 of four");
    assert_int_equal(e.kind->status, 503);
    assert_string_equal(e.kind->code, "OVERLOADED");
}

static void fail_takes_no_err(void **state)
{
    (void)state;
    assert_false(fail(NULL, &ERR_BUSY, "x"));
    errno = ENOENT;
    assert_false(fail_errno(NULL, &ERR_IO, "x"));
}

static void fail_errno_appends_the_reason(void **state)
{
    (void)state;
    struct err e;
    errno = ENOENT;
    assert_false(fail_errno(&e, &ERR_IO, "cannot open %s", "a"));
    assert_string_equal(e.detail, "cannot open a: No such file or directory");
}

/* A detail of `before` letters and then characters of more bytes is cut between characters. */
static void cut_after(size_t before, const char *character)
{
    char text[1200] = "";
    memset(text, 'x', before);
    for (size_t at = before; at < 1000; at += strlen(character))
        memcpy(text + at, character, strlen(character) + 1);
    struct err e;
    fail(&e, &ERR_INVALID, "%s", text);
    size_t room = sizeof e.detail - 1 - before, whole = room / strlen(character);
    assert_int_equal(strlen(e.detail), before + whole * strlen(character));
    assert_memory_equal(e.detail, text, strlen(e.detail));
}

static void long_details_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t before = 0; before < 8; before++) {
        cut_after(before, "x");
        cut_after(before, "\xc3\xa9");
        cut_after(before, "\xe2\x82\xac");
        cut_after(before, "\xf0\x9f\x98\x80");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_and_is_false),
        cmocka_unit_test(fail_takes_no_err),
        cmocka_unit_test(fail_errno_appends_the_reason),
        cmocka_unit_test(long_details_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
