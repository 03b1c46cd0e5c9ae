#include "extend/worker_spawn.h"

#include "extend/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Passed on from our own environment; everything else is left behind. */
static const char *const PASSED_ON[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS",    "TSAN_OPTIONS",
                                        "LSAN_OPTIONS", "LD_LIBRARY_PATH",  "SSL_CERT_FILE",
                                        "SSL_CERT_DIR", "LLVM_PROFILE_FILE"};
#define N_PASSED_ON (sizeof PASSED_ON / sizeof *PASSED_ON)
#define N_FIXED     4

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Away from 0..3, which the new process wants for itself. */
static bool raise_fd(int *fd)
{
    if (*fd > 3)
        return true;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 10);
    close_fd(fd);
    *fd = high;
    return high >= 0;
}

static bool make_pipe(int ends[2], struct err *e)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno(e, &ERR_BUSY, "no pipe for a worker");
    if (!raise_fd(&ends[0]) || !raise_fd(&ends[1]) || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return fail_errno(e, &ERR_BUSY, "no descriptor for a worker");
    return true;
}

static bool make_input(const void *input, size_t len, int *fd, struct err *e)
{
    *fd = memfd_create("paddock-job", MFD_CLOEXEC);
    if (*fd < 0 || !raise_fd(fd))
        return fail_errno(e, &ERR_BUSY, "no memory file for a worker");
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(*fd, (const char *)input + done, len - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(e, &ERR_BUSY, "no memory for a worker's job");
        done += (size_t)n;
    }
    return true;
}

static void make_environment(char *env[N_FIXED + N_PASSED_ON + 1], char texts[N_PASSED_ON][1024])
{
    /* LD_BIND_NOW: what is forked from a worker finds the symbols of libc itself bound too. */
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8",
                home[] = "HOME=/nonexistent", bind[] = "LD_BIND_NOW=1";
    size_t n = 0;
    env[n++] = path;
    env[n++] = lang;
    env[n++] = home;
    env[n++] = bind;
    for (size_t i = 0; i < N_PASSED_ON; i++) {
        const char *value = getenv(PASSED_ON[i]);
        if (!value)
            continue;
        int len = snprintf(texts[i], sizeof texts[i], "%s=%s", PASSED_ON[i], value);
        if (len > 0 && (size_t)len < sizeof texts[i])
            env[n++] = texts[i];
    }
    env[n] = NULL;
}

/* posix_spawn() shares our memory until the new program starts, so it costs the same however large
 * the server is. */
int worker_exec(const char *const *argv, const struct worker_ends *ends, pid_t *pid)
{
    char *env[N_FIXED + N_PASSED_ON + 1], texts[N_PASSED_ON][1024];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all, blocked;
    sigfillset(&all);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM); /* a cancellation waits until the worker can take it */
    make_environment(env, texts);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc)
        goto out;
    if ((rc = posix_spawn_file_actions_adddup2(&actions, ends->input, 0)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&actions, ends->log, 1)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&actions, ends->log, 2)) == 0 &&
        (rc = posix_spawn_file_actions_adddup2(&actions, ends->report, 3)) == 0 &&
        (rc = posix_spawn_file_actions_addclosefrom_np(&actions, 4)) == 0 &&
        (rc = posix_spawnattr_setsigdefault(&attr, &all)) == 0 &&
        (rc = posix_spawnattr_setsigmask(&attr, &blocked)) == 0 &&
        (rc = posix_spawnattr_setpgroup(&attr, 0)) == 0 &&
        (rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETPGROUP)) == 0)
        rc = posix_spawn(pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv, env);
    posix_spawnattr_destroy(&attr);
out:
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* With `input` as descriptor 0, which is closed here in any case. `nursery`: NULL, or asked first.
 */
static bool spawn_with(const char *const *argv, struct nursery *nursery, int input,
                       struct spawned *out, struct err *e)
{
    int log[2] = {-1, -1}, report[2] = {-1, -1}, rc;
    bool ok = false;
    if (!make_pipe(log, e) || !make_pipe(report, e))
        goto out;
    const struct worker_ends ends = {.input = input, .log = log[1], .report = report[1]};
    out->kept = (struct kept){.fd = -1};
    if (nursery && nursery_take(nursery, &ends, &out->kept)) {
        out->pid = out->kept.pid;
    } else {
        rc = worker_exec(argv, &ends, &out->pid);
        errno = rc;
        if (rc) {
            fail_errno(e, &ERR_INTERNAL, "%s could not be started", argv[0]);
            goto out;
        }
    }
    out->report_fd = report[0];
    out->log_fd = log[0];
    report[0] = log[0] = -1;
    ok = true;
out:
    close_fd(&input);
    close_fd(&log[0]);
    close_fd(&log[1]);
    close_fd(&report[0]);
    close_fd(&report[1]);
    return ok;
}

static bool spawn_told(const char *const *argv, struct nursery *nursery, const void *input,
                       size_t len, struct spawned *out, struct err *e)
{
    int job = -1;
    out->input_fd = -1;
    if (make_input(input, len, &job, e))
        return spawn_with(argv, nursery, job, out, e);
    close_fd(&job);
    return false;
}

bool worker_spawn(const char *const *argv, const void *input, size_t len, struct spawned *out,
                  struct err *e)
{
    return spawn_told(argv, NULL, input, len, out, e);
}

bool worker_spawn_test(const struct worker_settings *settings, struct nursery *nursery,
                       const void *job, size_t len, struct spawned *out, struct err *e)
{
    const char *argv[] = {settings->program, "--run", NULL};
    return spawn_told(argv, nursery, job, len, out, e);
}

bool worker_spawn_asked(const char *const *argv, struct spawned *out, struct err *e)
{
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_errno(e, &ERR_BUSY, "no socket for a worker");
    if (!raise_fd(&ends[0]) || !raise_fd(&ends[1])) {
        fail_errno(e, &ERR_BUSY, "no descriptor for a worker");
        close_fd(&ends[1]);
    } else if (spawn_with(argv, NULL, ends[1], out, e)) {
        out->input_fd = ends[0];
        return true;
    }
    close_fd(&ends[0]);
    return false;
}
