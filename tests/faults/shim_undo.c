/* Preloaded into the server: logs how to undo every change of a watched file that is not synced yet
 * (undo.h). kill -9 leaves the page cache as it was, so without this a missing fsync could not be
 * seen. */
#include "undo.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FD_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[FD_MAX]; /* of watched descriptors; guarded by `lock` */
static const char *dir, *log_path;
static int log_fd = -1;
static bool lie;
static unsigned backups;

static int (*real_open)(const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_close)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void *find(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* POSIX lets a function travel through a void pointer; ISO C wants it copied. */
#define FIND(fn, name)                                 \
    do {                                               \
        void *found_ = find(name);                     \
        memcpy((void *)&(fn), &found_, sizeof found_); \
    } while (0)

__attribute__((constructor)) static void start(void)
{
    FIND(real_open, "open64");
    FIND(real_write, "write");
    FIND(real_pwrite, "pwrite64");
    FIND(real_writev, "writev");
    FIND(real_pwritev, "pwritev64");
    FIND(real_ftruncate, "ftruncate64");
    FIND(real_fallocate, "fallocate64");
    FIND(real_posix_fallocate, "posix_fallocate64");
    FIND(real_fsync, "fsync");
    FIND(real_fdatasync, "fdatasync");
    FIND(real_close, "close");
    FIND(real_unlink, "unlink");
    FIND(real_rename, "rename");
    dir = getenv("SHIM_DIR");
    log_path = getenv("SHIM_UNDO");
    lie = getenv("SHIM_LIE") && strcmp(getenv("SHIM_LIE"), "1") == 0;
    if (dir && log_path)
        log_fd = real_open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static bool watched(const char *path)
{
    size_t len = strlen(path);
    if (log_fd < 0 || strncmp(path, dir, strlen(dir)) != 0 || len >= UNDO_PATH_MAX - 16)
        return false;
    /* SQLite's shared memory and our lock are no data. */
    return !(len > 4 && strcmp(path + len - 4, "-shm") == 0) &&
           !(len > 5 && strcmp(path + len - 5, ".lock") == 0);
}

static void put(const struct undo_record *r, const void *data, size_t len)
{
    const struct iovec parts[2] = {{(void *)(uintptr_t)r, sizeof *r},
                                   {(void *)(uintptr_t)data, len}};
    if (real_writev(log_fd, parts, 2) != (ssize_t)(sizeof *r + len)) {
        static const char text[] = "shim_undo: the undo log cannot be written\n";
        (void)!real_write(2, text, sizeof text - 1);
        abort();
    }
}

static struct undo_record record(enum undo_type type, const char *path)
{
    struct undo_record r = {.magic = UNDO_MAGIC, .type = type};
    snprintf(r.path, sizeof r.path, "%s", path);
    return r;
}

/* Log what `len` bytes at `offset` are now. Under the lock. */
static void save(int fd, off_t offset, size_t len)
{
    struct stat st;
    struct undo_record r = record(UNDO_WRITE, paths[fd]);
    char *old = NULL;
    if (fstat(fd, &st) != 0)
        abort();
    size_t there = offset >= st.st_size ? 0 : (size_t)(st.st_size - offset);
    size_t keep = len < there ? len : there;
    /* The watched descriptor may be write-only: read through another one. */
    if (keep) {
        int in = real_open(paths[fd], O_RDONLY | O_CLOEXEC);
        old = malloc(keep);
        if (in < 0 || !old || pread(in, old, keep, offset) != (ssize_t)keep)
            abort();
        real_close(in);
    }
    r.offset = offset;
    r.len = (int64_t)keep;
    r.size = st.st_size;
    put(&r, old, keep);
    free(old);
}

static bool is_watched_fd(int fd)
{
    return fd >= 0 && fd < FD_MAX && paths[fd];
}

static int opened(const char *path, int flags, mode_t mode)
{
    if (!watched(path))
        return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    bool existed = access(path, F_OK) == 0;
    if (!existed && (flags & O_CREAT)) {
        struct undo_record r = record(UNDO_CREATE, path);
        put(&r, NULL, 0);
    }
    int fd = real_open(path, flags & ~O_TRUNC, mode);
    if (fd >= 0 && fd < FD_MAX) {
        free(paths[fd]);
        paths[fd] = strdup(path);
        if (existed && (flags & O_TRUNC)) {
            save(fd, 0, SIZE_MAX);
            (void)!real_ftruncate(fd, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return opened(path, flags, mode);
}

/* openat with a path that is absolute or relative to the working directory is open. */
int openat(int at, const char *path, int flags, ...)
{
    static int (*real_openat)(int, const char *, int, ...);
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (at == AT_FDCWD || path[0] == '/')
        return opened(path, flags, mode);
    char full[UNDO_PATH_MAX * 2];
    pthread_mutex_lock(&lock);
    bool below = is_watched_fd(at);
    if (below)
        snprintf(full, sizeof full, "%s/%s", paths[at], path);
    if (!real_openat)
        FIND(real_openat, "openat64");
    pthread_mutex_unlock(&lock);
    return below ? opened(full, flags, mode) : real_openat(at, path, flags, mode);
}

int close(int fd)
{
    if (log_fd >= 0 && fd >= 0 && fd < FD_MAX) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

/* Run `op` on a descriptor after saving what it will overwrite. */
#define WATCHED(fd, offset, len, op) \
    do {                             \
        if (log_fd < 0)              \
            return op;               \
        pthread_mutex_lock(&lock);   \
        if (is_watched_fd(fd))       \
            save(fd, offset, len);   \
        __typeof__(op) result_ = op; \
        pthread_mutex_unlock(&lock); \
        return result_;              \
    } while (0)

/* Where write(2) will write: the end for O_APPEND, else the position. */
static off_t position(int fd)
{
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return lseek(fd, 0, SEEK_END);
    return lseek(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *parts, int n)
{
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += parts[i].iov_len;
    return len;
}

ssize_t write(int fd, const void *data, size_t len)
{
    WATCHED(fd, position(fd), len, real_write(fd, data, len));
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    WATCHED(fd, position(fd), total(parts, n), real_writev(fd, parts, n));
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    WATCHED(fd, offset, len, real_pwrite(fd, data, len, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
    WATCHED(fd, offset, len, real_pwrite(fd, data, len, offset));
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    WATCHED(fd, offset, total(parts, n), real_pwritev(fd, parts, n, offset));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off_t offset)
{
    WATCHED(fd, offset, total(parts, n), real_pwritev(fd, parts, n, offset));
}

int ftruncate(int fd, off_t size)
{
    WATCHED(fd, size, SIZE_MAX, real_ftruncate(fd, size));
}

int ftruncate64(int fd, off_t size)
{
    WATCHED(fd, size, SIZE_MAX, real_ftruncate(fd, size));
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    WATCHED(fd, offset, 0, real_fallocate(fd, mode, offset, len));
}

int fallocate64(int fd, int mode, off_t offset, off_t len)
{
    WATCHED(fd, offset, 0, real_fallocate(fd, mode, offset, len));
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
    WATCHED(fd, offset, 0, real_posix_fallocate(fd, offset, len));
}

int posix_fallocate64(int fd, off_t offset, off_t len)
{
    WATCHED(fd, offset, 0, real_posix_fallocate(fd, offset, len));
}

static int synced(int fd, int (*op)(int))
{
    if (log_fd < 0)
        return op(fd);
    char path[UNDO_PATH_MAX] = "";
    struct stat st;
    pthread_mutex_lock(&lock);
    if (is_watched_fd(fd))
        snprintf(path, sizeof path, "%s", paths[fd]);
    off_t upto = lseek(log_fd, 0, SEEK_END);
    pthread_mutex_unlock(&lock);
    int result = op(fd);
    if (!*path || lie || result != 0)
        return result;
    bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    struct undo_record r = record(is_dir ? UNDO_SYNC_DIR : UNDO_SYNC, path);
    r.offset = upto;
    pthread_mutex_lock(&lock);
    put(&r, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd)
{
    return synced(fd, real_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, real_fdatasync);
}

/* Keep what is at `path` under a name beside the log. */
static void back_up(const char *path, char out[UNDO_PATH_MAX])
{
    snprintf(out, UNDO_PATH_MAX, "%s.%d.%u", log_path, (int)getpid(), backups++);
    if (link(path, out) != 0)
        out[0] = '\0';
}

int unlink(const char *path)
{
    if (!watched(path))
        return real_unlink(path);
    pthread_mutex_lock(&lock);
    struct undo_record r = record(UNDO_UNLINK, path);
    back_up(path, r.other);
    if (*r.other)
        put(&r, NULL, 0);
    int result = real_unlink(path);
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to)
{
    if (!watched(from) || !watched(to))
        return real_rename(from, to);
    pthread_mutex_lock(&lock);
    struct undo_record r = record(UNDO_RENAME, from);
    snprintf(r.other, sizeof r.other, "%s", to);
    back_up(to, r.backup);
    put(&r, NULL, 0);
    int result = real_rename(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}
