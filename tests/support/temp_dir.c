#include "support/temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_below(const char *base, char dir[TEMP_DIR_SIZE])
{
    snprintf(dir, TEMP_DIR_SIZE, "%s/paddock-XXXXXX", base);
    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        abort();
    }
}

void temp_dir_make(char dir[TEMP_DIR_SIZE])
{
    const char *base = getenv("TMPDIR");
    make_below(base && base[0] ? base : "/tmp", dir);
}

void temp_dir_make_fast(char dir[TEMP_DIR_SIZE])
{
    if (access("/dev/shm", W_OK) == 0)
        make_below("/dev/shm", dir);
    else
        temp_dir_make(dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void temp_dir_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
