/* When tokens were last used: noted by loops, told now and then, kept over a restart. */
#include "api/token_usage.h"

#include "support/unit.h"

#include <string.h>
#include <unistd.h>

static struct manual_clock now;

static struct token_usage *reopen(struct store *s)
{
    struct err e;
    struct token_usage *u = token_usage_open(s, &now.clock, &e);
    assert_non_null(u);
    return u;
}

static void told_with_the_tick(void **state)
{
    (void)state;
    struct store *s = store_memory_open(&now.clock);
    struct token_usage *u = reopen(s);
    static struct usage_places one, two;
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    assert_int_equal(token_usage_last(u, 5), 0);
    token_usage_note(u, &one, 5, 1000);
    assert_int_equal(token_usage_last(u, 5), 0);
    token_usage_tick(u, &one, 1001);
    assert_int_equal(token_usage_last(u, 5), 1000);
    /* Another loop saw it later, and told earlier. */
    token_usage_note(u, &one, 5, 2000);
    token_usage_note(u, &two, 5, 3000);
    token_usage_tick(u, &two, 3001);
    token_usage_tick(u, &one, 3002);
    assert_int_equal(token_usage_last(u, 5), 3000);
    /* Two that share a place: who leaves it is told. */
    token_usage_note(u, &one, 5, 4000);
    token_usage_note(u, &one, 5 + USAGE_PLACES, 4001);
    assert_int_equal(token_usage_last(u, 5), 4000);
    assert_int_equal(token_usage_last(u, 5 + USAGE_PLACES), 0);
    token_usage_tick(u, &one, 4002);
    assert_int_equal(token_usage_last(u, 5 + USAGE_PLACES), 4001);
    token_usage_close(u);
    s->ops->close(s);
}

/* Within a minute nothing is written but by closing; more than go at once are written all. */
static void kept(void **state)
{
    (void)state;
    enum { MANY = 600 };
    struct store *s = store_memory_open(&now.clock);
    struct token_usage *u = reopen(s);
    static struct usage_places places;
    int64_t at = clock_wall_ms(&now.clock);
    memset(&places, 0, sizeof places);
    for (uint64_t uid = 1; uid <= MANY; uid++)
        token_usage_note(u, &places, uid, at + (int64_t)uid);
    token_usage_tick(u, &places, at + 59999);
    struct token_usage *other = reopen(s); /* what a crash at this time would leave */
    assert_int_equal(token_usage_last(other, 1), 0);
    token_usage_close(other);
    token_usage_tick(u, &places, at + 60000);
    int found = 0; /* the store takes its time */
    for (int ms = 0; ms < 30000 && found < 256; ms++) {
        usleep(1000);
        other = reopen(s);
        found = 0;
        for (uint64_t uid = 1; uid <= MANY; uid++)
            found += token_usage_last(other, uid) == at + (int64_t)uid;
        token_usage_close(other);
    }
    assert_int_equal(found, 256);
    token_usage_close(u);
    u = reopen(s);
    for (uint64_t uid = 1; uid <= MANY; uid++)
        assert_int_equal(token_usage_last(u, uid), at + (int64_t)uid);
    token_usage_close(u);
    s->ops->close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(told_with_the_tick),
                                       cmocka_unit_test(kept)};
    manual_clock_init(&now, 1700000000000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
