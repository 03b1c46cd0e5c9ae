#include "base/arena.h"

#include "support/random.h"
#include "support/unit.h"

#include <string.h>

static void pieces_are_aligned_and_apart(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        size_t size = i * 7 % 400;
        pieces[i] = arena_alloc(a, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k < i * 7 % 400; k++)
            assert_int_equal((unsigned char)pieces[i][k], i & 0xff);
    assert_true(arena_used(a) >= 300 * 100);
    arena_free(a);
    arena_free(NULL);
}

static void the_maximum_holds(void **state)
{
    (void)state;
    struct arena *a = arena_new(100000);
    size_t total = 0;
    while (arena_alloc(a, 1000))
        total += 1000;
    assert_in_range(total, 90000, 100000);
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(a, SIZE_MAX - 8));
    assert_null(arena_alloc(a, 100001));
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    assert_non_null(arena_alloc(a, 90000));
    assert_null(arena_alloc(a, 90000));
    arena_free(a);
}

static void a_small_arena_can_be_filled(void **state)
{
    (void)state;
    struct arena *a = arena_new(64);
    assert_non_null(arena_alloc(a, 32));
    assert_non_null(arena_alloc(a, 32));
    assert_null(arena_alloc(a, 1));
    arena_free(a);
}

static void copies_and_prints(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    char *text = arena_text(a, "abc"), *copy = arena_copy(a, "a\0b", 3);
    assert_string_equal(text, "abc");
    assert_memory_equal(copy, "a\0b", 4);
    assert_null(arena_text(a, NULL));
    assert_string_equal(arena_copy(a, NULL, 0), "");
    assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    char *wide = arena_printf(a, "%*d", 5000, 1);
    assert_int_equal(strlen(wide), 5000);
    assert_int_equal(wide[4999], '1');
    char *zero = arena_zero(a, 3000);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(zero[i], 0);
    arena_free(a);
}

static void what_is_left_can_be_had(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    uint64_t seed = 1;
    while (arena_left(a) > 100000) {
        size_t before = arena_left(a);
        assert_non_null(arena_alloc(a, (size_t)(random_u64(&seed) % 3000)));
        assert_true(arena_left(a) <= before);
    }
    assert_non_null(arena_alloc(a, arena_left(a) / 16 * 16));
    arena_free(a);
}

static void reset_keeps_the_first_block(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    void *first = arena_alloc(a, 10);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(a, 5000));
    arena_reset(a);
    assert_ptr_equal(arena_alloc(a, 10), first);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(a_small_arena_can_be_filled),
        cmocka_unit_test(copies_and_prints),
        cmocka_unit_test(what_is_left_can_be_had),
        cmocka_unit_test(reset_keeps_the_first_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
