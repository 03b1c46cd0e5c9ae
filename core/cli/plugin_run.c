/* `paddock plugin run`: a test against a model, without a server. */
#include "cli/plugin.h"

#include "base/json.h"

#include <paddock/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const BETTER[] = {[PADDOCK_NEITHER] = "neither",
                                     [PADDOCK_LOWER] = "lower",
                                     [PADDOCK_HIGHER] = "higher",
                                     [PADDOCK_TARGET] = "target"};

static const char *better_name(unsigned better)
{
    return better < sizeof BETTER / sizeof *BETTER ? BETTER[better] : BETTER[0];
}

static void show(const struct worker_result *r)
{
    printf("%s  %s %s: %s (%.1f ms)\n", WORKER_STATUS_NAMES[r->status],
           r->plugin_id ? r->plugin_id : "?", r->plugin_version ? r->plugin_version : "?",
           r->message, r->duration_ms);
    for (size_t i = 0; i < r->n_checks; i++) {
        const struct worker_check *c = &r->checks[i];
        printf("  %-6s  %s: %s\n", c->ok ? "ok" : c->warn ? "warn" : "FAILED", c->name, c->detail);
    }
    for (size_t i = 0; i < r->n_measurements; i++) {
        const struct worker_measurement *m = &r->measurements[i];
        printf("  %s = %.6g%s%s", m->name, m->value, m->unit ? " " : "", m->unit ? m->unit : "");
        if (m->better)
            printf(", better %s", better_name(m->better));
        if (m->samples)
            printf(", of %llu samples", (unsigned long long)m->samples);
        putchar('\n');
    }
    if (r->log_len)
        printf("log\n%.*s%s", (int)r->log_len, r->log, r->log[r->log_len - 1] == '\n' ? "" : "\n");
}

static void put_checks(const struct worker_result *r, struct bytes *out)
{
    json_key(out, "checks");
    bytes_char(out, '[');
    for (size_t i = 0; i < r->n_checks; i++) {
        const struct worker_check *c = &r->checks[i];
        bytes_text(out, i ? ",{" : "{");
        json_kv_string(out, "name", c->name);
        json_kv_bool(out, "ok", c->ok);
        json_kv_string(out, "level", c->warn ? "warn" : "fail");
        json_kv_string(out, "detail", c->detail);
        bytes_char(out, '}');
    }
    bytes_char(out, ']');
}

static void put_measurements(const struct worker_result *r, struct bytes *out)
{
    json_key(out, "measurements");
    bytes_char(out, '[');
    for (size_t i = 0; i < r->n_measurements; i++) {
        const struct worker_measurement *m = &r->measurements[i];
        bytes_text(out, i ? ",{" : "{");
        json_kv_string(out, "name", m->name);
        json_kv_number(out, "value", m->value);
        json_kv_string(out, "unit", m->unit);
        json_kv_string(out, "better", m->better ? better_name(m->better) : NULL);
        json_kv_number(out, "target", m->better == PADDOCK_TARGET ? m->target : NAN);
        json_kv_int(out, "samples", (int64_t)m->samples);
        json_kv_number(out, "variance", m->variance);
        bytes_char(out, '}');
    }
    bytes_char(out, ']');
}

/* As a result of a run in the API, as far as there is one without a server. */
static void show_json(const struct plugin_options *o, const struct worker_result *r)
{
    struct bytes out = BYTES_INIT(256u << 20);
    bytes_char(&out, '{');
    json_key(&out, "plugin");
    bytes_char(&out, '{');
    json_kv_string(&out, "id", r->plugin_id);
    json_kv_string(&out, "version", r->plugin_version);
    bytes_char(&out, '}');
    json_kv_int(&out, "seed", (int64_t)o->seed);
    json_kv_string(&out, "status", WORKER_STATUS_NAMES[r->status]);
    json_kv_number(&out, "duration_ms", r->duration_ms);
    json_kv_string(&out, "message", r->message);
    put_checks(r, &out);
    put_measurements(r, &out);
    json_key(&out, "log");
    json_put_stringn(&out, r->log ? r->log : "", r->log_len);
    bytes_char(&out, '}');
    puts(out.data);
    bytes_release(&out);
}

static int run(const struct plugin_options *o, const char *made, struct err *e)
{
    struct test_job job;
    struct job_models models;
    const struct worker_settings settings = {.program = plugin_worker_program(o->arena, e)};
    if (!settings.program || !plugin_job(o, o->files[0], &job, &models, e) ||
        !plugin_job_data(o, made, &job, e))
        return 2;
    struct worker *w = worker_run(&settings, &job, e);
    if (!w)
        return 1;
    const struct worker_result *r = worker_result(w);
    if (o->json)
        show_json(o, r);
    else
        show(r);
    bool good = r->status == WORKER_PASSED || r->status == WORKER_SKIPPED;
    worker_free(w);
    return good ? 0 : 1;
}

int plugin_run(int argc, char **argv)
{
    struct plugin_options o;
    struct err e = {0};
    char made[] = "/tmp/paddock-run-XXXXXX";
    int status = 2;
    if (plugin_options_read(&o, "run", argc, argv)) {
        if (o.n_files != 1)
            fail(&e, &ERR_INVALID, "one file is run at a time");
        else if (!mkdtemp(made))
            fail_errno(&e, &ERR_INTERNAL, "/tmp");
        else
            status = run(&o, made, &e);
        if (e.kind)
            fprintf(stderr, "paddock plugin run: %s\n", e.detail);
        const char *rows = arena_printf(o.arena, "%s/practice.csv", made);
        unlink(rows);
        rmdir(made);
    }
    arena_free(o.arena);
    return status;
}
