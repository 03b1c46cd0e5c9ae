#include "base/pool.h"

#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct job {
    struct mail mail;
    atomic_int *ran;
    pthread_barrier_t *meet;
};

static void run(struct mail *mail)
{
    struct job *job = (struct job *)mail;
    if (job->meet)
        pthread_barrier_wait(job->meet);
    atomic_fetch_add(job->ran, 1);
}

static void stop_runs_what_is_queued(void **state)
{
    (void)state;
    enum { JOBS = 500 };
    struct err e;
    struct pool *p = pool_start("test pool with a long name", 2, JOBS, &e);
    assert_non_null(p);
    atomic_int ran = 0;
    struct job jobs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.mail.run = run, .ran = &ran};
        assert_true(pool_submit(p, &jobs[i].mail));
    }
    pool_stop(p);
    assert_int_equal(atomic_load(&ran), JOBS);
    pool_stop(NULL);
}

/* Two jobs that wait for each other need two threads; a third queue place is refused. */
static void a_closed_one_refuses(void **state)
{
    (void)state;
    struct err e;
    struct mail job = {.run = run};
    struct pool *p = pool_start("test", 2, 10, &e);
    assert_non_null(p);
    pool_close(p);
    assert_false(pool_submit(p, &job));
    pool_close(p);
    pool_stop(p);
}

static void runs_side_by_side_within_the_limit(void **state)
{
    (void)state;
    struct pool *p = pool_start("test", 2, 2, NULL);
    pthread_barrier_t meet;
    pthread_barrier_init(&meet, NULL, 3);
    atomic_int ran = 0;
    struct job jobs[5];
    for (int i = 0; i < 5; i++)
        jobs[i] = (struct job){.mail.run = run, .ran = &ran, .meet = i < 2 ? &meet : NULL};
    for (int i = 0; i < 2; i++)
        assert_true(pool_submit(p, &jobs[i].mail));
    while (pool_waiting(p) > 0) /* until both threads are busy */
        sched_yield();
    assert_true(pool_submit(p, &jobs[2].mail));
    assert_true(pool_submit(p, &jobs[3].mail));
    assert_int_equal(pool_waiting(p), 2);
    assert_false(pool_submit(p, &jobs[4].mail));
    assert_int_equal(atomic_load(&ran), 0);
    pthread_barrier_wait(&meet);
    pool_stop(p);
    assert_int_equal(atomic_load(&ran), 4);
    pthread_barrier_destroy(&meet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_runs_what_is_queued),
        cmocka_unit_test(a_closed_one_refuses),
        cmocka_unit_test(runs_side_by_side_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
