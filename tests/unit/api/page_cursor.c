/* Cursors: what is made can be read, anything else is refused with a pointer to `cursor`. */
#include "support/unit.h"

#include "api/page_cursor.h"

#include "base/hash.h"

#include <string.h>

static int setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void comes_back(void **state)
{
    static const char *const KEYS[] = {"x", "nba:1", "a\nb", "\xc3\xbc=&?", "18446744073709551615"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const char *key = NULL, *cursor = page_cursor_make(*state, "-name", KEYS[i]);
        assert_int_equal(
            strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            strlen(cursor));
        assert_true(page_cursor_read(*state, cursor, "-name", &key, NULL));
        assert_string_equal(key, KEYS[i]);
    }
}

static void none_is_the_start(void **state)
{
    const char *key = "left over";
    assert_true(page_cursor_read(*state, NULL, "seq", &key, NULL));
    assert_null(key);
}

static void refuses(struct arena *a, const char *cursor, const char *order, const char *detail)
{
    const char *key;
    struct err e = {0};
    assert_false(page_cursor_read(a, cursor, order, &key, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    assert_non_null(strstr(e.members, "\"field\":\"cursor\""));
    assert_non_null(strstr(e.detail, detail));
}

static void of_another_order_is_refused(void **state)
{
    const char *cursor = page_cursor_make(*state, "name", "x");
    refuses(*state, cursor, "-name", "another order");
    refuses(*state, cursor, "nam", "another order");
    refuses(*state, cursor, "names", "another order");
}

static void nonsense_is_refused(void **state)
{
    char nul[16];
    base64url_encode("seq\n1\0002", 7, nul);
    refuses(*state, "", "seq", "next_cursor");
    refuses(*state, "!!!", "seq", "next_cursor");
    refuses(*state, "c2Vx", "seq", "next_cursor"); /* no line feed */
    refuses(*state, nul, "seq", "next_cursor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(none_is_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(of_another_order_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
