#include "worker/try.h"

#include "base/json.h"
#include "extend/plugin_fields.h"
#include "worker/host_parts.h"
#include "worker/load.h"
#include "worker/run.h"

#include <string.h>

#define TRY_NS UINT64_C(60000000000) /* whoever started us ends us before that */

bool trial_skip(struct trial *t, struct err *e, const char *why)
{
    t->skipped = true;
    return fail(e, &ERR_INVALID, "%s", why);
}

static bool check_config(struct trial *t, const char *text, struct err *e)
{
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    t->given = json_read(text, strlen(text), e);
    t->config = t->given
                    ? plugin_fields_check(t->plugin->config, t->given, "", CONFIG_FROM_SERVER, f)
                    : NULL;
    if (t->given && !t->config)
        fail(e, &ERR_INVALID, "it cannot be tried with this configuration (--config): %s %s",
             f->listed ? f->list[0].pointer : "", f->listed ? f->list[0].detail : "");
    arena_free(a);
    return t->config != NULL;
}

static const struct scenario *find(const struct trial *t, const char *name)
{
    const struct scenario *s =
        t->plugin->kind == PADDOCK_KIND_STRATEGY ? STRATEGY_SCENARIOS : RUNTIME_SCENARIOS;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    return s->name && t->plugin->kind != PADDOCK_KIND_TEST ? s : NULL;
}

static void put_outcome(bool ok, const struct trial *t, const struct err *e, struct bytes *out)
{
    bytes_char(out, '{');
    json_kv_bool(out, "ok", ok);
    json_kv_bool(out, "skipped", t->skipped);
    json_kv_bool(out, "configured", t->config != NULL);
    json_kv_string(out, "detail", ok ? "" : e->detail);
    bytes_char(out, '}');
}

bool try_plugin(const char *file, const char *name, uint64_t seed, const char *config,
                struct bytes *out, struct err *e)
{
    struct loaded loaded;
    struct trial t = {.file = file, .seed = seed};
    RUN.start_ns = run_now_ns();
    RUN.deadline_ns = RUN.start_ns + TRY_NS;
    int fd = load_open(file, e);
    if (fd < 0 || !load_plugin(fd, file, NULL, &loaded, e))
        return false;
    t.plugin = loaded.plugin;
    const struct scenario *s = find(&t, name);
    if (!s)
        return fail(e, &ERR_INVALID, "'%s' is no scenario of its kind", name);
    if (!check_config(&t, config, e)) {
        t.skipped = true;
        put_outcome(false, &t, e, out);
        return true;
    }
    bool ok = s->run(&t, e);
    put_outcome(ok, &t, e, out);
    return !out->full;
}
