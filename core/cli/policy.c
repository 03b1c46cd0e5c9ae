/* `paddock policy check|try|simulate`: a policy on its author's desk, without a server. What runs
 * is what the server runs: the same sandbox, the same checks. */
#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "extend/context.h"
#include "extend/lua_sandbox.h"
#include "extend/policy_set.h"
#include "extend/policy_trial.h"
#include "extend/severity.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX   32
#define POPULATION     100000
#define POPULATION_MAX 100000000

static const char USAGE[] =
    "usage: paddock policy check FILE... [--kind rollout|severity]\n"
    "       paddock policy try FILE --context JSON [--explain]\n"
    "       paddock policy try FILE --input JSON                 (severity: members of r)\n"
    "       paddock policy simulate FILE [--population N] [--against FILE | --was JSON]\n"
    "\n"
    "try and simulate take of the flag: --params JSON, --variants off,on (the first is the\n"
    "default), --salt TEXT; of the call: --context JSON, --at TIME, --segment NAME=unit,unit.\n"
    "simulate counts variants over units user-0 ... and, against another file or other parameters\n"
    "(--was), how many of them change. The kind is the file's folder, or --kind.\n";

struct segment {
    const char *name, *units; /* units: between commas */
};

struct options {
    const char *files[64];
    size_t file_count;
    const char *kind, *context, *input, *params, *variants, *salt, *at, *against, *was, *population;
    struct segment segments[SEGMENTS_MAX];
    size_t segment_count;
    bool explain;
};

/* ---- arguments ---- */

static bool add_segment(struct options *o, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || o->segment_count == SEGMENTS_MAX)
        return false;
    *equals = '\0';
    o->segments[o->segment_count++] = (struct segment){text, equals + 1};
    return true;
}

static const char **option_of(struct options *o, const char *name)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--kind", &o->kind},
        {"--context", &o->context},
        {"--input", &o->input},
        {"--params", &o->params},
        {"--variants", &o->variants},
        {"--salt", &o->salt},
        {"--at", &o->at},
        {"--against", &o->against},
        {"--was", &o->was},
        {"--population", &o->population},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].value;
    return NULL;
}

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **value = option_of(o, argv[i]);
        if (strcmp(argv[i], "--explain") == 0) {
            o->explain = true;
        } else if (value || strcmp(argv[i], "--segment") == 0) {
            if (++i == argc)
                return false;
            if (value)
                *value = argv[i];
            else if (!add_segment(o, argv[i]))
                return false;
        } else if (argv[i][0] == '-' || o->file_count == sizeof o->files / sizeof *o->files) {
            return false;
        } else {
            o->files[o->file_count++] = argv[i];
        }
    }
    return o->file_count > 0;
}

static int complain(const struct err *e)
{
    fprintf(stderr, "paddock policy: %s\n", e->detail);
    if (e->members)
        fprintf(stderr, "{%s}\n", e->members);
    return 1;
}

/* A JSON object given as text; NULL text gives an empty one. */
static json_t *object_of(const char *option, const char *text, struct err *e)
{
    json_t *value = text ? json_read(text, strlen(text), e) : json_object();
    if (value && !json_is_object(value)) {
        fail(e, &ERR_INVALID, "%s must be a JSON object", option);
        json_decref(value);
        return NULL;
    }
    return value;
}

/* As a server takes it. */
static json_t *context_of(const char *text, struct err *e)
{
    json_t *context = object_of("--context", text, e);
    if (context_unit_good(context))
        return context;
    fail(e, &ERR_INVALID, "--context: targetingKey must be a text or a whole number");
    json_decref(context);
    return NULL;
}

static bool population_of(const char *text, uint64_t *out, struct err *e)
{
    char *end;
    *out = text ? strtoull(text, &end, 10) : POPULATION;
    return (!text || (*text >= '0' && *text <= '9' && !*end)) && *out > 0 && *out <= POPULATION_MAX
               ? true
               : fail(e, &ERR_INVALID, "--population must be a whole number from 1 to %d",
                      POPULATION_MAX);
}

/* ---- files ---- */

/* The policy's name and, from its folder, its kind. */
static bool name_of(const struct options *o, const char *path, char *name, size_t size,
                    enum policy_kind *kind, struct err *e)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    snprintf(name, size, "%.*s", dot ? (int)(dot - file) : (int)strlen(file), file);
    if (o->kind)
        return policy_kind_parse(o->kind, kind) ||
               fail(e, &ERR_INVALID, "--kind must be rollout or severity");
    *kind = POLICY_ROLLOUT;
    size_t folder = slash ? (size_t)(slash - path) : 0;
    if (folder >= 8 && strncmp(path + folder - 8, "severity", 8) == 0)
        *kind = POLICY_SEVERITY;
    return true;
}

