#include "worker/inspect.h"

#include "base/json.h"
#include "extend/plugin_fields.h"
#include "worker/holdings.h"
#include "worker/load.h"
#include "worker/symbols.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY   "paddock_plugin_entry"
#define SIGNALS 65

struct footprint {
    struct holdings holdings;
    struct sigaction actions[SIGNALS];
};

static void take_footprint(struct footprint *f)
{
    holdings_take(&f->holdings);
    for (int i = 1; i < SIGNALS; i++)
        if (sigaction(i, NULL, &f->actions[i]) != 0)
            f->actions[i].sa_handler = SIG_DFL;
}

/* ---- symbols ---- */

struct listing {
    void *object;
    struct bytes *exports, *accidental;
};

static void add_name(struct bytes *list, const char *name)
{
    if (list->data[list->len - 1] != '[')
        bytes_char(list, ',');
    json_put_string(list, name);
}

/* dlsym() on the object looks into it and what it names as needed, and nowhere else. */
static void see(const char *name, bool offered, void *arg)
{
    struct listing *l = arg;
    if (offered && strcmp(name, ENTRY) != 0 && *name != '_')
        add_name(l->exports, name);
    else if (!offered && !dlsym(l->object, name) && strncmp(name, "__", 2) != 0)
        add_name(l->accidental, name);
}

static bool put_symbols(void *object, const void *data, size_t size, struct bytes *out,
                        struct err *e)
{
    struct bytes exports = BYTES_INIT(64 << 10), accidental = BYTES_INIT(64 << 10);
    struct listing l = {object, &exports, &accidental};
    bytes_char(&exports, '[');
    bytes_char(&accidental, '[');
    bool good = symbols_each(data, size, see, &l, e);
    if (exports.full || accidental.full) /* then the lists tell enough */
        exports.len = accidental.len = 1;
    bytes_char(&exports, ']');
    bytes_char(&accidental, ']');
    json_kv_raw(out, "exports", exports.data);
    json_kv_raw(out, "accidental", accidental.data);
    bytes_release(&exports);
    bytes_release(&accidental);
    return good;
}

static void put_changes(const struct footprint *before, struct bytes *out)
{
    struct footprint after;
    take_footprint(&after);
    json_kv_int(out, "threads", (int64_t)(after.holdings.threads - before->holdings.threads));
    json_kv_int(out, "descriptors",
                (int64_t)(after.holdings.descriptors - before->holdings.descriptors));
    json_key(out, "handlers");
    bytes_char(out, '[');
    for (int i = 1; i < SIGNALS; i++) {
        const char *name = sigabbrev_np(i);
        if (after.actions[i].sa_handler != before->actions[i].sa_handler)
            add_name(out, name ? name : "a real-time signal");
    }
    bytes_char(out, ']');
}

/* ---- the entry ---- */

static const char *short_text(const char *text)
{
    return text && strnlen(text, 4096) < 4096 ? text : NULL;
}

static void put_entry(const paddock_plugin *p, struct bytes *out)
{
    static const char *const KINDS[] = {NULL, "test", "strategy", "runtime"};
    const uint32_t known = PADDOCK_ALONE | PADDOCK_NEEDS_BASELINE | PADDOCK_NEEDS_DATASET;
    struct err e;
    json_key(out, "abi");
    bytes_printf(out, "[%u,%u]", p->abi_major, p->abi_minor);
    if (p->abi_major != PADDOCK_ABI_MAJOR || p->abi_minor > PADDOCK_ABI_MINOR)
        return; /* who knows what follows */
    bool kind_known = p->kind >= PADDOCK_KIND_TEST && p->kind <= PADDOCK_KIND_RUNTIME;
    json_kv_int(out, "kind", p->kind);
    json_kv_string(out, "kind_name", kind_known ? KINDS[p->kind] : NULL);
    json_kv_string(out, "id", short_text(p->id));
    json_kv_string(out, "version", short_text(p->version));
    json_kv_string(out, "summary", short_text(p->summary));
    json_kv_int(out, "flags", p->flags & known);
    json_kv_int(out, "unknown_flags", p->flags & ~known);
    json_kv_string(out, "operations",
                   !kind_known || load_check_operations(p, &e) ? NULL : e.detail);
    json_kv_string(out, "config", plugin_fields_valid(p->config, &e) ? NULL : e.detail);
}

static bool inspect(const char *file, const void *data, size_t size, struct bytes *out,
                    struct err *e)
{
    struct footprint before;
    take_footprint(&before);
    void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *why = dlerror();
        return fail(e, &ERR_INVALID, "it cannot be loaded: %s", why ? why : "no memory");
    }
    bytes_char(out, '{');
    put_changes(&before, out);
    const paddock_plugin *entry = dlsym(object, ENTRY);
    if (!put_symbols(object, data, size, out, e))
        return false;
    json_kv_bool(out, "entry", entry != NULL);
    if (entry)
        put_entry(entry, out);
    bytes_char(out, '}');
    return !out->full || fail(e, &ERR_INVALID, "there is too much to tell");
}

bool inspect_plugin(const char *file, struct bytes *out, struct err *e)
{
    char path[4096]; /* dlopen() looks for a name without a slash elsewhere */
    struct stat st;
    snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file);
    int fd = load_open(path, e);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return fail(e, &ERR_INVALID, "it is no regular file, or an empty one");
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        return fail_errno(e, &ERR_INVALID, "it cannot be read");
    return inspect(path, data, (size_t)st.st_size, out, e);
}
