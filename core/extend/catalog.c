#include "extend/catalog.h"

#include "base/log.h"
#include "base/mem.h"
#include "extend/catalog_file.h"
#include "extend/catalog_set.h"
#include "extend/plugin_fields.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".so"

struct catalog {
    struct catalog_config config;
    char *copies; /* absolute path of the folder of copies */
    int copies_fd;
    pthread_mutex_t reloading; /* held through a reload */
    pthread_mutex_t lock;      /* of `current` and of all holders */
    struct catalog_set *current;
};

/* ---- one file ---- */

static void put_out(struct catalog_set *s, struct plugin *p, const char *why)
{
    p->copy = NULL;
    p->why = arena_text(s->arena, *why ? why : "it cannot be used");
}

/* Messages of the worker begin with the file it was given, a copy's, which tells nobody anything.
 */
static const char *without_path(struct catalog_set *s, const char *text, const char *path)
{
    size_t len = strlen(path);
    while (strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0)
        text += len + 2;
    bool subject = strncmp(text, path, len) == 0 && text[len] == ' ';
    return subject ? arena_printf(s->arena, "it%s", text + len) : text;
}

static bool describe(struct catalog *c, struct catalog_set *s, struct catalog_entry *entry,
                     int64_t end_ns, struct err *e)
{
    struct plugin *p = &entry->plugin;
    const char *known = catalog_set_description(c->current, p->sha256);
    if (known)
        return catalog_entry_describe(s, entry, known, e);
    if (clock_mono_ns(c->config.clock) >= end_ns)
        return fail(e, &ERR_INVALID, "the files before it took too long; reload to look at it");
    struct arena *a = arena_new(4 * CATALOG_DESCRIPTION);
    const char *text = worker_describe(c->config.worker, p->copy, a, e);
    bool good = text && catalog_entry_describe(s, entry, text, e);
    arena_free(a);
    return good;
}

static void take_file(struct catalog *c, struct catalog_set *s, int dir, const char *name,
                      struct catalog_entry *entry, int64_t end_ns)
{
    struct plugin *p = &entry->plugin;
    char hex[SHA256_HEX_SIZE];
    struct err e = {0};
    bool good = plugin_file_copy(dir, name, c->copies_fd, hex, &e);
    if (*hex)
        p->sha256 = arena_text(s->arena, hex);
    if (!good) {
        put_out(s, p, e.detail);
        return;
    }
    p->copy = arena_printf(s->arena, "%s/%s%s", c->copies, hex, SUFFIX);
    const char *copy = p->copy;
    if (!describe(c, s, entry, end_ns, &e))
        put_out(s, p, without_path(s, e.detail, copy));
}

/* ---- directories ---- */

static int is_plugin(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);
    return entry->d_name[0] != '.' && len > suffix &&
           strcmp(entry->d_name + len - suffix, SUFFIX) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void take_directory(struct catalog *c, struct catalog_set *s, const char *path, bool bundled,
                           int64_t end_ns)
{
    struct err e = {0};
    struct dirent **names = NULL;
    int dir = plugin_dir_open(path, &e);
    int n = dir < 0 ? -1 : scandirat(dir, ".", &names, is_plugin, by_name);
    if (n < 0) {
        if (dir >= 0)
            fail_errno(&e, &ERR_INVALID, "the directory cannot be read");
        struct catalog_entry *entry = catalog_set_add(s, path, bundled);
        if (entry)
            put_out(s, &entry->plugin, e.detail);
    }
    for (int i = 0; i < n; i++) {
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        struct catalog_entry *entry = catalog_set_add(s, file, bundled);
        if (entry)
            take_file(c, s, dir, names[i]->d_name, entry, end_ns);
        else
            log_text(LOG_WARN, "plugin_left_out", file);
        free(names[i]);
    }
    free(names);
    if (dir >= 0)
        close(dir);
}

/* ---- the catalog ---- */

static void report(const struct plugin_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (!p->why)
            continue;
        struct bytes text = BYTES_INIT(8192);
        bytes_printf(&text, "%s: %s", p->file, p->why);
        log_text(LOG_WARN, "plugin_out", text.data);
        bytes_release(&text);
    }
    log_event(LOG_INFO, "plugins", "\"loaded\":%zu,\"out\":%zu", set->n_loaded,
              set->n - set->n_loaded);
}

