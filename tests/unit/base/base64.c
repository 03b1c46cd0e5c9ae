#include "support/unit.h"

#include "base/base64.h"

#include <string.h>

/* The vectors of RFC 4648, section 10. */
static const char *const VECTORS[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void the_vectors_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        char text[BASE64_SIZE(6)];
        unsigned char data[6];
        size_t len;
        base64_encode(VECTORS[i][0], strlen(VECTORS[i][0]), text);
        assert_string_equal(text, VECTORS[i][1]);
        assert_true(base64_decode(VECTORS[i][1], data, sizeof data, &len));
        assert_int_equal(len, strlen(VECTORS[i][0]));
        assert_memory_equal(data, VECTORS[i][0], len);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg=",      "Zg",   "Z===", "====",       "Zm9v\n",
                                      "Zm 9", "Zg==Zg==", "Zm-v", "=m9v", "Z\xc3\xa4=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char data[16];
        size_t len;
        assert_false(base64_decode(bad[i], data, sizeof data, &len));
    }
}

static void never_more_than_there_is_room_for(void **state)
{
    (void)state;
    unsigned char data[3];
    size_t len;
    assert_true(base64_decode("Zm9v", data, 3, &len));
    assert_false(base64_decode("Zm9v", data, 2, &len));
    assert_true(base64_decode("Zm8=", data, 2, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(never_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
