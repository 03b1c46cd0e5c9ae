/* The hash of a body does not depend on how it is cut into pieces. */
#include "support/unit.h"

#include "api/keys.h"

#include <string.h>

#define SIZE 20000

static uint64_t hash_in_pieces(const char *data, size_t len, size_t piece)
{
    struct body_hash h;
    body_hash_start(&h);
    for (size_t at = 0; at < len; at += piece)
        body_hash_add(&h, data + at, len - at < piece ? len - at : piece);
    return body_hash_end(&h);
}

static void same_however_cut(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {0, 1, 4095, 4096, 4097, 8192, SIZE},
                        PIECES[] = {1, 7, 4096, 5000, SIZE};
    char data[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 + i / 256);
    uint64_t last = 1;
    for (size_t l = 0; l < sizeof LENGTHS / sizeof *LENGTHS; l++) {
        uint64_t whole = hash_in_pieces(data, LENGTHS[l], SIZE);
        for (size_t p = 0; p < sizeof PIECES / sizeof *PIECES; p++)
            assert_true(hash_in_pieces(data, LENGTHS[l], PIECES[p]) == whole);
        assert_true(whole != last);
        last = whole;
    }
}

static void one_byte_matters(void **state)
{
    (void)state;
    char data[SIZE];
    memset(data, 'x', sizeof data);
    uint64_t before = hash_in_pieces(data, SIZE, 100);
    data[3] = 'y';
    assert_true(hash_in_pieces(data, SIZE, 100) != before);
    data[3] = 'x';
    data[SIZE - 1] = 'y';
    assert_true(hash_in_pieces(data, SIZE, 100) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_however_cut),
                                       cmocka_unit_test(one_byte_matters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
