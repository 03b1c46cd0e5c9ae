/* `paddock export`, `import` and `backup`. */
#include "moving/moving.h"
#include "cli/cli.h"
#include "cli/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE_USAGE                                                                       \
    "       [--data-dir DIR] [--redis-url URL] [--redis-accept-loss]; the URL stands in " \
    "MODEL_REGISTRY_REDIS_URL, too\n"

static int complain(const char *command, const struct err *e)
{
    fprintf(stderr, "paddock %s: %s\n", command, e->detail);
    return e->kind == &ERR_CONFIG ? 2 : 1;
}

/* Options of the place, and one word at most; NULL in `word` if there is none. */
static bool read_args(int argc, char **argv, struct place_args *place, const char **word)
{
    *word = NULL;
    place_defaults(place);
    for (int i = 0; i < argc; i++) {
        if (place_option(place, argc, argv, &i))
            continue;
        if (strncmp(argv[i], "--", 2) == 0 || *word)
            return false;
        *word = argv[i];
    }
    return true;
}

static void tell(const char *what, const struct moved *m)
{
    fprintf(stderr,
            "%s %" PRIu64 " journal entries, %" PRIu64 " entities, %" PRIu64 " keys, %" PRIu64
            " jobs, %" PRIu64 " records of series, %" PRIu64 " files in %" PRIu64 " lines\n",
            what, m->entries, m->entities, m->keys, m->jobs, m->records, m->files, m->lines);
}

/* --- export --- */

/* Only whole exports keep their name. */
static FILE *open_output(const char *path, struct err *e)
{
    if (!path)
        return stdout;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f)
        fail_errno(e, &ERR_CONFIG, "cannot make %s", path);
    return f;
}

static bool close_output(FILE *f, const char *path, bool good, struct err *e)
{
    if (!path)
        return good;
    bool synced = fflush(f) == 0 && fsync(fileno(f)) == 0;
    synced = fclose(f) == 0 && synced;
    if (good && !synced)
        good = fail_errno(e, &ERR_IO, "cannot write %s", path);
    if (!good)
        unlink(path);
    return good;
}

static bool export_to(const struct place_args *place, const char *path, struct moved *moved,
                      struct err *e)
{
    int lock = place_lock(place, e);
    struct store *s = lock >= 0 ? place_open(place, e) : NULL;
    FILE *f = s ? open_output(path, e) : NULL;
    bool ok = f && store_export(s, place->data_dir, f, moved, e);
    if (f)
        ok = close_output(f, path, ok, e);
    if (s)
        s->ops->close(s);
    if (lock >= 0)
        close(lock);
    return ok;
}

int cli_export(int argc, char **argv)
{
    struct place_args place;
    struct moved moved = {0};
    struct err e = {0};
    const char *path;
    if (!read_args(argc, argv, &place, &path)) {
        fputs("usage: paddock export [FILE]        (without FILE: standard output)\n" PLACE_USAGE,
              stderr);
        return 2;
    }
    if (!export_to(&place, path, &moved, &e))
        return complain("export", &e);
    tell("exported", &moved);
    return 0;
}

/* --- import --- */

static bool import_from(const struct place_args *place, FILE *f, struct moved *moved, struct err *e)
{
    int lock = place_lock(place, e);
    struct store *s = lock >= 0 ? place_begin(place, e) : NULL;
    bool ok = s && store_import(s, place->data_dir, f, moved, e);
    struct err why = {0};
    if (s && !place_end(place, s, ok, ok ? e : &why)) {
        if (!ok)
            fprintf(stderr, "paddock import: what was imported is left behind: %s\n", why.detail);
        ok = false;
    }
    if (lock >= 0)
        close(lock);
    return ok;
}

/* A directory can be opened as well, and is found out when it is read. */
static FILE *open_input(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f || fstat(fileno(f), &st) != 0 || !S_ISDIR(st.st_mode))
        return f;
    fclose(f);
    errno = EISDIR;
    return NULL;
}

int cli_import(int argc, char **argv)
{
    struct place_args place;
    struct moved moved = {0};
    struct err e = {0};
    const char *path;
    umask(0077); /* as the server's: what it makes is a data directory */
    if (!read_args(argc, argv, &place, &path) || !path) {
        fputs("usage: paddock import FILE          (-: standard input)\n" PLACE_USAGE, stderr);
        return 2;
    }
    FILE *f = strcmp(path, "-") == 0 ? stdin : open_input(path);
    if (!f) {
        fail_errno(&e, &ERR_CONFIG, "cannot read %s", path);
        return complain("import", &e);
    }
    bool ok = import_from(&place, f, &moved, &e);
    if (f != stdin)
        fclose(f);
    if (!ok)
        return complain("import", &e);
    tell("imported", &moved);
    return 0;
}

/* --- backup --- */

int cli_backup(int argc, char **argv)
{
    struct place_args place;
    struct err e = {0};
    const char *to;
    umask(0077);
    if (!read_args(argc, argv, &place, &to) || !to) {
        fputs("usage: paddock backup TO [--data-dir DIR]     (an embedded store, in use or not)\n",
              stderr);
        return 2;
    }
    return store_backup(place.data_dir, to, &e) ? 0 : complain("backup", &e);
}
