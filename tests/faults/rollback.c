/* rollback LOG SEED: put the watched files back to what a disk holds that lost unsynced writes.
 *
 * For each file the synced records stay, and of the rest a random number from the front (a disk may
 * have written some of them by itself); everything after is undone, newest first. Prints what it
 * did. */
#include "undo.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096

struct entry {
    struct undo_record r;
    const char *data;
    int64_t at; /* where in the log */
    bool keep;
};

struct file {
    char path[UNDO_PATH_MAX];
    int64_t synced; /* records before this byte of the log are on disk */
    size_t loose;   /* records that are not */
    size_t lucky;   /* of them stay */
};

static struct file files[FILES_MAX];
static size_t n_files;

static struct file *file_of(const char *path)
{
    for (size_t i = 0; i < n_files; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    if (n_files == FILES_MAX) {
        fputs("rollback: too many files\n", stderr);
        exit(1);
    }
    struct file *f = &files[n_files++];
    memcpy(f->path, path, UNDO_PATH_MAX);
    return f;
}

static void parent(const char *path, char out[UNDO_PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, UNDO_PATH_MAX, "%.*s", (int)(slash - path), path);
}

static bool is_name(const struct entry *e)
{
    return e->r.type == UNDO_UNLINK || e->r.type == UNDO_RENAME;
}

/* The file or, for changes of names, the directory whose sync makes it last. */
static struct file *owner(const struct entry *e)
{
    char dir[UNDO_PATH_MAX] = "";
    if (!is_name(e))
        return file_of(e->r.path);
    parent(e->r.path, dir);
    return file_of(dir);
}

static size_t read_log(const char *path, struct entry **out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return 0;
    char *log = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    struct entry *list = NULL;
    size_t n = 0;
    for (int64_t at = 0; at + (int64_t)sizeof(struct undo_record) <= st.st_size;) {
        list = realloc(list, (n + 1) * sizeof *list);
        struct entry *e = &list[n];
        memcpy(&e->r, log + at, sizeof e->r);
        e->data = log + at + sizeof e->r;
        e->at = at;
        e->keep = false;
        int64_t more = e->r.type == UNDO_WRITE ? e->r.len : 0;
        if (e->r.magic != UNDO_MAGIC || at + (int64_t)sizeof e->r + more > st.st_size)
            break; /* the record that the kill cut off: its change did not happen */
        at += (int64_t)sizeof e->r + more;
        n++;
    }
    *out = list;
    return n;
}

static void undo_write(const struct entry *e)
{
    int fd = open(e->r.path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* removed or renamed since, and that stays */
    if ((e->r.len && pwrite(fd, e->data, (size_t)e->r.len, e->r.offset) != e->r.len) ||
        ftruncate(fd, e->r.size) != 0)
        perror(e->r.path);
    close(fd);
}

static void undo(const struct entry *e)
{
    switch (e->r.type) {
    case UNDO_CREATE: unlink(e->r.path); break;
    case UNDO_WRITE: undo_write(e); break;
    case UNDO_UNLINK:
        if (access(e->r.path, F_OK) != 0 && link(e->r.other, e->r.path) != 0)
            perror(e->r.path);
        break;
    case UNDO_RENAME:
        if (rename(e->r.other, e->r.path) != 0 ||
            (*e->r.backup && link(e->r.backup, e->r.other) != 0))
            perror(e->r.path);
        break;
    default: break;
    }
}

int main(int argc, char **argv)
{
    struct entry *list = NULL;
    size_t undone = 0, kept = 0;
    if (argc != 3) {
        fputs("usage: rollback LOG SEED\n", stderr);
        return 2;
    }
    size_t n = read_log(argv[1], &list);
    srand((unsigned)strtoul(argv[2], NULL, 10));
    for (size_t i = 0; i < n; i++)
        if (list[i].r.type == UNDO_SYNC || list[i].r.type == UNDO_SYNC_DIR)
            file_of(list[i].r.path)->synced = list[i].r.offset;
    for (size_t i = 0; i < n; i++)
        if (list[i].at >= owner(&list[i])->synced)
            owner(&list[i])->loose++;
    for (size_t i = 0; i < n_files; i++)
        files[i].lucky = rand() % 2 ? 0 : (size_t)rand() % (files[i].loose + 1);
    for (size_t i = 0; i < n; i++) {
        struct file *f = owner(&list[i]);
        list[i].keep = list[i].at < f->synced || f->lucky > 0;
        if (list[i].at >= f->synced && f->lucky > 0)
            f->lucky--, kept++;
    }
    for (size_t i = n; i-- > 0;) {
        if (list[i].keep || list[i].r.type == UNDO_SYNC || list[i].r.type == UNDO_SYNC_DIR)
            continue;
        undo(&list[i]);
        undone++;
    }
    printf("%zu records, %zu undone, %zu unsynced ones kept\n", n, undone, kept);
    return 0;
}
