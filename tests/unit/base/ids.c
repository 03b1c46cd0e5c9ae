#include "base/ids.h"

#include "support/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void ulids_sort_by_time(void **state)
{
    (void)state;
    char a[ULID_SIZE], b[ULID_SIZE];
    ulid_make(0, a);
    assert_memory_equal(a, "0000000000", 10);
    ulid_make(0xffffffffffff, b);
    assert_memory_equal(b, "7ZZZZZZZZZ", 10);
    ulid_make(1469918176385, a); /* the example of the ULID specification */
    assert_memory_equal(a, "01ARYZ6S41", 10);
    ulid_make(1469918176386, b);
    assert_true(strcmp(a, b) < 0);
    assert_int_equal(strlen(a), 26);
    assert_int_equal(strspn(a, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
}

enum { EACH = 5000, THREADS = 4 };

static void *make_many(void *arg)
{
    char(*ids)[ULID_SIZE] = arg;
    for (int i = 0; i < EACH; i++)
        ulid_make(1, ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ulids_differ_between_threads(void **state)
{
    (void)state;
    char(*ids)[ULID_SIZE] = malloc(sizeof *ids * EACH * THREADS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, make_many, ids + (ptrdiff_t)i * EACH);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, (size_t)EACH * THREADS, sizeof *ids, compare);
    for (int i = 1; i < EACH * THREADS; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
    free(ids);
}

static void random_bytes_of_all_lengths(void **state)
{
    (void)state;
    uint8_t ones[600] = {0};
    /* Over 64 tries each byte shows each bit at least once, or it is not random. */
    for (size_t len = 1; len <= sizeof ones; len += 37) {
        memset(ones, 0, sizeof ones);
        for (int try = 0; try < 64; try++) {
            uint8_t bytes[601];
            bytes[len] = 0xa5;
            random_bytes(bytes, len);
            assert_int_equal(bytes[len], 0xa5);
            for (size_t i = 0; i < len; i++)
                ones[i] |= bytes[i];
        }
        for (size_t i = 0; i < len; i++)
            assert_int_equal(ones[i], 0xff);
    }
}

static void identifiers(void **state)
{
    (void)state;
    char longest[130];
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    assert_true(id_valid("a"));
    assert_true(id_valid("9-x._:Z"));
    assert_true(id_valid(longest));
    longest[128] = 'a';
    longest[129] = '\0';
    assert_false(id_valid(longest));
    assert_false(id_valid(""));
    assert_false(id_valid("-a"));
    assert_false(id_valid("a b"));
    assert_false(id_valid("a/b"));
    assert_false(id_valid("\xc3\xa9"));
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fault;
    } rows[] = {
        {"nba prop", NULL},
        {"Gr\xc3\xb6\xc3\x9f"
         "e",
         NULL},
        {"12345678", NULL},
        {"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2"
         "\x82\xac",
         NULL},
        {"", "must not be empty"},
        {"123456789", "is too long"},
        {"a/b", "must not contain '/'"},
        {"a:b", "must not contain ':'"},
        {"a@b", "must not contain '@'"},
        {" a", "must not begin with a space"},
        {"a ", "must not end with a space"},
        {"a\xe3\x80\x80", "must not end with a space"},
        {"a\xc3", "must be UTF-8"},
        {"a\nb", "must contain printable characters only"},
        {"a\x7f", "must contain printable characters only"},
        {"a\xc2\x80", "must contain printable characters only"},
        {"a\xe2\x80\xae"
         "b",
         "must contain printable characters only"},
        {"\xef\xbb\xbf"
         "a",
         "must contain printable characters only"},
        {"a\xef\xbf\xbf", "must contain printable characters only"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *fault = name_fault(rows[i].name, 8);
        if (!rows[i].fault)
            assert_null(fault);
        else
            assert_string_equal(fault, rows[i].fault);
    }
}

static void tokens(void **state)
{
    (void)state;
    assert_true(token_printable("a b~", 4));
    assert_false(token_printable("a b~x", 4));
    assert_false(token_printable("", 4));
    assert_false(token_printable("a\n", 4));
    assert_false(token_printable("\x7f", 4));
    assert_false(token_printable("\xc3\xa9", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ulids_sort_by_time),
        cmocka_unit_test(ulids_differ_between_threads),
        cmocka_unit_test(random_bytes_of_all_lengths),
        cmocka_unit_test(identifiers),
        cmocka_unit_test(names),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
