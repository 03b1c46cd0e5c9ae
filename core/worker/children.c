#include "worker/children.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Read a small file of /proc. Returns its length, -1 if it cannot be read. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    buf[len] = '\0';
    return (ssize_t)len;
}

static size_t parse_pids(const char *text, pid_t *out, size_t n)
{
    for (char *end; n < CHILDREN_MAX; text = end) {
        long pid = strtol(text, &end, 10);
        if (end == text)
            break;
        out[n++] = (pid_t)pid;
    }
    return n;
}

/* Append the direct children of `pid`, those of each of its threads, which are counted. */
static size_t direct(pid_t pid, pid_t *out, size_t n, unsigned *threads)
{
    static char text[65536];
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return n;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, entry->d_name);
        if (slurp(path, text, sizeof text) > 0)
            n = parse_pids(text, out, n);
        ++*threads;
    }
    closedir(tasks);
    return n;
}

static size_t all_below(pid_t *out, unsigned *tasks)
{
    unsigned own = 0;
    size_t n = direct(getpid(), out, 0, &own);
    *tasks = 0;
    for (size_t i = 0; i < n; i++)
        n = direct(out[i], out, n, tasks);
    return n;
}

unsigned children_tasks(void)
{
    static pid_t pids[CHILDREN_MAX];
    unsigned tasks;
    (void)all_below(pids, &tasks);
    return tasks;
}

/* ---- memory ---- */

static uint64_t resident(pid_t pid)
{
    char path[64], text[256];
    unsigned long size, pages, shared;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    if (slurp(path, text, sizeof text) <= 0 ||
        sscanf(text, "%lu %lu %lu", &size, &pages, &shared) != 3)
        return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Pages that processes share are divided among them. */
static uint64_t proportional(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    if (slurp(path, text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, "\nPss:");
    return line ? strtoull(line + 5, NULL, 10) * 1024 : 0;
}

uint64_t children_memory(uint64_t limit, unsigned *tasks)
{
    static pid_t pids[CHILDREN_MAX];
    size_t n = all_below(pids, tasks);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += resident(pids[i]);
    if (sum <= limit || n <= 1)
        return sum;
    sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += proportional(pids[i]);
    return sum;
}

/* ---- sweeping ---- */

/* One call of the kernel that no fork can slip through: kill(-1) as their user. */
static void kill_user(uid_t uid)
{
    pid_t helper = fork();
    if (helper == 0) {
        if (setgroups(0, NULL) == 0 && setresuid(uid, uid, uid) == 0)
            kill(-1, SIGKILL);
        _exit(0);
    }
    while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
        ;
}

static bool reap(void)
{
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return pid < 0; /* ECHILD: none is left */
    }
}

/* Zombies are reaped only when everybody has been killed: until then they count against the limit
 * of processes, which leaves a fork bomb no room. */
unsigned children_sweep(uid_t uid)
{
    static pid_t pids[CHILDREN_MAX];
    unsigned alive = 0, tasks;
    if (reap())
        return 0;
    for (int pass = 0; pass < 10000; pass++) {
        size_t n = all_below(pids, &tasks);
        if (pass == 0)
            alive = (unsigned)n;
        if (uid)
            kill_user(uid);
        for (size_t i = 0; i < n; i++)
            kill(pids[i], SIGKILL);
        if (reap())
            break;
        const struct timespec pause = {.tv_nsec = pass < 50 ? 200000 : 5000000};
        nanosleep(&pause, NULL);
    }
    return alive;
}
