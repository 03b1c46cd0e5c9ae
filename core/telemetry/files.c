#include "telemetry/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int system_create(void *self, const char *path, size_t bytes)
{
    (void)self;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return -1;
    if (bytes && fallocate(fd, 0, 0, (off_t)bytes) != 0 && errno != EOPNOTSUPP) {
        int why = errno;
        close(fd);
        unlink(path);
        errno = why;
        return -1;
    }
    return fd;
}

static ssize_t system_pwritev(void *self, int fd, const struct iovec *parts, int n, off_t at)
{
    (void)self;
    return pwritev(fd, parts, n, at);
}

static int system_fdatasync(void *self, int fd)
{
    (void)self;
    return fdatasync(fd);
}

static int system_sync_dir(void *self, const char *path)
{
    (void)self;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    int why = errno;
    close(fd);
    errno = why;
    return result;
}

static int system_truncate(void *self, const char *path, off_t len)
{
    (void)self;
    return truncate(path, len);
}

static int system_unlink(void *self, const char *path)
{
    (void)self;
    return unlink(path);
}

static int system_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return rename(from, to);
}

static void system_forget(void *self, int fd, off_t at, off_t len)
{
    (void)self;
    (void)posix_fadvise(fd, at, len,
                        POSIX_FADV_DONTNEED); /* not a page that has other bytes, too */
}

const struct files FILES_SYSTEM = {
    .create = system_create,
    .pwritev = system_pwritev,
    .fdatasync = system_fdatasync,
    .sync_dir = system_sync_dir,
    .truncate = system_truncate,
    .unlink = system_unlink,
    .rename = system_rename,
    .forget = system_forget,
};
