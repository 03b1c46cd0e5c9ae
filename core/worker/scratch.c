#include "worker/scratch.h"

#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
