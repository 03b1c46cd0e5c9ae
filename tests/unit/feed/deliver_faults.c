/* The deliverer while its store does in part, or not at all, what it is asked for. */
#include "feed/deliver.h"

#include "support/hooks.h"
#include "support/store_wait.h"
#include "support/unit.h"

#include "feed/outbox.h"

#include <stdlib.h>
#include <string.h>

/* What becomes of appends; the store in memory, with this before it. */
static struct store_ops ops;
static const struct store_ops *inner;
static atomic_bool pages_in_part; /* all but the last record, which is the cursor */
static atomic_uint refuse_notes;  /* so many of what became of a delivery: nothing is written */
static atomic_uint failed;

static void done_in_part(struct series_append *part)
{
    struct series_append *whole = part->owner;
    free(part);
    whole->ok = false;
    fail(&whole->err, &ERR_IO, "the connection was lost");
    atomic_fetch_add(&failed, 1);
    whole->done(whole);
}

static bool refused(const struct series_append *a)
{
    unsigned left = atomic_load(&refuse_notes);
    return left && a->n && a->n_trims &&
           atomic_compare_exchange_strong(&refuse_notes, &left, left - 1);
}

static void append(struct store *s, struct series_append *a)
{
    bool page = a->n && strcmp(a->records[a->n - 1].key, OUTBOX_CURSOR) == 0;
    bool refuse = refused(a);
    if (!refuse && !(page && atomic_load(&pages_in_part))) {
        inner->append(s, a);
        return;
    }
    struct series_append *part = calloc(1, sizeof *part);
    assert_non_null(part);
    *part = (struct series_append){
        .records = a->records, .n = refuse ? 0 : a->n - 1, .done = done_in_part, .owner = a};
    inner->append(s, part);
}

static int set_up(void **state)
{
    atomic_store(&pages_in_part, false);
    atomic_store(&refuse_notes, 0);
    atomic_store(&failed, 0);
    return hooks_set_up(state);
}

/* Before anything is written. */
static void disturb(struct hooks *t)
{
    inner = t->store->ops;
    ops = *inner;
    ops.append = append;
    hooks_stop(t);
    t->store->ops = &ops;
    hooks_start(t);
}

struct told {
    unsigned n, delivered;
};

static bool tell(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                 size_t len)
{
    static const char DELIVERED[] = "\"status\":\"delivered\"";
    struct told *told = ctx;
    (void)key, (void)at, (void)id;
    told->n++;
    told->delivered += memmem(data, len, DELIVERED, sizeof DELIVERED - 1) != NULL;
    return true;
}

/* What the log says of all deliveries. */
static struct told told(struct hooks *t)
{
    struct told all = {0};
    struct series_read r = {.key = "webhook-log/*", .each = tell, .ctx = &all};
    if (!wait_read(t->store, &r))
        fail_msg("%s", r.err.detail);
    return all;
}

/* A page is there but for its cursor, and whoever is next looks at the same entries again: each has
 * one place in the log, and ends there. */
static void a_page_in_part(void **state)
{
    struct hooks *t = *state;
    disturb(t);
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    AWAIT(hooks_stats(t).behind == 0);
    atomic_store(&pages_in_part, true);
    for (unsigned i = 1; i <= 3; i++)
        hooks_describe(t, "a", i);
    AWAIT(atomic_load(&failed) >= 1 && told(t).n == 3);
    assert_int_equal(hooks_got(t, "a"), 0);
    hooks_stop(t);
    atomic_store(&pages_in_part, false);
    atomic_fetch_add(&t->ahead_ms, 1000);
    hooks_start(t);
    AWAIT(hooks_stats(t).behind == 0 && hooks_stats(t).pending == 0 && hooks_got(t, "a") >= 3);
    assert_int_equal(told(t).n, 3);
    assert_int_equal(told(t).delivered, 3);
}

/* A lane goes on only when what became of its head is written, whatever that takes. */
static void a_note_that_fails(void **state)
{
    struct hooks *t = *state;
    disturb(t);
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    atomic_store(&refuse_notes, 1);
    hooks_describe(t, "a", 1);
    hooks_describe(t, "a", 2);
    AWAIT(hooks_got(t, "a") == 2 && hooks_stats(t).pending == 0);
    assert_int_equal(atomic_load(&failed), 1);
    hooks_assert_in_order(t, "a");
    assert_int_equal(told(t).n, 2);
    assert_int_equal(told(t).delivered, 2);
}

/* One that stops leaves what it could not write to whoever is next, who sends it again. */
static void a_note_that_is_left(void **state)
{
    struct hooks *t = *state;
    disturb(t);
    hooks_make(t, "all");
    register_model(&t->calls, "a", 1);
    atomic_store(&refuse_notes, 1000);
    hooks_describe(t, "a", 1);
    AWAIT(atomic_load(&failed) >= 1);
    hooks_stop(t);
    atomic_store(&refuse_notes, 0);
    hooks_start(t);
    AWAIT(hooks_got(t, "a") == 2 && told(t).delivered == 1);
    assert_int_equal(told(t).n, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, hooks_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_in_part),
        TEST(a_note_that_fails),
        TEST(a_note_that_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
