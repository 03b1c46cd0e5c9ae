#include "base/hmac.h"

#include "support/unit.h"

#include <string.h>

static void check(const void *key, size_t key_len, const char *text, const char *expected)
{
    uint8_t out[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    hmac_sha256(key, key_len, text, strlen(text), out);
    hex_encode(out, sizeof out, hex);
    assert_string_equal(hex, expected);
}

/* RFC 4231: test cases 1, 2 and 6. */
static void vectors(void **state)
{
    char key[131];
    (void)state;
    memset(key, 0x0b, 20);
    check(key, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check("Jefe", 4, "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    check(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
