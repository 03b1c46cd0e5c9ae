#include "moving/live_log.h"

#include "base/grow.h"
#include "base/mem.h"
#include "telemetry/block.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     ((size_t)256 << 10)
#define BODY_MAX  ((size_t)256 << 20)
#define UNSETTLED 500 /* so often in a row: it is damage, which a start on the copy will tell */

void live_log_init(struct live_log *l, const char *dir, const char *folder)
{
    *l = (struct live_log){.dir = dir, .folder = folder};
}

void live_log_release(struct live_log *l)
{
    for (size_t i = 0; i < l->n; i++)
        close(l->files[i].fd);
    free(l->files);
}

static bool path_of(const char *dir, const char *folder, const char *name, char out[PATH_MAX],
                    struct err *e)
{
    return snprintf(out, PATH_MAX, "%s/%s%s%s", dir, folder, *name ? "/" : "", name) < PATH_MAX ||
           fail(e, &ERR_CONFIG, "the path of the directory is too long");
}

/* --- what there is --- */

static int by_name(const void *a, const void *b)
{
    const struct live_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool is_open(const struct live_log *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->files[i].name, name) == 0)
            return true;
    return false;
}

static bool open_file(struct live_log *l, const char *name, bool segment, struct err *e)
{
    char path[PATH_MAX];
    if (!path_of(l->dir, l->folder, name, path, e))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) /* rolled up and released just now: not needed any more */
        return errno == ENOENT || fail_errno(e, &ERR_IO, "cannot read %s", path);
    GROW(l->files, l->n, l->cap);
    struct live_file *file = &l->files[l->n++];
    *file = (struct live_file){.fd = fd, .segment = segment};
    snprintf(file->name, sizeof file->name, "%s", name);
    return true;
}

bool live_log_open(struct live_log *l, bool segments, struct err *e)
{
    char path[PATH_MAX];
    if (!path_of(l->dir, l->folder, "", path, e))
        return false;
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT || fail_errno(e, &ERR_IO, "cannot read %s", path);
    bool ok = true;
    for (const struct dirent *file; ok && (file = readdir(d)) != NULL;) {
        const char *name = file->d_name;
        size_t len = strlen(name);
        bool segment = len > 4 && strcmp(name + len - 4, ".seg") == 0;
        bool passing = name[0] == '.' || (len > 4 && strcmp(name + len - 4, ".new") == 0);
        if (segment == segments && !passing && len < sizeof l->files->name && !is_open(l, name))
            ok = open_file(l, name, segment, e);
    }
    closedir(d);
    if (l->n)
        qsort(l->files, l->n, sizeof *l->files, by_name);
    return ok;
}

/* --- where it ends --- */

/* Is there a whole block at `at`? Then it is stepped over. `nothing`: nobody has written there. */
static bool step(int fd, uint64_t *at, bool *nothing)
{
    static const char ZERO[BLOCK_HEAD_SIZE];
    char head[BLOCK_HEAD_SIZE] = {0};
    struct block_head h;
    ssize_t n = pread(fd, head, sizeof head, (off_t)*at);
    *nothing = n == 0 || (n > 0 && memcmp(head, ZERO, (size_t)n) == 0);
    if (n != (ssize_t)sizeof head || !block_head_decode(&h, head) || block_size(&h) > BODY_MAX)
        return false;
    size_t len = block_size(&h) - BLOCK_HEAD_SIZE;
    char *body = mem_alloc(len + 1);
    bool whole = pread(fd, body, len, (off_t)(*at + BLOCK_HEAD_SIZE)) == (ssize_t)len &&
                 block_body_good(&h, body);
    free(body);
    *at += whole ? block_size(&h) : 0;
    return whole;
}

/* Only the last segment is written to. */
static struct live_file *tail_of(struct live_log *l)
{
    for (size_t i = l->n; i-- > 0;)
        if (l->files[i].segment)
            return &l->files[i];
    return NULL;
}

bool live_log_measure(struct live_log *l, bool *again, struct err *e)
{
    if (!live_log_open(l, true, e))
        return false;
    struct live_file *tail = tail_of(l);
    for (size_t i = 0; i < l->n; i++)
        if (&l->files[i] != tail)
            l->files[i].end = 0;
    if (!tail)
        return true;
    bool nothing = false;
    tail->end = tail->end ? tail->end : SEGMENT_HEAD_SIZE;
    while (step(tail->fd, &tail->end, &nothing))
        ;
    l->unsettled = nothing ? 0 : l->unsettled + 1;
    *again |= !nothing && l->unsettled < UNSETTLED;
    if (l->unsettled >= UNSETTLED)
        tail->end = 0;
    return true;
}

/* --- copying --- */

static bool copy_file(const struct live_file *file, const char *path, struct err *e)
{
    char *data = mem_alloc(PIECE);
    off_t at = 0, end = file->end ? (off_t)file->end : INT64_MAX;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    while (ok && at < end) {
        size_t want = end - at < (off_t)PIECE ? (size_t)(end - at) : PIECE;
        ssize_t n = pread(file->fd, data, want, at);
        ok = n >= 0 && pwrite(fd, data, (size_t)n, at) == n;
        if (n <= 0)
            break;
        at += n;
    }
    ok = ok && fsync(fd) == 0;
    if (!ok)
        fail_errno(e, &ERR_IO, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    free(data);
    return ok;
}

bool live_log_copy(const struct live_log *l, const char *to, struct err *e)
{
    char path[PATH_MAX];
    if (!path_of(to, l->folder, "", path, e))
        return false;
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_IO, "cannot make %s", path);
    for (size_t i = 0; i < l->n; i++)
        if (!path_of(to, l->folder, l->files[i].name, path, e) || !copy_file(&l->files[i], path, e))
            return false;
    return true;
}

bool live_log_copy_one(const char *dir, const char *to, const char *name, struct err *e)
{
    char from[PATH_MAX], path[PATH_MAX];
    if (!path_of(dir, name, "", from, e) || !path_of(to, name, "", path, e))
        return false;
    const struct live_file file = {.fd = open(from, O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return errno == ENOENT || fail_errno(e, &ERR_IO, "cannot read %s", from);
    bool ok = copy_file(&file, path, e);
    close(file.fd);
    return ok;
}
