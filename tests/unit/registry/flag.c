/* When a flag is stale: nobody asks it, or it has long given everybody the same. */
#include "support/unit.h"

#include "registry/flag.h"

enum { DAY = 86400000 };
#define NOW (INT64_C(1700000000000))

static struct flag flag_of_age(int64_t created_days, int64_t changed_days)
{
    return (struct flag){
        .head = {.created_at = NOW - created_days * DAY, .updated_at = NOW - changed_days * DAY},
        .enabled = true,
        .variants = "{\"off\":false,\"on\":true}",
        .default_variant = "off",
        .policy = "percentage",
        .params = "{\"percent\":50}",
        .allocation = "[{\"from\":0,\"to\":100000,\"variant\":\"on\"}]"};
}

static void one_that_nobody_asks_is_stale_after_thirty_days(void **state)
{
    (void)state;
    struct flag f = flag_of_age(100, 100);
    assert_true(flag_is_stale(&f, 0, NOW));
    assert_false(flag_is_stale(&f, NOW - 30 * (int64_t)DAY + 1, NOW));
    assert_true(flag_is_stale(&f, NOW - 30 * (int64_t)DAY, NOW));
    f = flag_of_age(29, 29); /* new, and not asked yet */
    assert_false(flag_is_stale(&f, 0, NOW));
    f = flag_of_age(30, 1); /* a change is no question */
    assert_true(flag_is_stale(&f, 0, NOW));
}

static void one_that_gives_all_the_same_is_stale_though_asked(void **state)
{
    (void)state;
    struct flag f = flag_of_age(100, 30);
    assert_false(flag_is_stale(&f, NOW, NOW)); /* half of them */
    f.params = "{\"percent\":100}";
    assert_true(flag_is_stale(&f, NOW, NOW));
    f.params = "{\"percent\":99.999}";
    assert_false(flag_is_stale(&f, NOW, NOW));
    f.params = "{\"percent\":0}";
    assert_true(flag_is_stale(&f, NOW, NOW));
    f.head.updated_at = NOW - 30 * (int64_t)DAY + 1; /* not for long enough */
    assert_false(flag_is_stale(&f, NOW, NOW));
}

static void what_gives_all_the_same(void **state)
{
    (void)state;
    struct flag f = flag_of_age(1, 1);
    f.params = "{}"; /* no percent: its ranges say it */
    assert_true(flag_is_constant(&f));
    f.allocation = "[{\"from\":0,\"to\":50000,\"variant\":\"on\"},{\"from\":50000,\"to\":100000,"
                   "\"variant\":\"off\"}]";
    assert_false(flag_is_constant(&f));
    f.allocation = "[{\"from\":0,\"to\":99999,\"variant\":\"on\"}]";
    assert_false(flag_is_constant(&f));
    f.killed = true;
    assert_true(flag_is_constant(&f));
    f.killed = false;
    f.enabled = false;
    assert_true(flag_is_constant(&f));
    f.enabled = true;
    f.policy = NULL;
    assert_true(flag_is_constant(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_nobody_asks_is_stale_after_thirty_days),
        cmocka_unit_test(one_that_gives_all_the_same_is_stale_though_asked),
        cmocka_unit_test(what_gives_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
