#include "base/thread.h"

#include "support/unit.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* What a thread finds out about itself. */
struct seen {
    char name[16];
    int nice, policy;
    bool signals;
    pthread_barrier_t named; /* the name is given by who starts it */
};

static void *look(void *arg)
{
    struct seen *s = arg;
    sigset_t blocked;
    pthread_barrier_wait(&s->named);
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    s->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    s->policy = sched_getscheduler(0);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    s->signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGHUP);
    return s;
}

static struct seen start(const char *name, enum thread_rank rank)
{
    struct seen s = {.signals = true};
    struct err e;
    pthread_t thread;
    void *end = NULL;
    pthread_barrier_init(&s.named, NULL, 2);
    assert_true(thread_start(&thread, name, rank, look, &s, &e));
    pthread_barrier_wait(&s.named);
    pthread_join(thread, &end);
    pthread_barrier_destroy(&s.named);
    assert_ptr_equal(end, &s);
    return s;
}

static void a_thread_has_its_name_and_no_signals(void **state)
{
    (void)state;
    struct seen s = start("short", THREAD_LOOP);
    assert_string_equal(s.name, "short");
    assert_false(s.signals);
    s = start("a name of more than fifteen bytes", THREAD_LATER);
    assert_string_equal(s.name, "a name of more ");

    sigset_t blocked; /* this thread's own are as before */
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
}

static void ranks_stand_in_their_order_below_who_starts_them(void **state)
{
    (void)state;
    const int own = getpriority(PRIO_PROCESS, (id_t)gettid());
    if (own > 5)
        skip(); /* too low already to go lower in steps */
    const int loop = start("loop", THREAD_LOOP).nice;
    const int soon = start("soon", THREAD_SOON).nice;
    const int later = start("later", THREAD_LATER).nice;
    assert_int_equal(loop, own);
    assert_true(loop < soon && soon < later);
}

/* chrt(1) */
static void what_an_operator_has_chosen_stays(void **state)
{
    (void)state;
    const struct sched_param none = {0};
    if (sched_getscheduler(0) != SCHED_OTHER || sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        skip();
    const struct seen loop = start("loop", THREAD_LOOP), later = start("later", THREAD_LATER);
    assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &none), 0);
    assert_int_equal(loop.policy, SCHED_BATCH);
    assert_int_equal(later.policy, SCHED_BATCH);
}

static const int64_t SECOND = 1000000000;

/* Threads that use, second by second, so many thousandths of a processor; where they stand then. */
struct placed {
    struct thread_place place;
    int used[3];
    bool alone;
    cpu_set_t processors;
};

static void *use(void *arg)
{
    struct placed *p = arg;
    int64_t now = 5000 * SECOND, used = 0;
    thread_place(&p->place, now, used, true);
    for (size_t i = 0; i < 3; i++) {
        used += p->used[i] * SECOND / 1000;
        thread_place(&p->place, now += SECOND, used, !p->alone);
    }
    sched_getaffinity(0, sizeof p->processors, &p->processors);
    return NULL;
}

static void who_is_idle_is_looked_at_more_often(void **state)
{
    (void)state;
    struct thread_place p = {.count = 1, .now_ns = SECOND};
    assert_false(thread_place_due(&p, SECOND + SECOND / 25));
    assert_true(thread_place_due(&p, SECOND + SECOND / 20));
    p.own = true;
    assert_false(thread_place_due(&p, SECOND + SECOND / 2));
    assert_true(thread_place_due(&p, 2 * SECOND));
}

static cpu_set_t place_of(unsigned index, unsigned count, int first, int then, int last)
{
    struct placed p = {.place = {.index = index, .count = count}, .used = {first, then, last}};
    struct err e;
    pthread_t thread;
    assert_true(thread_start(&thread, "placed", THREAD_LOOP, use, &p, &e));
    pthread_join(thread, NULL);
    return p.processors;
}

static cpu_set_t all_processors(unsigned *n)
{
    cpu_set_t ours;
    assert_int_equal(sched_getaffinity(0, sizeof ours, &ours), 0);
    *n = (unsigned)CPU_COUNT(&ours);
    return ours;
}

static void as_many_busy_threads_as_processors_have_one_each(void **state)
{
    (void)state;
    cpu_set_t taken;
    unsigned n;
    const cpu_set_t ours = all_processors(&n);
    CPU_ZERO(&taken);
    for (unsigned i = 0; i < n; i++) {
        const cpu_set_t own = place_of(i, n, 130, 130, 70); /* 70: not idle yet */
        assert_int_equal(CPU_COUNT(&own), 1);
        CPU_OR(&taken, &taken, &own);
    }
    assert_true(CPU_EQUAL(&taken, &ours));
}

static void who_is_idle_goes_where_there_is_room(void **state)
{
    (void)state;
    unsigned n;
    const cpu_set_t ours = all_processors(&n), never = place_of(0, n, 10, 120, 120),
                    again = place_of(0, n, 900, 900, 60);
    assert_true(CPU_EQUAL(&never, &ours));
    assert_true(CPU_EQUAL(&again, &ours));
}

static void nobody_is_placed_for_nothing(void **state)
{
    (void)state;
    unsigned n;
    const cpu_set_t ours = all_processors(&n), burst = place_of(0, n, 10, 10, 900);
    struct placed p = {.place = {.count = n}, .used = {900, 900, 900}, .alone = true};
    use(&p);
    assert_true(CPU_EQUAL(&p.processors, &ours));
    assert_true(CPU_EQUAL(&burst, &ours));
}

static void other_numbers_of_threads_stay_free(void **state)
{
    (void)state;
    unsigned n;
    const cpu_set_t ours = all_processors(&n), more = place_of(0, n + 1, 900, 900, 900),
                    fewer = place_of(0, n - 1, 900, 900, 900);
    assert_true(CPU_EQUAL(&more, &ours));
    assert_true(CPU_EQUAL(&fewer, &ours));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_no_signals),
        cmocka_unit_test(ranks_stand_in_their_order_below_who_starts_them),
        cmocka_unit_test(what_an_operator_has_chosen_stays),
        cmocka_unit_test(as_many_busy_threads_as_processors_have_one_each),
        cmocka_unit_test(who_is_idle_goes_where_there_is_room),
        cmocka_unit_test(nobody_is_placed_for_nothing),
        cmocka_unit_test(who_is_idle_is_looked_at_more_often),
        cmocka_unit_test(other_numbers_of_threads_stay_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
