/* Tokens that a loop has seen lately: only the very text is found, two in one place take turns, and
 * nothing of them is left afterwards. */
#include "api/token_memo.h"

#include "support/unit.h"

#include <string.h>

static struct token_secret made(uint32_t n)
{
    uint8_t chance[TOKEN_CHANCE];
    struct token_secret s;
    for (size_t i = 0; i < sizeof chance; i++)
        chance[i] = (uint8_t)((n * 2654435761u + (uint32_t)i * 40503u) >> 11 & 127);
    assert_true(token_secret_make(chance, &s));
    return s;
}

static void finds_the_very_text(void **state)
{
    (void)state;
    static struct token_memo m;
    const struct token_secret s = made(1);
    char text[TOKEN_TEXT_LEN + 1];
    assert_null(token_memo_find(&m, s.text, TOKEN_TEXT_LEN));
    token_memo_keep(&m, &s);
    const struct token_secret *found = token_memo_find(&m, s.text, TOKEN_TEXT_LEN);
    assert_non_null(found);
    assert_string_equal(found->key, s.key);
    assert_string_equal(found->hash, s.hash);
    assert_null(token_memo_find(&m, s.text, TOKEN_TEXT_LEN - 1));
    for (size_t i = 0; i < TOKEN_TEXT_LEN; i++) {
        memcpy(text, s.text, sizeof text);
        text[i] = text[i] == 'a' ? 'b' : 'a';
        assert_null(token_memo_find(&m, text, TOKEN_TEXT_LEN));
    }
}

static void places_are_shared(void **state)
{
    (void)state;
    static struct token_memo m;
    int found = 0;
    for (uint32_t n = 0; n < 1000; n++) {
        struct token_secret s = made(n);
        token_memo_keep(&m, &s);
        assert_non_null(token_memo_find(&m, s.text, TOKEN_TEXT_LEN));
    }
    for (uint32_t n = 0; n < 1000; n++) {
        struct token_secret s = made(n);
        found += token_memo_find(&m, s.text, TOKEN_TEXT_LEN) != NULL;
    }
    assert_in_range(found, TOKEN_MEMO_PLACES / 2, TOKEN_MEMO_PLACES);
}

static void wiped(void **state)
{
    (void)state;
    static struct token_memo m, nothing;
    struct token_secret s = made(7);
    token_memo_keep(&m, &s);
    token_memo_wipe(&m);
    assert_memory_equal(&m, &nothing, sizeof m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_very_text),
        cmocka_unit_test(places_are_shared),
        cmocka_unit_test(wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
