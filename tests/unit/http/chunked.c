#include "support/unit.h"

#include "http/chunked.h"

#include <string.h>

/* Decode in pieces of `piece` bytes; the last result, data in `out`, bytes used in `*taken`. */
static enum chunked_result decode(const char *text, size_t len, size_t piece, char *out,
                                  size_t *taken)
{
    struct chunked c;
    struct err e;
    size_t out_len = 0;
    enum chunked_result result = CHUNKED_MORE;
    chunked_init(&c);
    for (*taken = 0; *taken < len && result != CHUNKED_DONE && result != CHUNKED_BAD;) {
        size_t n = len - *taken < piece ? len - *taken : piece, used, data_len;
        const char *data;
        result = chunked_feed(&c, text + *taken, n, &used, &data, &data_len, &e);
        *taken += used;
        if (result == CHUNKED_DATA) {
            memcpy(out + out_len, data, data_len);
            out_len += data_len;
        }
    }
    out[out_len] = '\0';
    return result;
}

static void gives(const char *text, const char *want, const char *rest)
{
    for (size_t piece = 1; piece < 200; piece += 7) {
        char out[256];
        size_t taken;
        assert_int_equal(decode(text, strlen(text), piece, out, &taken), CHUNKED_DONE);
        assert_string_equal(out, want);
        assert_string_equal(text + taken, rest);
    }
}

static void refused_bytes(const char *text, size_t len)
{
    for (size_t piece = 1; piece < 200; piece += 7) {
        char out[256];
        size_t taken;
        if (decode(text, len, piece, out, &taken) != CHUNKED_BAD)
            fail_msg("taken: %s", text);
    }
}

static void refused(const char *text)
{
    refused_bytes(text, strlen(text));
}

static void test_good(void **state)
{
    (void)state;
    gives("0\r\n\r\n", "", "");
    gives("3\r\nabc\r\n0\r\n\r\nGET", "abc", "GET");
    gives("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", "");
    gives("00003\r\n\r\n\n\r\n0\r\n\r\n", "\r\n\n", "");
    gives("3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", "abc", "");
    gives("3\r\nabc\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nrest", "abc", "rest");
    gives("a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "");
}

static void test_bad(void **state)
{
    (void)state;
    refused("\r\n");
    refused("g\r\n");
    refused(";a\r\n");
    refused("-3\r\nabc\r\n");
    refused("0x3\r\nabc\r\n");
    refused(" 3\r\nabc\r\n");
    refused("3 \r\nabc\r\n");
    refused("3\nabc\r\n");
    refused("3\r\r\nabc");
    refused("3\r\nabcd\r\n");
    refused("3\r\nabc\n0\r\n\r\n");
    refused("3\r\nabc\rx");
    refused("3;a\nb\r\nabc\r\n"); /* one that ends lines at LF sees another chunk */
    refused("3;a\rb\r\nabc\r\n");
    refused("1000000000000000\r\n"); /* sixteen digits */
    refused("0\r\nA: b\n\r\n");
    refused("0\r\n folded\r\n\r\n");
    refused("0\r\n: x\r\n\r\n");
    refused("0\r\n\rx");
    static const char nul[] = "3;\0\r\nabc";
    refused_bytes(nul, sizeof nul - 1);
}

static void test_bounds(void **state)
{
    (void)state;
    static char text[2 * CHUNKED_EXTRA_MAX];
    char out[64];
    size_t taken;
    /* Extensions of many chunks and the trailers share one bound. */
    size_t n = 0;
    while (n + 2000 < CHUNKED_EXTRA_MAX + 1500) {
        n += (size_t)snprintf(text + n, sizeof text - n, "1;%01000d\r\nx\r\n", 0);
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "0\r\nT: %02000d\r\n\r\n", 0);
    assert_true(n > CHUNKED_EXTRA_MAX);
    assert_int_equal(decode(text, n, 100, out, &taken), CHUNKED_BAD);
    n = (size_t)snprintf(text, sizeof text, "0\r\nT: %0*d\r\n\r\n", CHUNKED_EXTRA_MAX - 3, 0);
    assert_int_equal(decode(text, n, 100, out, &taken), CHUNKED_DONE);
    n = (size_t)snprintf(text, sizeof text, "0\r\nT: %0*d\r\n\r\n", CHUNKED_EXTRA_MAX - 2, 0);
    assert_int_equal(decode(text, n, 100, out, &taken), CHUNKED_BAD);
}

static void test_data_left(void **state)
{
    (void)state;
    struct chunked c;
    struct err e;
    size_t used, len;
    const char *data;
    chunked_init(&c);
    assert_int_equal(chunked_feed(&c, "5", 1, &used, &data, &len, &e), CHUNKED_MORE);
    assert_int_equal(chunked_data_left(&c), 0); /* perhaps more digits */
    assert_int_equal(chunked_feed(&c, "\r\n", 2, &used, &data, &len, &e), CHUNKED_MORE);
    assert_int_equal(chunked_data_left(&c), 5);
    assert_int_equal(chunked_feed(&c, "ab", 2, &used, &data, &len, &e), CHUNKED_DATA);
    assert_int_equal(chunked_data_left(&c), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_data_left),
    };
    return cmocka_run_group_tests_name("chunked", tests, NULL, NULL);
}
