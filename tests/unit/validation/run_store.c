#include "validation/run_store.h"

#include "base/clock.h"
#include "registry/errors.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)64 << 20)

static void put(struct store *s, const char *run_id, const char *batch_id, uint64_t uid, int64_t at,
                const char *status)
{
    struct err e = {0};
    struct run r;
    run_init(&r);
    r.run_id = run_id;
    r.model_id = "m:1";
    r.trigger = batch_id ? "nightly" : "manual";
    r.batch_id = batch_id;
    r.queued_at = at;
    r.status = status;
    r.subject_fingerprint = "f";
    if (!run_put(s, &r, "default", uid, false, &e))
        fail_msg("%s", e.detail);
}

static void found_by_its_id_in_its_namespace(void **state)
{
    struct store *s = *state;
    struct arena *a = arena_new(ARENA_MAX);
    struct run_place where;
    struct run r;
    struct err e = {0};
    const char *text;
    size_t len;
    put(s, "r1", NULL, 7, 1000, "queued");
    put(s, "r1", NULL, 7, 1000, "passed"); /* the later one replaces it */
    assert_true(run_get(s, "default", "r1", a, &r, &e));
    assert_string_equal(r.status, "passed");
    assert_true(run_find(s, "default", "r1", a, &where, &text, &len, &e));
    assert_int_equal(where.uid, 7);
    assert_int_equal(where.at, 1000);
    assert_string_equal(where.model_id, "m:1");
    assert_null(where.batch_id);
    assert_false(run_get(s, "other", "r1", a, &r, &e));
    assert_ptr_equal(e.kind, &RUN_NOT_FOUND);
    assert_false(run_get(s, "default", "r2", a, &r, &e));
    assert_ptr_equal(e.kind, &RUN_NOT_FOUND);
    arena_free(a);
}

static void listed_by_model_and_time(void **state)
{
    struct store *s = *state;
    struct arena *a = arena_new(ARENA_MAX);
    struct run_text *list;
    size_t n;
    bool more;
    struct err e = {0};
    for (int i = 0; i < 10; i++) {
        char id[8];
        snprintf(id, sizeof id, "r%d", i);
        put(s, id, i % 2 ? "night" : NULL, i < 8 ? 7 : 8, 1000 + i, "passed");
    }
    struct run_range range = {.uid = 7};
    assert_true(run_list(s, &range, a, &list, &n, &more, &e));
    assert_int_equal(n, 8);
    assert_false(more);
    assert_string_equal(list[0].run_id, "r0");
    range.from = 1002;
    range.to = 1005;
    range.newest_first = true;
    assert_true(run_list(s, &range, a, &list, &n, &more, &e));
    assert_int_equal(n, 3);
    assert_string_equal(list[0].run_id, "r4");
    assert_string_equal(list[2].run_id, "r2");
    range.limit = 2;
    assert_true(run_list(s, &range, a, &list, &n, &more, &e));
    assert_int_equal(n, 2);
    assert_true(more);
    arena_free(a);
}

static void a_night_lists_where_its_runs_are(void **state)
{
    struct store *s = *state;
    struct arena *a = arena_new(ARENA_MAX);
    struct run_text *list;
    struct run_place where;
    size_t n;
    struct err e = {0};
    put(s, "r1", "night", 7, 1000, "passed");
    put(s, "r2", "night", 8, 1001, "failed");
    put(s, "r3", "another", 8, 1002, "failed");
    put(s, "r4", NULL, 8, 1003, "failed");
    const struct run_range range = {.batch_id = "night"};
    assert_true(run_list(s, &range, a, &list, &n, NULL, &e));
    assert_int_equal(n, 2);
    assert_true(run_place_read(&list[1], a, &where));
    assert_int_equal(where.uid, 8);
    assert_int_equal(where.at, 1001);
    assert_string_equal(list[1].run_id, "r2");
    list[1].len = 3; /* damaged */
    assert_false(run_place_read(&list[1], a, &where));
    arena_free(a);
}

static int set_up(void **state)
{
    *state = store_memory_open(&CLOCK_SYSTEM);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    struct store *s = *state;
    s->ops->close(s);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(found_by_its_id_in_its_namespace),
        TEST(listed_by_model_and_time),
        TEST(a_night_lists_where_its_runs_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
