/* Makes processes and threads as a test may: many one after the other, and some at once. */
#include <paddock/plugin.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_A_ROW = 300, AT_ONCE = 20, THREADS = 20 };

static bool ended(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static int in_a_row(void)
{
    int n = 0;
    for (int i = 0; i < IN_A_ROW; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        n += ended(pid);
    }
    return n;
}

static int processes_at_once(void)
{
    pid_t pids[AT_ONCE];
    int n = 0;
    for (int i = 0; i < AT_ONCE; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            for (;;)
                pause();
    }
    for (int i = 0; i < AT_ONCE; i++)
        n += pids[i] > 0 && kill(pids[i], SIGKILL) == 0 && ended(pids[i]);
    return n;
}

static void *wait_for_all(void *barrier)
{
    pthread_barrier_wait(barrier);
    return NULL;
}

/* If one cannot be started the others wait for ever, and the test's deadline says so. */
static int threads_at_once(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    bool started[THREADS];
    int n = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        started[i] = pthread_create(&threads[i], NULL, wait_for_all, &barrier) == 0;
    for (int i = 0; i < THREADS; i++)
        n += started[i] && pthread_join(threads[i], NULL) == 0;
    return n;
}

static void run(paddock_test *t)
{
    paddock_check(t, in_a_row() == IN_A_ROW, "in_a_row", "processes one after the other");
    paddock_check(t, processes_at_once() == AT_ONCE, "at_once", "processes");
    paddock_check(t, threads_at_once() == THREADS, "threads", "at once");
}

PADDOCK_TEST("test.processes", "1.0.0", "processes and threads", NULL, run);
