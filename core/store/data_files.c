#include "store/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "incomplete"

/* What a server's own files are called; plugins' copies are made anew. */
static const char *const FOLDERS[] = {"records", "outcomes"};
static const char *const SINGLE[] = {"decision.keys"};
/* Beside them, what a store or a node leaves. */
static const char *const STORES[] = {
    "control.db",    "control.db-wal", "control.db-shm", "series.db",
    "series.db-wal", "series.db-shm",  "node",
};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool join(const char *dir, const char *file, char out[PATH_MAX], struct err *e)
{
    return snprintf(out, PATH_MAX, "%s/%s", dir, file) < PATH_MAX ||
           fail(e, &ERR_CONFIG, "the path of the data directory is too long");
}

/* A name that a server gives, and no file on its way to one. */
static bool is_name(const char *name)
{
    static const char GOOD[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len < 128 && name[0] != '.' && strspn(name, GOOD) == len &&
           !(len > 4 && strcmp(name + len - 4, ".new") == 0);
}

bool data_dir_is_file(const char *path)
{
    for (size_t i = 0; i < COUNT(SINGLE); i++)
        if (strcmp(path, SINGLE[i]) == 0)
            return true;
    for (size_t i = 0; i < COUNT(FOLDERS); i++) {
        size_t len = strlen(FOLDERS[i]);
        if (strncmp(path, FOLDERS[i], len) == 0 && path[len] == '/' && is_name(path + len + 1))
            return true;
    }
    return false;
}

static bool each_in(const char *dir, const char *folder,
                    bool (*each)(void *ctx, const char *path, struct err *e), void *ctx,
                    struct err *e)
{
    char path[PATH_MAX];
    if (!join(dir, folder, path, e))
        return false;
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT || fail_errno(e, &ERR_IO, "cannot read %s", path);
    bool ok = true;
    for (const struct dirent *file; ok && (file = readdir(d)) != NULL;)
        if (is_name(file->d_name))
            ok = join(folder, file->d_name, path, e) && each(ctx, path, e);
    closedir(d);
    return ok;
}

bool data_dir_files(const char *dir, bool (*each)(void *ctx, const char *path, struct err *e),
                    void *ctx, struct err *e)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(FOLDERS); i++)
        if (!each_in(dir, FOLDERS[i], each, ctx, e))
            return false;
    for (size_t i = 0; i < COUNT(SINGLE); i++)
        if (!join(dir, SINGLE[i], path, e) || (access(path, F_OK) == 0 && !each(ctx, SINGLE[i], e)))
            return false;
    return true;
}

/* --- being filled --- */

static bool sync_dir(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        fail_errno(e, &ERR_IO, "cannot make %s durable", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool take_away(void *ctx, const char *path, struct err *e)
{
    char whole[PATH_MAX];
    return join(ctx, path, whole, e) && (unlink(whole) == 0 || errno == ENOENT ||
                                         fail_errno(e, &ERR_IO, "cannot remove %s", whole));
}

static bool wipe(const char *dir, bool keep_node, struct err *e)
{
    for (size_t i = 0; i < COUNT(STORES) - keep_node; i++)
        if (!take_away((char *)dir, STORES[i], e))
            return false;
    if (!data_dir_files(dir, take_away, (char *)dir, e))
        return false;
    for (size_t i = 0; i < COUNT(FOLDERS); i++) {
        char path[PATH_MAX];
        if (!join(dir, FOLDERS[i], path, e))
            return false;
        if (rmdir(path) != 0 && errno != ENOENT && errno != ENOTEMPTY)
            return fail_errno(e, &ERR_IO, "cannot remove %s", path);
    }
    return true;
}

static bool is_there(void *ctx, const char *path, struct err *e)
{
    return fail(e, &ERR_CONFIG, "the directory %s is not empty: it has %s; nothing was changed",
                (const char *)ctx, path);
}

static bool check_empty(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(STORES); i++)
        if (!join(dir, STORES[i], path, e) ||
            (access(path, F_OK) == 0 && !is_there((char *)dir, STORES[i], e)))
            return false;
    return data_dir_files(dir, is_there, (char *)dir, e);
}

bool data_dir_begin(const char *dir, bool is_node, struct err *e)
{
    char path[PATH_MAX];
    if (!join(dir, MARK, path, e))
        return false;
    if (access(path, F_OK) == 0)
        return wipe(dir, is_node, e);
    if (!check_empty(dir, e))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(e, &ERR_IO, "cannot write %s", path);
    close(fd);
    return sync_dir(dir, e);
}

/* The names in the folders first: the mark goes only when all else is durable. */
bool data_dir_end(const char *dir, bool whole, struct err *e)
{
    char path[PATH_MAX];
    if (!whole && !wipe(dir, false, e))
        return false;
    for (size_t i = 0; i < COUNT(FOLDERS); i++)
        if (!join(dir, FOLDERS[i], path, e) || (access(path, F_OK) == 0 && !sync_dir(path, e)))
            return false;
    return sync_dir(dir, e) && take_away((char *)dir, MARK, e) && sync_dir(dir, e);
}

bool data_dir_whole(const char *dir, struct err *e)
{
    char path[PATH_MAX];
    return join(dir, MARK, path, e) &&
           (access(path, F_OK) != 0 ||
            fail(e, &ERR_CONFIG,
                 "the data directory %s is incomplete: an import into it or a backup to it was not "
                 "finished; run that again, which begins it anew",
                 dir));
}
