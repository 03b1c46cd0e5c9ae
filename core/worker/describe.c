#include "worker/describe.h"

#include "base/json.h"
#include "extend/plugin_fields.h"
#include "worker/confine.h"
#include "worker/load.h"

#include <unistd.h>

static const char *const KINDS[] = {
    [PADDOCK_KIND_TEST] = "test",
    [PADDOCK_KIND_STRATEGY] = "strategy",
    [PADDOCK_KIND_RUNTIME] = "runtime",
};

static const struct {
    uint32_t flag;
    const char *name;
} FLAGS[] = {
    {PADDOCK_ALONE, "alone"},
    {PADDOCK_NEEDS_BASELINE, "needs_baseline"},
    {PADDOCK_NEEDS_DATASET, "needs_dataset"},
};

static void put_flags(uint32_t flags, struct bytes *out)
{
    json_key(out, "flags");
    bytes_char(out, '[');
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        if (!(flags & FLAGS[i].flag))
            continue;
        if (out->data[out->len - 1] != '[')
            bytes_char(out, ',');
        json_put_string(out, FLAGS[i].name);
    }
    bytes_char(out, ']');
}

static void put_plugin(const struct loaded *l, struct bytes *out)
{
    const paddock_plugin *p = l->plugin;
    bytes_char(out, '{');
    json_kv_string(out, "kind", KINDS[p->kind]);
    json_kv_string(out, "id", p->id);
    json_kv_string(out, "version", p->version);
    json_kv_string(out, "summary", p->summary);
    json_key(out, "abi");
    bytes_printf(out, "[%u,%u]", p->abi_major, p->abi_minor);
    put_flags(p->flags, out);
    json_key(out, "config");
    plugin_fields_describe(p->config, out);
    json_key(out, "schema");
    plugin_fields_schema(p->config, out);
    json_kv_string(out, "sha256", l->sha256);
    bytes_char(out, '}');
}

bool describe_plugin(const char *file, const char *user, struct bytes *out, struct err *e)
{
    struct confine confine = {.memory_bytes = 1u << 30,
                              .scratch_bytes = 1u << 20,
                              .cpu_seconds = 10,
                              .processes = 16,
                              .open_files = 64};
    struct loaded loaded;
    int fd = load_open(file, e);
    if (fd < 0 || !confine_user(user, getpid(), &confine, e) || !confine_self(&confine, e) ||
        !load_plugin(fd, file, NULL, &loaded, e))
        return false;
    put_plugin(&loaded, out);
    return !out->full || fail(e, &ERR_INVALID, "%s: its description is too long", file);
}