static struct policy *load(const struct options *o, const char *path, struct err *e)
{
    char name[POLICY_NAME_MAX * 4];
    enum policy_kind kind;
    if (!name_of(o, path, name, sizeof name, &kind, e))
        return NULL;
    if (!policy_name_valid(name)) {
        fail(e, &ERR_INVALID, "%s: a policy's file is named after it: a-z 0-9 _ - and .lua", path);
        return NULL;
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail_errno(e, &ERR_IO, "%s", path);
        return NULL;
    }
    static char text[SANDBOX_SOURCE_MAX + 1];
    size_t len = fread(text, 1, sizeof text, file);
    bool bad = ferror(file) != 0;
    fclose(file);
    if (bad) {
        fail(e, &ERR_IO, "%s cannot be read", path);
        return NULL;
    }
    return policy_load(kind, name, text, len, e);
}

/* ---- check ---- */

static void print_params(const struct policy *p)
{
    json_t *param;
    size_t i;
    json_array_foreach((json_t *)policy_params(p), i, param) {
        const json_t *fallback = json_object_get(param, "default");
        char *text = fallback ? json_dumps(fallback, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        const char *doc = json_string_value(json_object_get(param, "doc"));
        printf("  %-12s %-8s %s%s%s%s\n", json_string_value(json_object_get(param, "name")),
               json_string_value(json_object_get(param, "type")),
               json_is_true(json_object_get(param, "required")) ? "required " : "",
               text ? "default " : "", text ? text : "", "");
        if (doc)
            printf("  %12s %8s %s\n", "", "", doc);
        free(text);
    }
}

static int check(const struct options *o)
{
    int status = 0;
    for (size_t i = 0; i < o->file_count; i++) {
        struct err e = {0};
        struct policy *p = load(o, o->files[i], &e);
        if (!p) {
            status = complain(&e);
            continue;
        }
        printf("%s: good, %s\n  %s\n", o->files[i], policy_kind_name(policy_kind(p)),
               policy_summary(p));
        print_params(p);
        policy_free(p);
    }
    return status;
}

/* ---- try and simulate a rollout ---- */

static bool in_segment(void *ctx, const char *segment, const char *unit, size_t len)
{
    const struct options *o = ctx;
    for (size_t i = 0; i < o->segment_count; i++) {
        if (strcmp(o->segments[i].name, segment) != 0)
            continue;
        for (const char *at = o->segments[i].units; *at;) {
            size_t n = strcspn(at, ",");
            if (n == len && memcmp(at, unit, n) == 0)
                return true;
            at += n + (at[n] == ',');
        }
    }
    return false;
}

static bool make_env(struct options *o, struct policy_env *env, struct bytes *trace, struct err *e)
{
    *env = (struct policy_env){.now_ms = clock_wall_ms(&CLOCK_SYSTEM),
                               .in_segment = in_segment,
                               .segments = o,
                               .trace = trace};
    return !o->at || time_parse(o->at, strlen(o->at), &env->now_ms) ||
           fail(e, &ERR_INVALID, "--at must be a time, such as 2026-11-23T02:00:00Z");
}

static const char *const *variants_of(const struct options *o, struct arena *a)
{
    if (!o->variants)
        return NULL;
    const char **out = arena_zero(a, (ARMS_MAX + 1) * sizeof *out);
    char *text = arena_text(a, o->variants), *rest = text, *item;
    for (size_t n = 0; n < ARMS_MAX && (item = strsep(&rest, ","));)
        if (*item)
            out[n++] = item;
    return out;
}

/* Load `path` and make the flag. The caller frees t->policy, whatever comes. */
static bool open_trial(const struct options *o, const char *path, const char *params_text,
                       const struct policy_trial *today, struct arena *a, struct policy_trial *t,
                       struct err *e)
{
    *t = (struct policy_trial){.policy = load(o, path, e)};
    if (!t->policy)
        return false;
    if (policy_kind(t->policy) != POLICY_ROLLOUT)
        return fail(e, &ERR_INVALID, "%s is no rollout policy", path);
    json_t *params = object_of("--params", params_text, e);
    if (!params)
        return false;
    const struct trial_setup setup = {params, variants_of(o, a), o->salt, today};
    struct policy *loaded = t->policy;
    bool good = policy_trial_open(t, loaded, &setup, a, e);
    t->policy = loaded;
    json_decref(params);
    return good;
}

static int print_decision(struct policy_trial *t, const json_t *context,
                          const struct policy_env *env)
{
    struct policy_decision d;
    struct err e = {0};
    struct bytes b = BYTES_INIT(1 << 20);
    bool good = policy_decide(t->policy, t->flag, context, env, &d, &e);
    bytes_char(&b, '{');
    json_kv_string(&b, "variant", good ? t->variants[d.variant] : NULL);
    json_kv_string(&b, "reason", good ? policy_reason_name(d.reason) : "ERROR");
    if (good && *d.note)
        json_kv_string(&b, "note", d.note);
    if (!good)
        json_kv_string(&b, "error", e.detail);
    json_kv_int(&b, "steps", policy_steps(t->policy));
    json_kv_int(&b, "memory_bytes", (int64_t)policy_memory(t->policy));
    if (env->trace) {
        bytes_text(&b, ",\"trace\":[");
        bytes_add(&b, env->trace->data ? env->trace->data : "", env->trace->len);
        bytes_char(&b, ']');
    }
    bytes_text(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    bytes_release(&b);
    return good ? 0 : 1;
}

static int try_rollout(struct options *o, struct arena *a)
{
    struct err e = {0};
    struct policy_env env;
    struct policy_trial t = {.policy = NULL};
    struct bytes trace = BYTES_INIT(256 * 1024);
    json_t *context = context_of(o->context, &e);
    int status = context && make_env(o, &env, o->explain ? &trace : NULL, &e) &&
                         open_trial(o, o->files[0], o->params, NULL, a, &t, &e)
                     ? print_decision(&t, context, &env)
                     : complain(&e);
    json_decref(context);
    policy_free(t.policy);
    bytes_release(&trace);
    return status;
}

static void print_counts(const struct policy_trial *t, const struct trial_count *c, bool compared)
{
    double all = c->units ? (double)c->units : 1;
    for (size_t i = 0; i < t->variant_count; i++)
        printf("%-20s %10" PRIu64 "  %7.3f %%\n", t->variants[i], c->variants[i],
               (double)c->variants[i] * 100 / all);
    if (c->errors)
        printf("%-20s %10" PRIu64 "  %7.3f %%  %s\n", "(failed)", c->errors,
               (double)c->errors * 100 / all, c->first_error);
    if (compared)
        printf("%-20s %10" PRIu64 "  %7.3f %%\n", "change variant", c->moved,
               (double)c->moved * 100 / all);
    printf("%.2f us a call\n", c->us_per_call);
}

static int simulate(struct options *o, struct arena *a)
{
    struct err e = {0};
    struct policy_env env;
    struct policy_trial t = {.policy = NULL}, before = {.policy = NULL};
    struct trial_count count;
    bool compared = o->against || o->was;
    uint64_t population = 0;
    json_t *context = context_of(o->context, &e);
    bool good = context && make_env(o, &env, NULL, &e) &&
                (!compared || open_trial(o, o->against ? o->against : o->files[0],
                                         o->was ? o->was : o->params, NULL, a, &before, &e)) &&
                open_trial(o, o->files[0], o->params, compared ? &before : NULL, a, &t, &e);
    good = good && population_of(o->population, &population, &e);
    if (good) {
        policy_trial_simulate(&t, compared ? &before : NULL, context, &env, population, &count);
        print_counts(&t, &count, compared);
    }
    json_decref(context);
    policy_free(t.policy);
    policy_free(before.policy);
    return good ? count.errors != 0 : complain(&e);
}

/* ---- try a severity ---- */

static int try_severity(const struct options *o, struct policy *p)
{
    struct err e = {0};
    struct severity_grade grade;
    json_t *input = object_of("--input", o->input, &e);
    bool good = input && severity_grade_json(p, input, clock_wall_ms(&CLOCK_SYSTEM), &grade, &e);
    json_decref(input);
    if (!good)
        return complain(&e);
    struct bytes b = BYTES_INIT(1 << 16);
    bytes_char(&b, '{');
    json_kv_string(&b, "level", severity_name(grade.level));
    json_kv_string(&b, "reason", grade.reason);
    bytes_text(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    bytes_release(&b);
    return 0;
}

static int try_one(struct options *o, struct arena *a)
{
    struct err e = {0};
    struct policy *p = load(o, o->files[0], &e);
    if (!p)
        return complain(&e);
    bool severity = policy_kind(p) == POLICY_SEVERITY;
    int status = severity ? try_severity(o, p) : 0;
    policy_free(p);
    return severity ? status : try_rollout(o, a);
}

int cli_policy(int argc, char **argv)
{
    struct options o = {.kind = NULL};
    const char *what = argc > 0 ? argv[0] : "";
    bool one = strcmp(what, "try") == 0 || strcmp(what, "simulate") == 0;
    if ((!one && strcmp(what, "check") != 0) || !parse(&o, argc - 1, argv + 1) ||
        (one && o.file_count != 1)) {
        fputs(USAGE, stderr);
        return 2;
    }
    struct arena *a = arena_new(8 << 20);
    int status = *what == 'c' ? check(&o) : *what == 't' ? try_one(&o, a) : simulate(&o, a);
    arena_free(a);
    return status;
}
