#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who holds it, as its pid stands in the file; "another process" if that cannot be read. */
static void holder_text(int fd, char *out, size_t size)
{
    char pid[32];
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;
    if (n > 0 && digits > 0 && digits < (size_t)n)
        snprintf(out, size, "process %.*s", (int)digits, pid);
    else
        snprintf(out, size, "another process");
}

static bool take(int fd, const char *dir, struct err *e)
{
    char text[64];
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail_errno(e, &ERR_IO, "cannot lock the data directory %s", dir);
        holder_text(fd, text, sizeof text);
        return fail(e, &ERR_CONFIG, "the data directory %s is in use by %s", dir, text);
    }
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The lock is what counts; the pid is for people, and a full disk must not stop a start. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) != len)
        errno = 0;
    return true;
}

static void sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* may not be ours to read; then it is not ours to sync */
    fsync(fd);
    close(fd);
}

bool data_dir_make(const char *dir, struct err *e)
{
    char parent[PATH_MAX];
    if (mkdir(dir, 0750) != 0)
        return errno == EEXIST ||
               fail_errno(e, &ERR_CONFIG, "cannot make the data directory %s", dir);
    if (snprintf(parent, sizeof parent, "%s/..", dir) < (int)sizeof parent)
        sync_dir(parent);
    return true;
}

int data_dir_lock(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/paddock.lock", dir) >= (int)sizeof path) {
        fail(e, &ERR_CONFIG, "the path of the data directory is too long");
        return -1;
    }
    if (!data_dir_make(dir, e))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        fail_errno(e, &ERR_CONFIG, "cannot write to the data directory %s", dir);
        return -1;
    }
    if (take(fd, dir, e))
        return fd;
    close(fd);
    return -1;
}