void catalog_reload(struct catalog *c)
{
    pthread_mutex_lock(&c->reloading);
    struct catalog_set *next = catalog_set_new();
    int64_t end_ns = clock_mono_ns(c->config.clock) + CATALOG_LOAD_NS;
    if (c->config.bundled_dir)
        take_directory(c, next, c->config.bundled_dir, true, end_ns);
    for (size_t i = 0; c->config.dirs && c->config.dirs[i]; i++)
        take_directory(c, next, c->config.dirs[i], false, end_ns);
    catalog_set_finish(next, c->current, clock_wall_ms(c->config.clock));
    report(&next->set);
    pthread_mutex_lock(&c->lock);
    struct catalog_set *old = c->current;
    c->current = next;
    pthread_mutex_unlock(&c->lock);
    if (old)
        catalog_give(c, &old->set);
    pthread_mutex_unlock(&c->reloading);
}

const struct plugin_set *catalog_take(struct catalog *c)
{
    pthread_mutex_lock(&c->lock);
    struct catalog_set *s = c->current;
    s->holders++;
    pthread_mutex_unlock(&c->lock);
    return &s->set;
}

void catalog_give(struct catalog *c, const struct plugin_set *set)
{
    struct catalog_set *s = (struct catalog_set *)(uintptr_t)set;
    pthread_mutex_lock(&c->lock);
    bool last = --s->holders == 0;
    pthread_mutex_unlock(&c->lock);
    if (last)
        catalog_set_free(s);
}

/* Copies that no plugin has any more, and what a crash left half-written. */
static void remove_old_copies(struct catalog *c)
{
    struct dirent **names = NULL;
    int n = scandirat(c->copies_fd, ".", &names, NULL, by_name);
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        size_t len = strspn(name, "0123456789abcdef");
        bool ours = len == SHA256_HEX_SIZE - 1 &&
                    (strcmp(name + len, SUFFIX) == 0 || strcmp(name + len, ".new") == 0);
        bool wanted = false;
        for (size_t k = 0; ours && k < c->current->set.n; k++) {
            const struct plugin *p = &c->current->entries[k].plugin;
            wanted = wanted || (p->copy && strncmp(p->sha256, name, len) == 0);
        }
        if (ours && !wanted)
            unlinkat(c->copies_fd, name, 0);
        free(names[i]);
    }
    free(names);
}

static bool open_copies(struct catalog *c, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/plugins", c->config.data_dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_CONFIG, "%s cannot be made", path);
    c->copies_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->copies_fd < 0 || !(c->copies = realpath(path, NULL)))
        return fail_errno(e, &ERR_CONFIG, "%s cannot be opened", path);
    return true;
}

struct catalog *catalog_open(const struct catalog_config *config, struct err *e)
{
    struct catalog *c = mem_zero(1, sizeof *c);
    c->config = *config;
    c->copies_fd = -1;
    pthread_mutex_init(&c->reloading, NULL);
    pthread_mutex_init(&c->lock, NULL);
    if (!open_copies(c, e)) {
        catalog_close(c);
        return NULL;
    }
    catalog_reload(c);
    remove_old_copies(c);
    return c;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    catalog_set_free(c->current);
    if (c->copies_fd >= 0)
        close(c->copies_fd);
    free(c->copies);
    pthread_mutex_destroy(&c->reloading);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- for those who ask ---- */

const struct plugin *plugin_find(const struct plugin_set *set, enum plugin_kind kind,
                                 const char *id)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (!p->why && p->kind == kind && strcmp(p->id, id) == 0)
            return p;
    }
    return NULL;
}

json_t *plugin_check_config(const struct plugin *p, const json_t *config, const char *pointer,
                            struct faults *f)
{
    return plugin_fields_check(p->config, config, pointer, CONFIG_FROM_BODY, f);
}

bool catalog_check_config(struct catalog *c, enum plugin_kind kind, const char *id,
                          const char *id_pointer, const json_t *config, const char *config_pointer,
                          struct faults *f)
{
    const struct plugin_set *set = catalog_take(c);
    const struct plugin *p = plugin_find(set, kind, id);
    json_t *checked = NULL;
    if (p)
        checked = plugin_check_config(p, config, config_pointer, f);
    else
        fault_add(f, &ERR_INVALID, id_pointer, "no %s plugin has the id '%.128s'",
                  plugin_kind_name(kind), id);
    bool good = checked != NULL;
    json_decref(checked);
    catalog_give(c, set);
    return good;
}

void plugin_used(const struct plugin *p, bool failed)
{
    if (!p->uses)
        return;
    atomic_fetch_add_explicit(&p->uses->calls, 1, memory_order_relaxed);
    if (failed)
        atomic_fetch_add_explicit(&p->uses->failures, 1, memory_order_relaxed);
}

void plugin_uses(const struct plugin *p, uint64_t *calls, uint64_t *failures)
{
    *calls = p->uses ? atomic_load_explicit(&p->uses->calls, memory_order_relaxed) : 0;
    *failures = p->uses ? atomic_load_explicit(&p->uses->failures, memory_order_relaxed) : 0;
}
