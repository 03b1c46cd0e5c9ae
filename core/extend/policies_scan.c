/* The files of the catalog: looked at by their status, read when that changed, checked, swapped in.
 */
#include "base/log.h"
#include "base/mem.h"
#include "extend/lua_sandbox.h"
#include "extend/policies_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool same_stamp(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The whole file, at most one byte more than a source may have. */
static char *read_file(const char *path, size_t *len, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fail_errno(e, &ERR_POLICY, "%s", path);
        return NULL;
    }
    char *text = mem_alloc(SANDBOX_SOURCE_MAX + 1);
    size_t have = 0;
    ssize_t n = 1;
    while (have < SANDBOX_SOURCE_MAX + 1 && n != 0) {
        n = read(fd, text + have, SANDBOX_SOURCE_MAX + 1 - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail_errno(e, &ERR_POLICY, "%s", path);
            free(text);
            text = NULL;
            break;
        }
        have += (size_t)n;
    }
    close(fd);
    *len = have;
    return text;
}

/* Under the lock. */
static void set_error(struct policy_entry *entry, const char *detail, int64_t now)
{
    free(entry->file_error);
    entry->file_error = mem_text(detail);
    entry->file_error_at = now;
}

static void swap_in(struct policies *p, struct policy_entry *entry, struct policy_source *fresh,
                    const char *path, const struct err *e)
{
    struct policy_source *old = NULL;
    pthread_mutex_lock(&p->lock);
    if (fresh) {
        old = entry->source;
        entry->source = fresh;
        free(entry->file_error);
        free(entry->call_error);
        entry->file_error = entry->call_error = NULL;
    } else {
        set_error(entry, e->detail, clock_wall_ms(p->clock));
    }
    free(entry->path);
    entry->path = mem_text(path);
    pthread_mutex_unlock(&p->lock);
    policy_source_release(old);
    atomic_fetch_add(&p->generation, 1);
}

static void take_file(struct policies *p, struct policy_entry *entry, const char *path)
{
    struct err e = {0};
    size_t len = 0;
    struct policy_source *fresh = NULL;
    char *text = read_file(path, &len, &e);
    struct policy *checked = text ? policy_load(entry->kind, entry->name, text, len, &e) : NULL;
    if (checked)
        fresh = policy_source_new(checked, text, len, clock_wall_ms(p->clock));
    swap_in(p, entry, fresh, path, &e);
    if (fresh)
        log_event(LOG_INFO, "policy_loaded", "\"kind\":\"%s\",\"name\":\"%s\",\"sha256\":\"%s\"",
                  policy_kind_name(entry->kind), entry->name, fresh->hash);
    else
        log_text(LOG_WARN, "policy_broken", e.detail);
    policy_free(checked);
    free(text);
}

/* "name.lua" to "name". */
static bool policy_file_name(const char *file, char *out, size_t size)
{
    const char *dot = strrchr(file, '.');
    if (!dot || strcmp(dot, ".lua") != 0 || (size_t)(dot - file) >= size)
        return false;
    memcpy(out, file, (size_t)(dot - file));
    out[dot - file] = '\0';
    return policy_name_valid(out);
}

static void scan_dir(struct policies *p, const char *dir, enum policy_kind kind)
{
    char folder[PATH_MAX], path[PATH_MAX + 256], name[POLICY_NAME_MAX + 1];
    struct stat now;
    const struct dirent *file;
    snprintf(folder, sizeof folder, "%s/%s", dir, policy_kind_name(kind));
    DIR *d = opendir(folder);
    if (!d)
        return; /* a directory need not have both kinds */
    while ((file = readdir(d))) {
        if (!policy_file_name(file->d_name, name, sizeof name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        if (stat(path, &now) != 0 || !S_ISREG(now.st_mode))
            continue;
        struct policy_entry *entry = policies_file(p, kind, name);
        if (entry->seen == p->scans)
            continue; /* a directory before this one has the name */
        entry->seen = p->scans;
        bool known = (entry->source || entry->file_error) && same_stamp(&entry->stamp, &now);
        entry->stamp = now;
        if (!known)
            take_file(p, entry, path);
    }
    closedir(d);
}

/* Files that are gone. */
static void forget_missing(struct policies *p)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    pthread_mutex_lock(&p->lock);
    while (map_next(p->entries, &at, &key, &len, &value)) {
        struct policy_entry *entry = value;
        if (entry->stored || entry->seen == p->scans || (!entry->source && !entry->file_error))
            continue;
        policy_source_release(entry->source);
        entry->source = NULL;
        free(entry->file_error);
        free(entry->path);
        entry->file_error = entry->path = NULL;
        atomic_fetch_add(&p->generation, 1);
    }
    pthread_mutex_unlock(&p->lock);
}

void policies_scan(struct policies *p)
{
    p->scans++;
    for (size_t i = 0; p->dirs[i]; i++)
        for (int kind = 0; kind < POLICY_KIND_COUNT; kind++)
            scan_dir(p, p->dirs[i], (enum policy_kind)kind);
    forget_missing(p);
}

bool policies_shipped_dir(char *out, size_t size)
{
    static const char *const PLACES[] = {"../share/paddock/lua", "../../../scripts/lua"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    char *last = strrchr(self, '/');
    if (last)
        *last = '\0';
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        char *found = NULL;
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s", self, PLACES[i]);
        if ((found = realpath(path, NULL)) && strlen(found) < size) {
            snprintf(out, size, "%s", found);
            free(found);
            return true;
        }
        free(found);
    }
    return false;
}
