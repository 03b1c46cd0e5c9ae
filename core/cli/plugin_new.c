/* `paddock plugin new`: a plugin to begin with, from the template of the SDK. */
#include "cli/plugin.h"

#include "base/beside.h"
#include "base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE_ID "org.example.template"
#define FILE_MAX    (256u << 10)

static const char *const KINDS[] = {"test", "strategy", "runtime", NULL};
static const char *const AS_THEY_ARE[] = {"Makefile", "CMakeLists.txt", ".gitignore", NULL};

struct making {
    const char *id, *folder, *template;
};

static bool read_template(const char *path, struct bytes *out, struct err *e)
{
    FILE *f = fopen(path, "re");
    char chunk[4096];
    size_t n;
    if (!f)
        return fail_errno(e, &ERR_INVALID, "%s", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        bytes_add(out, chunk, n);
    bool good = !ferror(f) && !out->full;
    fclose(f);
    return good || fail(e, &ERR_INVALID, "%s cannot be read", path);
}

static void put_id(struct bytes *out, const char *text, const char *id)
{
    for (const char *found; (found = strstr(text, TEMPLATE_ID));
         text = found + strlen(TEMPLATE_ID)) {
        bytes_add(out, text, (size_t)(found - text));
        bytes_text(out, id);
    }
    bytes_text(out, text);
}

/* What is there already stays as it is. */
static bool write_new(const char *path, const struct bytes *text, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail_errno(e, &ERR_INVALID, "%s", path);
    bool good = write(fd, text->data, text->len) == (ssize_t)text->len;
    if (close(fd) != 0 || !good)
        return fail_errno(e, &ERR_INVALID, "%s", path);
    printf("made %s\n", path);
    return true;
}

static bool make_file(const struct making *m, const char *from, const char *to, struct err *e)
{
    char path[4096];
    struct bytes source = BYTES_INIT(FILE_MAX), text = BYTES_INIT(FILE_MAX);
    snprintf(path, sizeof path, "%s/%s", m->template, from);
    bool good = read_template(path, &source, e);
    if (good) {
        put_id(&text, source.data ? source.data : "", m->id);
        snprintf(path, sizeof path, "%s/%s", m->folder, to);
        good = write_new(path, &text, e);
    }
    bytes_release(&source);
    bytes_release(&text);
    return good;
}

static bool id_is_good(const char *id)
{
    size_t len = strlen(id);
    return len <= 64 && islower((unsigned char)id[0]) && strchr(id, '.') && id[len - 1] != '.' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static int make(const char *kind, const char *id, const char *folder, struct err *e)
{
    static const char *const PLACES[] = {"../share/paddock/template", "../../../sdk/template",
                                         NULL};
    char template[4096], name[80], from[80], to[96];
    const char *last = strrchr(id, '.') + 1;
    const struct making m = {.id = id, .folder = folder ? folder : last, .template = template};
    snprintf(name, sizeof name, "%.64s", last);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : *c;
    snprintf(from, sizeof from, "my_%s.c", kind);
    snprintf(to, sizeof to, "%s.c", name);
    if (!beside_find(PLACES, template, sizeof template))
        return fail(e, &ERR_CONFIG, "the template is not where this program looks for it") + 1;
    if (mkdir(m.folder, 0777) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_INVALID, "%s", m.folder) + 1;
    if (!make_file(&m, from, to, e))
        return 1;
    for (size_t i = 0; AS_THEY_ARE[i]; i++)
        if (!make_file(&m, AS_THEY_ARE[i], AS_THEY_ARE[i], e))
            return 1;
    printf("\nnext:\n  cd %s && make\n  paddock plugin check ./%s.so\n", m.folder, name);
    if (strcmp(kind, "test") == 0)
        printf("  paddock plugin run ./%s.so\n", name);
    return 0;
}

int plugin_new(int argc, char **argv)
{
    struct err e = {0};
    int status = 2;
    size_t kind = 0;
    while (argc > 0 && KINDS[kind] && strcmp(KINDS[kind], argv[0]) != 0)
        kind++;
    if (argc < 2 || argc > 3 || !KINDS[kind])
        fail(&e, &ERR_INVALID, "wanted are test, strategy or runtime, an id, and perhaps a folder");
    else if (!id_is_good(argv[1]))
        fail(&e, &ERR_INVALID,
             "'%s': an id is made of a-z, 0-9, '-', '_' and '.', and begins with a domain of "
             "yours: org.example.max-latency",
             argv[1]);
    else
        status = make(KINDS[kind], argv[1], argc == 3 ? argv[2] : NULL, &e);
    if (e.kind)
        fprintf(stderr, "paddock plugin new: %s\n", e.detail);
    return status;
}
