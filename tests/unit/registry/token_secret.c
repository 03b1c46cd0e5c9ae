/* The text of a token: its form, its checksum, its comparison. */
#include "registry/token_secret.h"

#include "support/unit.h"

#include <string.h>

static struct token_secret made(uint8_t seed)
{
    uint8_t chance[TOKEN_CHANCE];
    struct token_secret t;
    for (size_t i = 0; i < sizeof chance; i++)
        chance[i] = (uint8_t)(seed * 31 + i * 7);
    assert_true(token_secret_make(chance, &t));
    return t;
}

static void its_form(void **state)
{
    (void)state;
    struct token_secret t = made(1), again = made(1), other = made(2), read;
    assert_int_equal(strlen(t.text), TOKEN_TEXT_LEN);
    assert_memory_equal(t.text, "pdk_", 4);
    assert_int_equal(t.text[4 + TOKEN_KEY_LEN], '_');
    assert_memory_equal(t.text + 4, t.key, TOKEN_KEY_LEN);
    assert_string_equal(t.text, again.text);
    assert_string_not_equal(t.text, other.text);
    assert_true(token_secret_read(t.text, TOKEN_TEXT_LEN, &read));
    assert_string_equal(read.key, t.key);
    assert_string_equal(read.hash, t.hash);
    char hash[SHA256_HEX_SIZE];
    sha256_hex(t.text, TOKEN_TEXT_LEN, hash);
    assert_string_equal(t.hash, hash);
}

static void bytes_that_would_favour_digits_are_passed_over(void **state)
{
    (void)state;
    uint8_t chance[TOKEN_CHANCE];
    struct token_secret t;
    memset(chance, 255, sizeof chance);
    assert_false(token_secret_make(chance, &t));
    memset(chance + TOKEN_CHANCE - TOKEN_KEY_LEN - TOKEN_SECRET_LEN, 247,
           TOKEN_KEY_LEN + TOKEN_SECRET_LEN);
    chance[TOKEN_CHANCE - 1] = 255;
    assert_false(token_secret_make(chance, &t));
    chance[TOKEN_CHANCE - 1] = 247;
    assert_true(token_secret_make(chance, &t));
    assert_int_equal(t.key[0], 'z');
}

/* Any one character changed, added or left out is seen before anything is looked up. */
static void each_character_counts(void **state)
{
    (void)state;
    const struct token_secret t = made(9);
    struct token_secret read;
    for (size_t i = 0; i < TOKEN_TEXT_LEN; i++) {
        static const char OTHERS[] = "0aZ_ \n\x7f\xc3";
        for (size_t k = 0; k < sizeof OTHERS; k++) { /* NUL too */
            struct token_secret wrong = t;
            if (wrong.text[i] == OTHERS[k])
                continue;
            wrong.text[i] = OTHERS[k];
            assert_false(token_secret_read(wrong.text, TOKEN_TEXT_LEN, &read));
        }
    }
    assert_false(token_secret_read(t.text, TOKEN_TEXT_LEN - 1, &read));
    assert_false(token_secret_read("", 0, &read));
    char longer[TOKEN_TEXT_LEN + 2];
    memcpy(longer, t.text, TOKEN_TEXT_LEN);
    longer[TOKEN_TEXT_LEN] = '0';
    assert_false(token_secret_read(longer, TOKEN_TEXT_LEN + 1, &read));
}

/* The checksum is the CRC-32 that everybody has: this one was computed by zlib. */
static void the_checksum_is_crc32(void **state)
{
    (void)state;
    static const char KNOWN[] = "pdk_000000000000_000000000000000000000000000000000000"
                                "07yN4A";
    struct token_secret read;
    assert_int_equal(sizeof KNOWN - 1, TOKEN_TEXT_LEN);
    assert_true(token_secret_read(KNOWN, TOKEN_TEXT_LEN, &read));
}

static void hashes_are_compared_whole(void **state)
{
    (void)state;
    const struct token_secret t = made(3);
    char hash[SHA256_HEX_SIZE];
    assert_true(token_secret_is(&t, t.hash));
    for (size_t i = 0; i < SHA256_HEX_SIZE - 1; i++) {
        memcpy(hash, t.hash, sizeof hash);
        hash[i] = hash[i] == '0' ? '1' : '0';
        assert_false(token_secret_is(&t, hash));
    }
    assert_false(token_secret_is(&t, ""));
    assert_false(token_secret_is(&t, "00"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_form),
        cmocka_unit_test(bytes_that_would_favour_digits_are_passed_over),
        cmocka_unit_test(each_character_counts),
        cmocka_unit_test(the_checksum_is_crc32),
        cmocka_unit_test(hashes_are_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
