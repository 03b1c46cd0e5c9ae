/* Leaves a child, a grandchild that has lost its parent, and one in a session of its own. */
#include <paddock/plugin.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void stay(const int *passing)
{
    close(passing[1]);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;)
        pause();
}

static void run(paddock_test *t)
{
    int passing[2]; /* ends when those have gone that only made others */
    char none;
    if (pipe(passing) != 0)
        return;
    if (fork() == 0)
        stay(passing);
    pid_t middle = fork();
    if (middle == 0) {
        if (fork() == 0)
            stay(passing);
        if (fork() == 0) {
            setsid();
            if (fork() == 0)
                stay(passing);
            _exit(0);
        }
        _exit(0);
    }
    waitpid(middle, NULL, 0);
    close(passing[1]);
    (void)!read(passing[0], &none, 1);
    usleep(20000);
    paddock_check(t, true, "left", "three processes are left behind");
}

PADDOCK_TEST("test.grandchild", "1.0.0", "leaves processes", NULL, run);
