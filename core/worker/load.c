#include "worker/load.h"

#include "base/hash.h"
#include "extend/plugin_fields.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 20)

int load_open(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail_errno(e, &ERR_INVALID, "%s cannot be opened", path);
    return fd;
}

static bool read_hash(int fd, size_t size, char out[65], struct err *e)
{
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        return fail_errno(e, &ERR_INVALID, "the file cannot be read");
    sha256_hex(data, size, out);
    munmap(data, size);
    return true;
}

/* A copy in memory, for a file that only its owner may read, who we are no longer. */
static int copy_file(int fd, size_t size)
{
    int copy = memfd_create("paddock-plugin", MFD_CLOEXEC);
    off_t at = 0;
    while (copy >= 0 && (size_t)at < size) {
        char chunk[65536];
        ssize_t n = pread(fd, chunk, sizeof chunk, at);
        if (n <= 0 || write(copy, chunk, (size_t)n) != n) {
            close(copy);
            return -1;
        }
        at += n;
    }
    return copy;
}

static void *open_object(int fd, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (access(path, R_OK) == 0)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    int copy = copy_file(fd, size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    return copy < 0 ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/* ---- is the entry right? ---- */

static bool id_is_valid(const char *id)
{
    size_t len = strnlen(id, 65);
    return len >= 1 && len <= 64 && islower((unsigned char)id[0]) &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

bool load_check_operations(const paddock_plugin *p, struct err *e)
{
    if (!p->ops)
        return fail(e, &ERR_INVALID, "it has no table of functions");
    if (p->kind == PADDOCK_KIND_TEST) {
        const paddock_test_ops *ops = p->ops;
        return ops->run || fail(e, &ERR_INVALID, "a test needs run()");
    }
    if (p->kind == PADDOCK_KIND_STRATEGY) {
        const paddock_strategy_ops *ops = p->ops;
        if (!ops->save != !ops->load)
            return fail(e, &ERR_INVALID, "a strategy needs both save() and load(), or none");
        return ops->weigh || fail(e, &ERR_INVALID, "a strategy needs weigh()");
    }
    const paddock_runtime_ops *ops = p->ops;
    return (ops->open && ops->close && ops->infer) ||
           fail(e, &ERR_INVALID, "a runtime needs open(), close() and infer()");
}

static bool check_entry(const paddock_plugin *p, struct err *e)
{
    if (p->abi_major != PADDOCK_ABI_MAJOR || p->abi_minor > PADDOCK_ABI_MINOR)
        return fail(e, &ERR_INVALID,
                    "it was built for version %u.%u of plugin.h; this host has %u.%u", p->abi_major,
                    p->abi_minor, PADDOCK_ABI_MAJOR, PADDOCK_ABI_MINOR);
    if (p->kind < PADDOCK_KIND_TEST || p->kind > PADDOCK_KIND_RUNTIME)
        return fail(e, &ERR_INVALID, "it is of the unknown kind %u", p->kind);
    if (!p->id || !id_is_valid(p->id))
        return fail(e, &ERR_INVALID, "its id must be [a-z][a-z0-9._-]{0,63}");
    if (!p->version || !*p->version || strnlen(p->version, 65) > 64)
        return fail(e, &ERR_INVALID, "its version must have 1 to 64 bytes");
    if (!p->summary || !*p->summary || strnlen(p->summary, 201) > 200 || strchr(p->summary, '\n'))
        return fail(e, &ERR_INVALID, "its summary must be one line of 1 to 200 bytes");
    return load_check_operations(p, e) && plugin_fields_valid(p->config, e);
}

/* Where the object lies: what a crash's address is compared with. (dl_iterate_phdr() would touch a
 * page of each library that is loaded.) */
static void find_range(struct loaded *out)
{
    struct dl_find_object found;
    if (_dl_find_object((void *)(uintptr_t)out->plugin, &found) != 0)
        return;
    out->begin = (uintptr_t)found.dlfo_map_start;
    out->end = (uintptr_t)found.dlfo_map_end;
}

bool load_plugin(int fd, const char *name, const char *sha256, struct loaded *out, struct err *e)
{
    struct stat st;
    struct err why;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX)
        return fail(e, &ERR_INVALID, "%s is no regular file of up to 256 MiB", name);
    if (!read_hash(fd, (size_t)st.st_size, out->sha256, &why))
        return fail(e, &ERR_INVALID, "%s: %s", name, why.detail);
    if (sha256 && strcmp(sha256, out->sha256) != 0)
        return fail(e, &ERR_INVALID, "%s has changed: its SHA-256 is %s", name, out->sha256);
    void *object = open_object(fd, (size_t)st.st_size);
    if (!object) {
        const char *text = dlerror(), *colon = text ? strstr(text, ": ") : NULL;
        if (colon && strncmp(text, "/proc/", 6) == 0)
            text = colon + 2; /* the reader knows the file by another name */
        return fail(e, &ERR_INVALID, "%s cannot be loaded: %s", name, text ? text : "no memory");
    }
    out->plugin = dlsym(object, "paddock_plugin_entry");
    if (!out->plugin)
        return fail(e, &ERR_INVALID, "%s does not export paddock_plugin_entry", name);
    find_range(out);
    if (!check_entry(out->plugin, &why))
        return fail(e, &ERR_INVALID, "%s: %s", name, why.detail);
    return true;
}
