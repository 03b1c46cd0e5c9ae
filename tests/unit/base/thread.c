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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_no_signals),
        cmocka_unit_test(ranks_stand_in_their_order_below_who_starts_them),
        cmocka_unit_test(what_an_operator_has_chosen_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
