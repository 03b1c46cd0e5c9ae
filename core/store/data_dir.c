#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODE_FILE "node"

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

static bool path_of(const char *dir, const char *file, char out[PATH_MAX], struct err *e)
{
    return snprintf(out, PATH_MAX, "%s/%s", dir, file) < PATH_MAX ||
           fail(e, &ERR_CONFIG, "the path of the data directory is too long");
}

bool data_dir_embedded(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    if (!path_of(dir, NODE_FILE, path, e) || !data_dir_whole(dir, e))
        return false;
    return access(path, F_OK) != 0 ||
           fail(e, &ERR_CONFIG,
                "the data directory %s belongs to a node on a Redis: give MODEL_REGISTRY_REDIS_URL,"
                " or another --data-dir",
                dir);
}

/* Write it whole or not at all. */
static bool make_node(const char *dir, const char *path, const char node[ULID_SIZE], struct err *e)
{
    char fresh[PATH_MAX];
    if (!path_of(dir, NODE_FILE ".new", fresh, e))
        return false;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ssize_t len = ULID_SIZE - 1;
    bool ok = fd >= 0 && write(fd, node, (size_t)len) == len && fsync(fd) == 0 &&
              rename(fresh, path) == 0;
    if (!ok)
        fail_errno(e, &ERR_IO, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    sync_dir(dir);
    return ok;
}

bool data_dir_node(const char *dir, char out[ULID_SIZE], struct err *e)
{
    char path[PATH_MAX];
    if (!path_of(dir, CONTROL_SCHEMA.file, path, e))
        return false;
    if (access(path, F_OK) == 0)
        return fail(e, &ERR_CONFIG,
                    "the data directory %s holds an embedded store: give another --data-dir, or "
                    "unset MODEL_REGISTRY_REDIS_URL",
                    dir);
    if (!path_of(dir, NODE_FILE, path, e))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return fail_errno(e, &ERR_IO, "cannot read %s", path);
    if (fd < 0) {
        ulid_make(clock_wall_ms(&CLOCK_SYSTEM), out);
        return make_node(dir, path, out, e);
    }
    ssize_t len = read(fd, out, ULID_SIZE - 1);
    close(fd);
    if (len != ULID_SIZE - 1 || strnlen(out, ULID_SIZE - 1) != ULID_SIZE - 1)
        return fail(e, &ERR_CORRUPT, "%s does not hold what a start wrote there", path);
    out[ULID_SIZE - 1] = '\0';
    return true;
}
