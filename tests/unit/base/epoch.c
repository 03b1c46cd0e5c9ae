#include "base/epoch.h"

#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static int destroyed;

static void count(void *object)
{
    (void)object;
    destroyed++;
}

static void frees_when_the_reader_has_left(void **state)
{
    (void)state;
    struct epoch *ep = epoch_new();
    struct epoch_reader *r = epoch_join(ep);
    destroyed = 0;

    epoch_enter(r);
    epoch_retire(ep, &destroyed, count);
    epoch_advance(ep);
    epoch_advance(ep);
    assert_int_equal(destroyed, 0);
    assert_int_equal(epoch_retired(ep), 1);

    /* One who enters after the step holds up nothing older. */
    struct epoch_reader *late = epoch_join(ep);
    assert_ptr_not_equal(late, r);
    epoch_enter(late);
    epoch_leave(r);
    epoch_advance(ep);
    assert_int_equal(destroyed, 1);
    assert_int_equal(epoch_retired(ep), 0);

    epoch_retire(ep, &destroyed, count);
    epoch_advance(ep);
    assert_int_equal(destroyed, 1);
    epoch_part(late); /* parting is leaving */
    epoch_advance(ep);
    assert_int_equal(destroyed, 2);
    epoch_part(r);
    epoch_free(ep);
}

static void without_readers_at_once(void **state)
{
    (void)state;
    struct epoch *ep = epoch_new();
    destroyed = 0;
    epoch_retire(ep, &destroyed, count);
    epoch_retire(ep, &destroyed, count);
    epoch_advance(ep);
    assert_int_equal(destroyed, 2);
    epoch_retire(ep, &destroyed, count);
    epoch_free(ep);
    assert_int_equal(destroyed, 3);
    epoch_free(NULL);
}

static void readers_are_limited_and_reused(void **state)
{
    (void)state;
    struct epoch *ep = epoch_new();
    struct epoch_reader *readers[256];
    for (int i = 0; i < 256; i++)
        assert_non_null(readers[i] = epoch_join(ep));
    assert_null(epoch_join(ep));
    epoch_part(readers[77]);
    assert_ptr_equal(epoch_join(ep), readers[77]);
    for (int i = 0; i < 256; i++)
        epoch_part(readers[i]);
    epoch_free(ep);
}

/* A view whose parts agree as long as nobody frees it: ASan and TSan watch. */
struct view {
    uint64_t a, b;
};

static _Atomic(struct view *) published;
static atomic_bool stop;

static void destroy(void *object)
{
    struct view *v = object;
    v->b = 0;
    free(v);
}

static void *read_views(void *arg)
{
    struct epoch_reader *r = epoch_join(arg);
    uintptr_t wrong = 0;
    while (!atomic_load(&stop)) {
        epoch_enter(r);
        const struct view *v = atomic_load_explicit(&published, memory_order_acquire);
        for (int i = 0; i < 10; i++)
            wrong += v->a != v->b;
        epoch_leave(r);
    }
    epoch_part(r);
    return (void *)wrong;
}

static struct view *new_view(uint64_t n)
{
    struct view *v = malloc(sizeof *v);
    v->a = v->b = n;
    return v;
}

static void readers_never_see_freed_views(void **state)
{
    (void)state;
    enum { READERS = 3 };
    struct epoch *ep = epoch_new();
    pthread_t threads[READERS];
    atomic_store(&published, new_view(1));
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, read_views, ep);
    for (uint64_t n = 2; n < 20000; n++) {
        struct view *old = atomic_exchange(&published, new_view(n));
        epoch_retire(ep, old, destroy);
        epoch_advance(ep);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    epoch_advance(ep);
    assert_int_equal(epoch_retired(ep), 0);
    epoch_free(ep);
    free(atomic_load(&published));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frees_when_the_reader_has_left),
        cmocka_unit_test(without_readers_at_once),
        cmocka_unit_test(readers_are_limited_and_reused),
        cmocka_unit_test(readers_never_see_freed_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
