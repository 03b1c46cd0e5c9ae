#include "base/hash.h"

#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static void xxh3_as_published(void **state)
{
    (void)state;
    /* XXH3_64bits of nothing is 2D06800538D394C2; what is stored on disk must never change. */
    assert_true(hash64("", 0, 0) == 0x2D06800538D394C2);
    assert_int_equal(checksum32("", 0), 0x38D394C2);
    assert_int_equal(checksum32("abc", 3), (uint32_t)hash64("abc", 3, 0));
    assert_true(hash64("abc", 3, 0) == 0x78AF5F94892F3950);
    assert_true(hash64("abc", 3, 0) != hash64("abc", 3, 1));
}

static void sha256_as_published(void **state)
{
    (void)state;
    char hex[SHA256_HEX_SIZE];
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void base64url_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[32], back[32];
        size_t len = strlen(rows[i][0]);
        assert_int_equal(base64url_encode(rows[i][0], len, text), strlen(rows[i][1]));
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(base64url_decode(text, strlen(text), back, sizeof back), len);
        assert_memory_equal(back, rows[i][0], len);
        if (len) /* one byte too little room */
            assert_int_equal(base64url_decode(text, strlen(text), back, len - 1), -1);
    }
}

static void base64url_refuses(void **state)
{
    (void)state;
    static const char *const texts[] = {"Z",    "Zg==", "Zm9v\n", "Zm+v",
                                        "Zm/v", "Zh",   "Zm9",    "Zm9vZ"};
    char out[32];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (base64url_decode(texts[i], strlen(texts[i]), out, sizeof out) != -1)
            fail_msg("%s is accepted", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xxh3_as_published),
        cmocka_unit_test(sha256_as_published),
        cmocka_unit_test(base64url_of_rfc_4648),
        cmocka_unit_test(base64url_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
