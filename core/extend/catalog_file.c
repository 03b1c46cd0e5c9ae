#include "extend/catalog_file.h"

#include "extend/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool safe(const struct stat *st, struct err *e)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fail(e, &ERR_INVALID,
                    "it belongs to user %ju; only root and the user who runs the server may own it",
                    (uintmax_t)st->st_uid);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return fail(e, &ERR_INVALID, "others than its owner may write to it (mode %03o)",
                    (unsigned)st->st_mode & 0777);
    return true;
}

int plugin_dir_open(const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fail_errno(e, &ERR_INVALID, "the directory cannot be opened");
        return -1;
    }
    if (fstat(fd, &st) == 0 && safe(&st, e))
        return fd;
    close(fd);
    return -1;
}

static bool open_safe(int dir, const char *name, int *fd, size_t *size, struct err *e)
{
    struct stat st;
    *fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return errno == ELOOP ? fail(e, &ERR_INVALID, "it is a symbolic link")
                              : fail_errno(e, &ERR_INVALID, "it cannot be opened");
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(e, &ERR_INVALID, "it is no regular file");
    if (!safe(&st, e))
        return false;
    if (st.st_size <= 0 || (uintmax_t)st.st_size > CATALOG_FILE_BYTES)
        return fail(e, &ERR_INVALID, "it has %jd bytes, wanted are 1 to %u", (intmax_t)st.st_size,
                    CATALOG_FILE_BYTES);
    *size = (size_t)st.st_size;
    return true;
}

static bool read_whole(int fd, char *data, size_t size, struct err *e)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, data + done, size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(e, &ERR_INVALID, "it cannot be read");
        if (n == 0)
            return fail(e, &ERR_INVALID, "it became shorter while it was read");
        done += (size_t)n;
    }
    return true;
}

static bool write_whole(int fd, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Whole or not at all: a crash in between leaves a file of another name. */
static bool write_copy(int copies, const char *hex, const char *data, size_t size, struct err *e)
{
    char name[SHA256_HEX_SIZE + 4], temporary[SHA256_HEX_SIZE + 8];
    struct stat st;
    snprintf(name, sizeof name, "%s.so", hex);
    snprintf(temporary, sizeof temporary, "%s.new", hex);
    if (fstatat(copies, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        (uintmax_t)st.st_size == size)
        return true;
    int fd = openat(copies, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_whole(fd, data, size) && fchmod(fd, 0444) == 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0)
        good = false;
    errno = good ? errno : error;
    if (good && renameat(copies, temporary, copies, name) == 0)
        return true;
    fail_errno(e, &ERR_IO, "it cannot be copied into the data directory");
    unlinkat(copies, temporary, 0);
    return false;
}

bool plugin_file_copy(int dir, const char *name, int copies, char hex[SHA256_HEX_SIZE],
                      struct err *e)
{
    int fd = -1;
    size_t size = 0;
    char *data = NULL;
    bool good = false;
    hex[0] = '\0';
    if (!open_safe(dir, name, &fd, &size, e))
        goto out;
    data = malloc(size);
    if (!data) {
        fail(e, &ERR_MEMORY, "no memory to read its %zu bytes", size);
        goto out;
    }
    if (!read_whole(fd, data, size, e))
        goto out;
    sha256_hex(data, size, hex);
    good = write_copy(copies, hex, data, size, e);
out:
    free(data);
    if (fd >= 0)
        close(fd);
    return good;
}
