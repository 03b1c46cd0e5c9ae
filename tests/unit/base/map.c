#include "base/map.h"

#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int values[20000];

static void *set(struct map *m, const char *key, int *value)
{
    return map_set(m, key, strlen(key), value);
}

static void *get(const struct map *m, const char *key)
{
    return map_get(m, key, strlen(key));
}

static void *drop(struct map *m, const char *key)
{
    return map_remove(m, key, strlen(key));
}

static void sets_replaces_and_removes(void **state)
{
    (void)state;
    struct map *m = map_new();
    assert_null(get(m, "a"));
    assert_null(set(m, "a", &values[1]));
    assert_null(set(m, "", &values[2]));
    assert_ptr_equal(set(m, "a", &values[3]), &values[1]);
    assert_int_equal(map_count(m), 2);
    assert_ptr_equal(get(m, "a"), &values[3]);
    assert_ptr_equal(get(m, ""), &values[2]);
    assert_ptr_equal(drop(m, "a"), &values[3]);
    assert_null(drop(m, "a"));
    assert_null(get(m, "a"));
    assert_int_equal(map_count(m), 1);
    map_free(m);
    map_free(NULL);
}

static void keys_are_bytes_and_copied(void **state)
{
    (void)state;
    struct map *m = map_new();
    char key[3] = {'a', '\0', 'b'};
    map_set(m, key, 3, &values[1]);
    map_set(m, key, 2, &values[2]);
    key[2] = 'c';
    assert_null(map_get(m, key, 3));
    assert_ptr_equal(map_get(m, "a\0b", 3), &values[1]);
    assert_ptr_equal(map_get(m, "a\0", 2), &values[2]);
    assert_null(map_get(m, "a", 1));
    map_free(m);
}

/* The map against an array, over a few hundred thousand random changes that grow and shrink it. */
static void agrees_with_an_array(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    struct map *m = map_new();
    int **model = calloc(KEYS, sizeof *model);
    size_t count = 0;
    unsigned seed = 7;
    for (int i = 0; i < 300000; i++) {
        char key[16];
        int k = rand_r(&seed) % KEYS;
        snprintf(key, sizeof key, "key-%d", k);
        /* The first half mostly sets, the second mostly removes. */
        if (rand_r(&seed) % 10 < (i < 150000 ? 7 : 3)) {
            int *value = &values[rand_r(&seed) % KEYS];
            assert_ptr_equal(set(m, key, value), model[k]);
            count += !model[k];
            model[k] = value;
        } else {
            assert_ptr_equal(drop(m, key), model[k]);
            count -= model[k] != NULL;
            model[k] = NULL;
        }
        assert_int_equal(map_count(m), count);
    }
    for (int k = 0; k < KEYS; k++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", k);
        assert_ptr_equal(get(m, key), model[k]);
    }
    free(model);
    map_free(m);
}

static void walks_over_each_once(void **state)
{
    (void)state;
    struct map *m = map_new();
    char seen[1000] = {0};
    for (int i = 0; i < 1000; i++)
        map_set(m, &i, sizeof i, &values[i]);
    size_t at = 0, len, n = 0;
    const void *key;
    void *value;
    while (map_next(m, &at, &key, &len, &value)) {
        int i;
        assert_int_equal(len, sizeof i);
        memcpy(&i, key, sizeof i);
        assert_ptr_equal(value, &values[i]);
        assert_int_equal(seen[i]++, 0);
        n++;
    }
    assert_int_equal(n, 1000);
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_replaces_and_removes),
        cmocka_unit_test(keys_are_bytes_and_copied),
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(walks_over_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
