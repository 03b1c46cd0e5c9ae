#include "worker/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool scratch_make(const char *parent, uid_t uid, gid_t gid, char *out, size_t size, struct err *e)
{
    int n = snprintf(out, size, "%s/paddock-test-XXXXXX", parent);
    if (n < 0 || (size_t)n >= size)
        return fail(e, &ERR_CONFIG, "the path of the scratch directory is too long");
    if (!mkdtemp(out))
        return fail_errno(e, &ERR_IO, "no directory can be made in %s", parent);
    if (uid && lchown(out, uid, gid) != 0)
        return fail_errno(e, &ERR_IO, "%s cannot be given away", out);
    return true;
}

void scratch_remove(const char *path)
{
    if (rmdir(path) == 0 || errno == ENOENT)
        return;
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_D) /* the plugin may have taken its own rights away */
            (void)chmod(entry->fts_accpath, 0700);
        else if (entry->fts_info == FTS_DP)
            (void)rmdir(entry->fts_accpath);
        else
            (void)unlink(entry->fts_accpath);
    }
    if (walk)
        fts_close(walk);
}

/* ---- one for many runs ---- */

bool scratch_need(struct scratch *s, const char *parent, struct err *e)
{
    if (*s->path && strcmp(s->parent, parent) == 0)
        return true;
    scratch_end(s);
    if (strlen(parent) >= sizeof s->parent)
        return fail(e, &ERR_CONFIG, "the path of the scratch directory is too long");
    if (parent != s->parent)
        memcpy(s->parent, parent, strlen(parent) + 1);
    if (scratch_make(parent, 0, 0, s->path, sizeof s->path, e))
        return true;
    *s->path = '\0';
    return false;
}

bool scratch_hand(struct scratch *s, uid_t uid, gid_t gid, struct err *e)
{
    struct stat st;
    if ((uid && lchown(s->path, uid, gid) != 0) || lstat(s->path, &st) != 0)
        return fail_errno(e, &ERR_IO, "%s cannot be given away", s->path);
    s->changed = st.st_ctim;
    return true;
}

static bool is_empty(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    while (n < 3 && readdir(dir))
        n++;
    closedir(dir);
    return n == 2;
}

/* No user can set the time of a change; but it is coarse on some file systems. */
static bool untouched(const struct scratch *s)
{
    struct stat st;
    return lstat(s->path, &st) == 0 && st.st_mode == (S_IFDIR | 0700) &&
           st.st_ctim.tv_sec == s->changed.tv_sec && st.st_ctim.tv_nsec == s->changed.tv_nsec &&
           is_empty(s->path);
}

void scratch_settle(struct scratch *s)
{
    if (*s->path && !untouched(s))
        scratch_end(s);
}

void scratch_end(struct scratch *s)
{
    if (*s->path)
        scratch_remove(s->path);
    *s->path = '\0';
}
